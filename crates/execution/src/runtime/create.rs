//! What contracts bring into being: modules, applications and chains.

use resident_base::{
    AccountOwner, Amount, ApplicationId, ApplicationPermissions, Bytecode, ChainId, ChainOwnership,
    InitialChainConfig, ModuleId, VmRuntime,
};
use serde::de::DeserializeOwned;

use super::{Authority, RuntimeHandle};
use crate::{FailureReason, Stop, policy::host_cost};

/// An application that a contract wants to be created.
pub(super) struct Creation {
    pub(super) module_id: ModuleId,
    pub(super) parameters: Vec<u8>,
    pub(super) argument: Vec<u8>,
    pub(super) required_application_ids: Vec<ApplicationId>,
}

impl RuntimeHandle {
    /// Publishes a module for the running application.
    pub(super) fn publish_module_charged(
        &mut self,
        contract: Bytecode,
        service: Bytecode,
        vm_runtime: VmRuntime,
    ) -> Result<ModuleId, Stop> {
        self.charge_call(contract.bytes.len() + service.bytes.len())?;
        let bytes = (contract.bytes.len() + service.bytes.len()) as u64;
        self.usage
            .charge_fuel(2 * host_cost::BLOB + bytes * host_cost::PREPARED_BYTE)?;
        let fuel = self.check_code(&contract, &service, vm_runtime)?;
        self.usage.charge_fuel(fuel)?;
        self.publish_module(contract, service, vm_runtime)
    }

    /// Creates an application for the running one. The new one learns who created it, and may do nothing in that
    /// one's name or in the signer's: its module can be anybody's.
    pub(super) fn create_application_charged(
        &mut self,
        creation: Creation,
    ) -> Result<ApplicationId, Stop> {
        let Creation {
            module_id,
            parameters,
            argument,
            required_application_ids,
        } = creation;
        let required = required_application_ids.len() * size_of::<ApplicationId>();
        self.charge_call(parameters.len() + argument.len() + required)?;
        self.usage.charge_fuel(
            host_cost::BLOB + (parameters.len() + required) as u64 * host_cost::BLOB_BYTE,
        )?;
        let authority = Authority {
            caller: Some(self.frame().application_id),
            ..Authority::default()
        };
        let description = self.describe(module_id, parameters, required_application_ids);
        self.create_application(&description, argument, authority)
    }

    /// Opens a chain for the running application.
    pub(super) fn open_chain_charged(
        &mut self,
        ownership: &[u8],
        permissions: &[u8],
        payer: AccountOwner,
        balance: Amount,
    ) -> Result<ChainId, Stop> {
        self.charge_call(ownership.len() + permissions.len())?;
        self.usage.charge_fuel(
            host_cost::BLOB
                + (ownership.len() + permissions.len()) as u64 * host_cost::CONFIGURATION_BYTE,
        )?;
        if balance > Amount::ZERO {
            self.check_may_spend(payer)?;
        }
        let ownership: ChainOwnership = decode("a chain's ownership", ownership)?;
        let application_permissions: ApplicationPermissions =
            decode("a chain's permissions", permissions)?;
        let config = InitialChainConfig {
            ownership,
            balance,
            application_permissions,
        };
        self.open_chain(config, payer)
    }
}

fn decode<T: DeserializeOwned>(what: &'static str, bytes: &[u8]) -> Result<T, FailureReason> {
    bcs::from_bytes(bytes).map_err(|_| FailureReason::Malformed { what })
}
