//! Who pays: the chain and the block's signer, or the grant that came with a message.

use resident_base::{Account, AccountOwner, Amount, ApplicationId};

use super::{Runtime, RuntimeHandle, balances};
use crate::{FailureReason, MessageContext, OutgoingMessage, Stop};

impl Runtime {
    /// Ends a transaction, or one application's finalization: books the fuel, and takes the fee for all
    /// that was not paid for yet.
    pub(crate) fn charge_fee(&mut self) -> Result<(), Stop> {
        let fee = self.book();
        self.usage.end();
        self.charge(fee, Amount::ZERO)
    }

    /// Takes the fee for a message that was executed: from its grant as far as that goes. What is left of
    /// the grant goes back.
    pub(super) fn charge_message(&mut self, context: &MessageContext) -> Result<(), Stop> {
        let fee = self.book();
        let from_grant = fee.min(context.grant);
        self.charge(fee, from_grant)?;
        self.refund(
            context.refund_account(),
            context.grant.saturating_sub(from_grant),
        )
    }

    /// Says for which application what follows is done, until the next fee is charged: for some it is free.
    pub(crate) fn begin_charging(&mut self, application: Option<ApplicationId>) {
        let free = &self.context.policy.free_applications;
        self.usage.is_free = application.is_some_and(|id| free.contains(&id));
    }

    /// Books what was used since the last time, and gives the fee for it.
    fn book(&mut self) -> Amount {
        let fuel_before = self.usage.used.wasm_fuel;
        let policy = self.context.policy.clone();
        let fee = self.usage.settle(&policy);
        self.trace.fuel += self.usage.used.wasm_fuel - fuel_before;
        fee
    }

    /// Takes a fee, of which a part is paid already.
    fn charge(&mut self, fee: Amount, paid: Amount) -> Result<(), Stop> {
        self.pay(fee.saturating_sub(paid))?;
        self.usage.fees = self.usage.fees.saturating_add(fee);
        Ok(())
    }

    /// The chain pays first, and the block's signer what the chain has not got.
    fn pay(&mut self, fee: Amount) -> Result<(), Stop> {
        if fee == Amount::ZERO {
            return Ok(());
        }
        let from_chain = balances::read_balance(&mut self.journal, AccountOwner::CHAIN)?.min(fee);
        balances::debit(&mut self.journal, AccountOwner::CHAIN, from_chain)?;
        let rest = fee.saturating_sub(from_chain);
        if rest == Amount::ZERO {
            return Ok(());
        }
        let payer = self
            .context
            .authenticated_owner
            .unwrap_or(AccountOwner::CHAIN);
        balances::debit(&mut self.journal, payer, rest)
    }

    /// Returns what is left of a grant. This message was paid for with the one that had the grant, so it
    /// costs nothing and counts towards no limit; there is at most one for each message received.
    fn refund(&mut self, account: Account, amount: Amount) -> Result<(), Stop> {
        if amount == Amount::ZERO {
            return Ok(());
        }
        if account.chain_id == self.context.chain_id {
            // It goes back to where it came from, which is not to fail for want of anything.
            return balances::credit(&mut self.journal, account.owner, amount).map(drop);
        }
        let message = OutgoingMessage::refund(account, amount);
        self.transaction.effects.messages.push(message);
        Ok(())
    }
}

impl RuntimeHandle {
    /// Takes the grant of a message from whoever lets the running application act: from the chain if
    /// that is one of its owners and the chain has enough, otherwise from the own account. Answers with
    /// the account that paid.
    ///
    /// Fees are bounded by limits, and anybody's message may cause them. A grant is not, so it takes a
    /// signature, as a transfer does. It goes back to the very account that it came from, or a grant
    /// would be a way to take tokens out of somebody else's.
    pub(super) fn take_grant(&mut self, grant: Amount) -> Result<Option<Account>, Stop> {
        if grant == Amount::ZERO {
            return Ok(None);
        }
        let chain = AccountOwner::CHAIN;
        let Some(signer) = self.frame().authenticated_owner else {
            let source_owner = chain;
            return Err(FailureReason::NotAuthorized { source_owner }.into());
        };
        let chain_pays = self.config.ownership.is_owner(&signer)
            && balances::read_balance(&mut self.journal, chain)? >= grant;
        let payer = if chain_pays { chain } else { signer };
        balances::debit(&mut self.journal, payer, grant)?;
        Ok(Some(Account::new(self.context.chain_id, payer)))
    }
}
