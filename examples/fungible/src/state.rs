use resident_sdk::{
    ViewStorageContext,
    base_types::{AccountOwner, Amount, OwnerSpender},
    views::{MapView, RootView},
};

/// What the token stores on one chain. Neither map holds zero amounts.
#[derive(RootView)]
#[cfg_attr(feature = "graphql", derive(async_graphql::SimpleObject))]
#[view(context = ViewStorageContext)]
pub(crate) struct FungibleTokenState {
    /// The balances of this chain.
    pub(crate) accounts: MapView<AccountOwner, Amount>,
    /// What spenders may still take from owners' accounts on this chain.
    pub(crate) approvals: MapView<OwnerSpender, Amount>,
}

impl FungibleTokenState {
    /// Adds up the initial balances. A supply that fits in an `Amount` keeps every later credit
    /// from overflowing.
    pub(crate) async fn initialize(
        &mut self,
        accounts: impl IntoIterator<Item = (AccountOwner, Amount)>,
    ) {
        let mut supply = Amount::ZERO;
        for (owner, amount) in accounts {
            supply = supply
                .try_add(amount)
                .expect("the initial supply is too large");
            self.credit(&owner, amount).await;
        }
    }

    /// What the owner has on this chain.
    pub(crate) async fn balance(&self, owner: &AccountOwner) -> Amount {
        let balance = self.accounts.get(owner).await;
        balance.expect("balances can be read").unwrap_or_default()
    }

    /// Lets the spender take this much more of the owner's tokens.
    pub(crate) async fn approve(&mut self, pair: &OwnerSpender, allowance: Amount) {
        if allowance == Amount::ZERO {
            return;
        }
        let approved = self.approvals.get_mut_or_default(pair).await;
        approved
            .expect("approvals can be read")
            .saturating_add_assign(allowance);
    }

    /// Uses up a part of what the spender may take.
    pub(crate) async fn spend_approval(&mut self, pair: &OwnerSpender, amount: Amount) {
        let approved = self.approvals.get_mut(pair).await;
        let reduced = reduce(approved.expect("approvals can be read"), amount);
        match reduced {
            Ok(false) => {}
            Ok(true) => self
                .approvals
                .remove(pair)
                .expect("approvals can be written"),
            Err(approved) => panic!("the allowance is {approved}, but {amount} is needed"),
        }
    }

    /// Gives tokens to an account of this chain.
    pub(crate) async fn credit(&mut self, owner: &AccountOwner, amount: Amount) {
        if amount == Amount::ZERO {
            return;
        }
        let balance = self.accounts.get_mut_or_default(owner).await;
        let added = balance
            .expect("balances can be read")
            .try_add_assign(amount);
        added.expect("the account's balance would be too large");
    }

    /// Takes tokens from an account of this chain.
    pub(crate) async fn debit(&mut self, owner: &AccountOwner, amount: Amount) {
        let balance = self.accounts.get_mut(owner).await;
        match reduce(balance.expect("balances can be read"), amount) {
            Ok(false) => {}
            Ok(true) => self
                .accounts
                .remove(owner)
                .expect("balances can be written"),
            Err(balance) => panic!("insufficient balance: {balance}, but {amount} is needed"),
        }
    }
}

/// Subtracts from what an entry holds. Says whether nothing is left, so that the entry can be
/// removed; fails with what there is if that is too little.
fn reduce(entry: Option<&mut Amount>, amount: Amount) -> Result<bool, Amount> {
    let Some(held) = entry else {
        return if amount == Amount::ZERO {
            Ok(false)
        } else {
            Err(Amount::ZERO)
        };
    };
    *held = held.try_sub(amount).map_err(|_| *held)?;
    Ok(*held == Amount::ZERO)
}
