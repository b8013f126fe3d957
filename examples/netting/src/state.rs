use resident_sdk::{
    ViewStorageContext,
    base_types::{AccountOwner, Amount},
    views::{MapView, RootView},
};

/// What the application stores on one chain. What is still to be sent is not among it.
#[derive(RootView)]
#[view(context = ViewStorageContext)]
pub(crate) struct NettingState {
    /// The balances of this chain, none of them zero.
    pub(crate) accounts: MapView<AccountOwner, Amount>,
}

impl NettingState {
    pub(crate) async fn balance(&self, owner: &AccountOwner) -> Amount {
        let balance = self.accounts.get(owner).await;
        balance.expect("balances can be read").unwrap_or_default()
    }

    pub(crate) async fn credit(&mut self, owner: &AccountOwner, amount: Amount) {
        let balance = self.balance(owner).await.try_add(amount);
        self.set(owner, balance.expect("the balance would be too large"));
    }

    pub(crate) async fn debit(&mut self, owner: &AccountOwner, amount: Amount) {
        let balance = self.balance(owner).await;
        let Ok(rest) = balance.try_sub(amount) else {
            panic!("{owner} has {balance}, but {amount} is needed");
        };
        self.set(owner, rest);
    }

    fn set(&mut self, owner: &AccountOwner, balance: Amount) {
        let written = match balance {
            Amount::ZERO => self.accounts.remove(owner),
            balance => self.accounts.insert(owner, balance),
        };
        written.expect("balances can be written");
    }
}
