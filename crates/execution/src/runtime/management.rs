//! Who owns the chain, and closing it.

use std::sync::Arc;

use resident_abi::wire::ManageChainError;
use resident_base::ChainOwnership;

use super::{RuntimeHandle, balances};
use crate::{FailureReason, Stop, policy::host_cost, runtime::balances::ChainConfig};

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

    /// Closes the chain, unless it is closed.
    pub(super) fn set_closed(&mut self) -> Result<(), Stop> {
        match self.config.is_closed {
            true => Ok(()),
            false => self.change_config(|config| config.is_closed = true),
        }
    }

    /// The host function `close-chain`.
    pub(super) fn close(&mut self) -> Result<Result<(), ManageChainError>, Stop> {
        if !self.may_manage_chain()? {
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
        if !self.may_manage_chain()? {
            return Ok(Err(ManageChainError::NotPermitted));
        }
        let encoded_bytes = encoded.len() as u64;
        self.usage
            .charge_fuel(encoded_bytes * host_cost::CONFIGURATION_BYTE)?;
        let ownership = bcs::from_bytes(encoded)
            .ok()
            .filter(is_sensible)
            .ok_or(FailureReason::BadOwnership)?;
        self.change_config(|config| config.ownership = ownership)?;
        Ok(Ok(()))
    }

    fn may_manage_chain(&mut self) -> Result<bool, Stop> {
        let config = self.config.clone();
        let permissions = &config.application_permissions;
        let searched = permissions.manage_chain.len() as u64;
        self.usage
            .charge_fuel(host_cost::CHANGE_CHAIN + searched * host_cost::PERMISSION)?;
        Ok(permissions.can_manage_chain(&self.frame().application_id))
    }

    /// Takes fuel by the size of the chain's configuration, so much for each byte.
    pub(super) fn charge_configuration(&mut self, byte: u64) -> Result<(), Stop> {
        let fuel = self.config.size_bytes.saturating_mul(byte);
        self.usage
            .charge_fuel(fuel.saturating_add(host_cost::CONFIGURATION))
    }

    /// Writes the whole configuration, and pays for that.
    fn change_config(&mut self, change: impl FnOnce(&mut ChainConfig)) -> Result<(), Stop> {
        self.charge_configuration(host_cost::CONFIGURATION_BYTE)?;
        let mut config = ChainConfig::clone(&self.config);
        change(&mut config);
        balances::write_config(&mut self.journal, &mut config)?;
        let policy = self.context.policy.clone();
        self.usage.write(config.size_bytes, &policy)?;
        self.config = Arc::new(config);
        self.check_memory()
    }
}

fn is_sensible(ownership: &ChainOwnership) -> bool {
    ownership.is_active() && ownership.all_owners().count() <= MAX_OWNERS
}
