//! What unit tests expect a contract to create and to ask for.

use serde::Serialize;

use super::{ContractRuntime, creation::encode_json};
use crate::{
    base_types::{
        AccountOwner, Amount, ApplicationId, ApplicationPermissions, Bytecode, ChainId,
        ChainOwnership, DataBlobHash, ModuleId, VmRuntime, http,
    },
    contract::Contract,
    host::{Creation, Opening},
};

/// Expected calls are answered in the order in which they were added; any other call panics.
impl<C: Contract> ContractRuntime<C> {
    /// Publishes a data blob before the test begins.
    #[must_use]
    pub fn with_blob(mut self, hash: DataBlobHash, bytes: Vec<u8>) -> Self {
        self.set_blob(hash, bytes);
        self
    }

    /// Publishes a data blob.
    pub fn set_blob(&mut self, hash: DataBlobHash, bytes: Vec<u8>) -> &mut Self {
        self.host.world().data_blobs.insert(hash, bytes);
        self
    }

    /// Expects a module to be published.
    pub fn add_expected_publish_module_call(
        &mut self,
        contract: Bytecode,
        service: Bytecode,
        vm_runtime: VmRuntime,
        module_id: ModuleId,
    ) {
        let published = &mut self.host.world().expected_modules;
        published.add((contract, service, vm_runtime), module_id);
    }

    /// Expects an application to be created.
    pub fn add_expected_create_application_call<P: Serialize, I: Serialize>(
        &mut self,
        module_id: ModuleId,
        parameters: &P,
        argument: &I,
        required_application_ids: Vec<ApplicationId>,
        application_id: ApplicationId,
    ) {
        let creation = Creation {
            module_id,
            parameters: encode_json(parameters, "parameters"),
            argument: encode_json(argument, "instantiation argument"),
            required_application_ids,
        };
        let created = &mut self.host.world().expected_applications;
        created.add(creation, application_id);
    }

    /// Expects a chain to be opened.
    pub fn add_expected_open_chain_call(
        &mut self,
        ownership: ChainOwnership,
        permissions: ApplicationPermissions,
        payer: AccountOwner,
        balance: Amount,
        chain_id: ChainId,
    ) {
        let opening = Opening {
            ownership,
            permissions,
            payer,
            balance,
        };
        self.host.world().expected_chains.add(opening, chain_id);
    }

    /// Expects a server outside to be asked.
    pub fn add_expected_http_request(&mut self, request: http::Request, response: http::Response) {
        self.host.world().expected_requests.add(request, response);
    }
}
