//! Who owns the chain, and closing it.

use std::sync::Arc;

use resident_abi::wire::ManageChainError;
use resident_base::ChainOwnership;

use super::{RuntimeHandle, balances};
use crate::{FailureReason, Fault, Stop, policy::host_cost, runtime::balances::ChainConfig};

/// The most owners, of both kinds, that an application can give a chain.
const MAX_OWNERS: usize = 1_000;

impl RuntimeHandle {
    /// Nothing happens on a closed chain.
    pub(super) fn check_open(&self) -> Result<(), Stop> {
        match self.config.is_closed {
            true => Err(FailureReason::ChainClosed.into()),
            false => Ok(()),
        }
    }

    pub(super) fn set_closed(&mut self) -> Result<(), Fault> {
        self.change_config(|config| config.is_closed = true)
    }

    /// The host function `close-chain`.
    pub(super) fn close(&mut self) -> Result<Result<(), ManageChainError>, Stop> {
        self.usage.charge_fuel(host_cost::CHANGE_CHAIN)?;
        if !self.may_manage_chain() {
            return Ok(Err(ManageChainError::NotPermitted));
        }
        self.set_closed()?;
        Ok(Ok(()))
    }

    /// The host function `change-ownership`.
    pub(super) fn set_ownership(
        &mut self,
        encoded: &[u8],
    ) -> Result<Result<(), ManageChainError>, Stop> {
        self.usage.charge_fuel(host_cost::CHANGE_CHAIN)?;
        if !self.may_manage_chain() {
            return Ok(Err(ManageChainError::NotPermitted));
        }
        let ownership = bcs::from_bytes(encoded)
            .ok()
            .filter(is_sensible)
            .ok_or(FailureReason::BadOwnership)?;
        self.change_config(|config| config.ownership = ownership)?;
        Ok(Ok(()))
    }

    fn may_manage_chain(&self) -> bool {
        let permissions = &self.config.application_permissions;
        permissions.can_manage_chain(&self.frame().application_id)
    }

    fn change_config(&mut self, change: impl FnOnce(&mut ChainConfig)) -> Result<(), Fault> {
        let mut config = ChainConfig::clone(&self.config);
        change(&mut config);
        balances::write_config(&mut self.journal, &config)?;
        self.config = Arc::new(config);
        Ok(())
    }
}

fn is_sensible(ownership: &ChainOwnership) -> bool {
    ownership.is_active() && ownership.all_owners().count() <= MAX_OWNERS
}
