//! What a block publishes and uses.

use resident_base::{
    ApplicationDescription, ApplicationId, Blob, BlobContent, BlockHeight, ModuleId, VmRuntime,
};
use resident_execution::{Operation, SystemOperation};

use crate::{
    evil::{self, Do},
    net::{Net, run},
};

/// It used to be compiled for each query, which is the dearest thing that one can ask for.
#[test]
fn a_service_of_the_block_is_compiled_once() {
    let net = Net::new();
    let chain = net.chain(1);
    let asking = net.evil(chain, 1, 1)[0];
    let (contract, service) = (evil::code(), evil::loud_service());
    let hash = |content| Blob::new(content).id().hash;
    let module_id = ModuleId::new(
        hash(BlobContent::new_contract_bytecode(contract.clone())),
        hash(BlobContent::new_service_bytecode(service.clone())),
        VmRuntime::Wasm,
    );
    let description = ApplicationDescription {
        module_id,
        creator_chain_id: chain,
        block_height: BlockHeight(net.height(chain)),
        application_index: 0,
        parameters: b"null".to_vec(),
        required_application_ids: vec![],
    };
    let publish = SystemOperation::PublishModule {
        contract,
        service,
        vm_runtime: VmRuntime::Wasm,
    };
    let create = SystemOperation::CreateApplication {
        module_id,
        parameters: b"null".to_vec(),
        instantiation_argument: b"null".to_vec(),
        required_application_ids: vec![],
    };
    let ask = Do::new().ask(ApplicationId::from(&description), 10);
    let operations = vec![
        Operation::System(publish),
        Operation::System(create),
        run(asking, &ask),
    ];
    let before = net.node.executor().module_counts().compiled;
    net.propose(chain, 1, operations);
    // The contract, to create the application, and the service.
    assert_eq!(net.node.executor().module_counts().compiled - before, 2);
}
