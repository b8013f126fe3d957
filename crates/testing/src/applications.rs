//! Publishing, creating and calling applications.

use resident_base::{Account, AccountOwner, Amount, ApplicationId, Bytecode, ModuleId, VmRuntime};
use resident_chain::{StagingPolicy, Transaction};
use resident_execution::{Operation, SystemOperation};
use resident_sdk::{
    ContractAbi,
    abis::fungible::{
        FungibleOperation, FungibleResponse, FungibleTokenAbi, InitialState, Parameters,
    },
};
use serde::{Serialize, de::DeserializeOwned};

use crate::{TestChain, TestChains, contract};

impl TestChains {
    /// An operation of an application.
    ///
    /// # Panics
    /// If the operation cannot be encoded.
    pub fn operation<A: ContractAbi>(
        application: ApplicationId<A>,
        operation: &A::Operation,
    ) -> Operation {
        let bytes = A::serialize_operation(operation).expect("the operation can be encoded");
        Self::raw_operation(application.forget_abi(), bytes)
    }

    /// An operation of an application as bytes, which may be wrong.
    pub fn raw_operation<A>(application: ApplicationId<A>, bytes: Vec<u8>) -> Operation {
        Operation::User {
            application_id: application.forget_abi(),
            bytes,
        }
    }

    /// Publishes a compiled contract by its name, see [`contract`].
    pub fn publish(&self, chain: &TestChain, name: &str) -> ModuleId {
        self.publish_code(chain, contract(name))
    }

    /// Publishes any code that is a contract.
    pub fn publish_code(&self, chain: &TestChain, contract: Bytecode) -> ModuleId {
        self.publish_with_service(chain, contract, Bytecode::new(Vec::new()))
    }

    /// Publishes any code that is a contract, with a service, which may be empty.
    pub fn publish_with_service(
        &self,
        chain: &TestChain,
        contract: Bytecode,
        service: Bytecode,
    ) -> ModuleId {
        let operation = SystemOperation::PublishModule {
            contract,
            service,
            vm_runtime: VmRuntime::Wasm,
        };
        self.respond(chain, Operation::System(operation))
    }

    /// Creates an application; parameters and argument are encoded as JSON.
    pub fn create<P: Serialize, I: Serialize>(
        &self,
        chain: &TestChain,
        module_id: ModuleId,
        parameters: &P,
        argument: &I,
        required_application_ids: Vec<ApplicationId>,
    ) -> ApplicationId {
        let json = "parameters and argument can be encoded";
        let operation = SystemOperation::CreateApplication {
            module_id,
            parameters: serde_json::to_vec(parameters).expect(json),
            instantiation_argument: serde_json::to_vec(argument).expect(json),
            required_application_ids,
        };
        self.respond(chain, Operation::System(operation))
    }

    /// Publishes and creates the example `counter`.
    pub fn create_counter(&self, chain: &TestChain, value: u64) -> ApplicationId {
        let module = self.publish(chain, "counter");
        self.create(chain, module, &(), &value, Vec::new())
    }

    /// Publishes and creates the example `fungible`, with these balances on the chain.
    pub fn create_fungible(
        &self,
        chain: &TestChain,
        symbol: &str,
        accounts: impl IntoIterator<Item = (AccountOwner, Amount)>,
    ) -> ApplicationId<FungibleTokenAbi> {
        let module = self.publish(chain, "fungible");
        let state = InitialState {
            accounts: accounts.into_iter().collect(),
        };
        self.create(chain, module, &Parameters::new(symbol), &state, Vec::new())
            .with_abi()
    }

    /// Publishes and creates the example `social`.
    pub fn create_social(&self, chain: &TestChain) -> ApplicationId {
        let module = self.publish(chain, "social");
        self.create(chain, module, &(), &(), Vec::new())
    }

    /// Publishes and creates the example `matching-engine` with prices in whole quote tokens.
    pub fn create_matching_engine(
        &self,
        chain: &TestChain,
        tokens: [ApplicationId<FungibleTokenAbi>; 2],
    ) -> ApplicationId {
        let module = self.publish(chain, "matching-engine");
        let parameters = serde_json::json!({ "tokens": tokens, "price_decimals": 0 });
        let required = tokens.map(ApplicationId::forget_abi).to_vec();
        self.create(chain, module, &parameters, &(), required)
    }

    /// The operation that moves tokens from the account of the chain's owner to any account.
    pub fn transfer(
        chain: &TestChain,
        token: ApplicationId<FungibleTokenAbi>,
        amount: Amount,
        target: &TestChain,
    ) -> Operation {
        let target_account = Account::new(target.id, target.owner);
        let transfer = FungibleOperation::Transfer {
            owner: chain.owner,
            amount,
            target_account,
        };
        Self::operation(token, &transfer)
    }

    /// What an owner has of a token on a chain.
    pub fn token_balance(
        &self,
        chain: &TestChain,
        token: ApplicationId<FungibleTokenAbi>,
        owner: AccountOwner,
    ) -> Amount {
        match self.ask(chain, token, &FungibleOperation::Balance { owner }) {
            FungibleResponse::Balance(balance) => balance,
            other => panic!("the token answered {other:?} when asked for a balance"),
        }
    }

    /// Executes one operation in a block of its own, stores the block, and decodes the response.
    pub fn call<A: ContractAbi>(
        &self,
        chain: &TestChain,
        application: ApplicationId<A>,
        operation: &A::Operation,
    ) -> A::Response {
        let block = self.run(chain, vec![Self::operation(application, operation)]);
        let response = block.outcome.transactions[0].response.clone();
        A::deserialize_response(response).expect("the response can be decoded")
    }

    /// As [`call`](Self::call), but the block is forgotten: for operations that only answer.
    pub fn ask<A: ContractAbi>(
        &self,
        chain: &TestChain,
        application: ApplicationId<A>,
        operation: &A::Operation,
    ) -> A::Response {
        let operation = Transaction::ExecuteOperation(Self::operation(application, operation));
        let staged = self
            .stage(chain, vec![operation], &StagingPolicy::Abort)
            .unwrap_or_else(|error| panic!("the question failed: {error}"));
        let response = staged.execution.executed.outcome.transactions[0]
            .response
            .clone();
        A::deserialize_response(response).expect("the response can be decoded")
    }

    fn respond<T: DeserializeOwned>(&self, chain: &TestChain, operation: Operation) -> T {
        let block = self.run(chain, vec![operation]);
        bcs::from_bytes(&block.outcome.transactions[0].response)
            .expect("the system answers rightly")
    }
}
