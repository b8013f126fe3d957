//! What a contract brings into being, and what it asks of the world outside.

use serde::Serialize;

use super::ContractRuntime;
use crate::{
    abi::ContractAbi,
    base_types::{
        AccountOwner, Amount, ApplicationId, ApplicationPermissions, Bytecode, ChainId,
        ChainOwnership, DataBlobHash, ModuleId, VmRuntime, http,
    },
    contract::Contract,
    entry::refuse,
    host::{Creation, HostCalls, Opening},
};

impl<C: Contract> ContractRuntime<C> {
    /// Publishes bytes that anybody can read from now on by their hash.
    pub fn create_data_blob(&mut self, bytes: Vec<u8>) -> DataBlobHash {
        self.host.create_data_blob(bytes)
    }

    /// The bytes of a published blob. If nobody published it yet, the transaction waits for a later block.
    pub fn read_data_blob(&mut self, hash: DataBlobHash) -> Vec<u8> {
        self.host.read_data_blob(hash)
    }

    /// Passes if a blob was published. If nobody published it yet, the transaction waits for a later block.
    pub fn assert_data_blob_exists(&mut self, hash: DataBlobHash) {
        self.host.assert_data_blob_exists(hash);
    }

    /// Publishes code. Costs about a thousand units of fuel for each byte of the contract.
    ///
    /// The description of its formats, if there is one, is published as a data blob.
    pub fn publish_module(
        &mut self,
        contract: Bytecode,
        service: Bytecode,
        vm_runtime: VmRuntime,
        formats: Option<Vec<u8>>,
    ) -> ModuleId {
        if let Some(formats) = formats {
            self.create_data_blob(formats);
        }
        self.host.publish_module(contract, service, vm_runtime)
    }

    /// Creates an application on this chain and instantiates it at once. It can be called right away, and sees
    /// this application as its caller.
    pub fn create_application<A: ContractAbi, P: Serialize, I: Serialize>(
        &mut self,
        module_id: ModuleId,
        parameters: &P,
        argument: &I,
        required_application_ids: Vec<ApplicationId>,
    ) -> ApplicationId<A> {
        let creation = Creation {
            module_id,
            parameters: encode_json(parameters, "parameters"),
            argument: encode_json(argument, "instantiation argument"),
            required_application_ids,
        };
        self.host.create_application(creation).with_abi()
    }

    /// Opens a chain. Its balance is taken from `payer`, which must have authorised it.
    pub fn open_chain(
        &mut self,
        ownership: ChainOwnership,
        permissions: ApplicationPermissions,
        payer: AccountOwner,
        balance: Amount,
    ) -> ChainId {
        self.host.open_chain(Opening {
            ownership,
            permissions,
            payer,
            balance,
        })
    }

    /// Asks a server outside. Whoever runs the block again gets the same answer.
    ///
    /// Fails the transaction if the chain or the network's policy does not allow it, or if there is no answer.
    pub fn http_request(&mut self, request: http::Request) -> http::Response {
        self.host.http_request(request)
    }
}

pub(super) fn encode_json(value: &impl Serialize, what: &str) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_else(|error| {
        refuse(
            "encode as JSON",
            &format_args!("the application's {what}: {error}"),
        )
    })
}
