//! A service of the block's own module is compiled once, however often it is asked.

use resident_base::{
    ApplicationDescription, ApplicationId, Blob, BlobContent, ModuleId, VmRuntime,
};
use resident_chain::StagingPolicy;
use resident_execution::{Operation, SystemOperation};
use resident_testing::{PAIRS, TestChains};

use crate::{
    bundles,
    evil::{self, Do},
};

const QUERIES: u32 = 10;

/// Each query of a contract once compiled such a service anew: up to a second for the fuel of a query, with nothing
/// to pay beyond that.
#[test]
fn asking_a_service_of_this_block_again_compiles_nothing() {
    let chains = TestChains::new(PAIRS[0]);
    let chain = chains.open_root(1);
    let module = chains.publish_code(&chain, evil::code());
    let asking = chains.create(&chain, module, &(), &(), Vec::new());
    let (contract, service) = (evil::deaf_code(), evil::loud_service());
    let [contract_id, service_id] = [
        BlobContent::new_contract_bytecode(contract.clone()),
        BlobContent::new_service_bytecode(service.clone()),
    ]
    .map(|content| Blob::new(content).id());
    let module_id = ModuleId::new(contract_id.hash, service_id.hash, VmRuntime::Wasm);
    let asked = ApplicationId::from(&ApplicationDescription {
        module_id,
        creator_chain_id: chain.id,
        block_height: chains.tip(chain.id).next_height,
        application_index: 0,
        parameters: Vec::new(),
        required_application_ids: Vec::new(),
    });
    let publish = Operation::System(SystemOperation::PublishModule {
        contract,
        service,
        vm_runtime: VmRuntime::Wasm,
    });
    let create = Operation::System(SystemOperation::CreateApplication {
        module_id,
        parameters: Vec::new(),
        instantiation_argument: Vec::new(),
        required_application_ids: Vec::new(),
    });
    let ask = TestChains::raw_operation(asking, Do::new().ask(asked, QUERIES).0);
    let block = [publish, create, ask.clone(), ask].map(bundles::operation);
    let compiled = || chains.executor(PAIRS[0].0).module_counts().compiled;
    let before = compiled();
    let staged = chains
        .stage(&chain, block.to_vec(), &StagingPolicy::Abort)
        .unwrap_or_else(|error| panic!("the block failed: {error}"));
    assert_eq!(compiled() - before, 2, "the contract and the service");
    chains.check_everywhere(&staged.execution);
}
