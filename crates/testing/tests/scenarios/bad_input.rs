//! Bad input to applications and to the system gets a typed error that says what to do, and the chain
//! goes on.

use resident_base::{
    Amount, ApplicationId, Blob, BlobContent, Bytecode, CryptoHash, ModuleId, VmRuntime,
};
use resident_chain::{BlockError, StagingPolicy};
use resident_execution::{FailureReason, MissingData, Operation, SystemOperation};
use resident_testing::{TestChains, contract};

use crate::{
    bundles::{self, assert_leaves_no_trace, bundle, stranger},
    scene::Scene,
};

/// The failure of the first transaction, which is an operation.
fn reason(error: BlockError) -> FailureReason {
    match error {
        BlockError::TransactionFailed { index: 0, failure } => failure.reason,
        other => panic!("another error than expected: {other}"),
    }
}

#[test]
fn truncated_operations_and_messages() {
    let scene = Scene::new();
    for bytes in [vec![], vec![0], vec![0, 1, 2, 3], vec![9; 9], vec![0; 10]] {
        let operation = TestChains::raw_operation(scene.counter, bytes);
        let reason = reason(scene.refuse_operation(operation)).to_string();
        assert!(reason.contains("cannot decode the operation"), "{reason}");
    }
    let credit = fungible::Message::Credit {
        target: scene.chain.owner,
        amount: Amount::ONE,
        source: scene.chain.owner,
    };
    let whole = bcs::to_bytes(&credit).unwrap();
    let truncated = (0..whole.len())
        .step_by(7)
        .map(|length| whole[..length].to_vec());
    let mut transactions: Vec<_> = (1..)
        .zip(truncated)
        .map(|(height, bytes)| bundle(stranger(1), height, None, vec![(scene.token, bytes)]))
        .collect();
    let failing: Vec<usize> = (0..transactions.len()).collect();
    transactions.push(bundle(stranger(1), 100, None, vec![(scene.token, whole)]));
    let policy = TestChains::auto_retry(0);
    let with = assert_leaves_no_trace(
        &scene.chains,
        &scene.chain,
        &transactions,
        &failing,
        &policy,
    );
    for (_, failure) in &with.staged.rejected {
        assert!(
            failure.to_string().contains("cannot decode the message"),
            "{failure}"
        );
    }
    let error = scene.refuse(&transactions, &StagingPolicy::Abort);
    assert!(
        matches!(error, BlockError::TransactionFailed { index: 0, .. }),
        "{error}"
    );
}

#[test]
fn unknown_applications_and_modules_are_missing_data() {
    let scene = Scene::new();
    let unknown = ApplicationId::new(CryptoHash::of_bytes(b"nobody"));
    let operation = TestChains::raw_operation::<()>(unknown.with_abi(), vec![1]);
    let message = bundle(stranger(1), 1, None, vec![(unknown, vec![1])]);
    let hash = CryptoHash::of_bytes(b"no module");
    let module = create(ModuleId::new(hash, hash, VmRuntime::Wasm), b"null", b"0");
    for transaction in [
        bundles::operation(operation),
        message,
        bundles::operation(module),
    ] {
        let error = scene.refuse(&[transaction], &StagingPolicy::Abort);
        assert!(
            matches!(error, BlockError::MissingData(MissingData::Blob(_))),
            "{error}"
        );
        assert!(
            error.to_string().contains("fetch it and try again"),
            "{error}"
        );
    }
}

/// This node has compiled the module for a block that came to nothing. Other nodes have not, and none of
/// them has its code.
#[test]
fn a_module_of_a_block_that_was_given_up_is_missing() {
    let scene = Scene::new();
    let mut code = contract("counter").bytes;
    // A custom section of one byte, so that nobody else has this module.
    code.extend([0, 2, 1, b'x']);
    let (contract, service) = (Bytecode::new(code), Bytecode::new(Vec::new()));
    let hash = |content| Blob::new(content).id().hash;
    let module = ModuleId::new(
        hash(BlobContent::new_contract_bytecode(contract.clone())),
        hash(BlobContent::new_service_bytecode(service.clone())),
        VmRuntime::Wasm,
    );
    let publish = Operation::System(SystemOperation::PublishModule {
        contract,
        service,
        vm_runtime: VmRuntime::Wasm,
    });
    let good = bundles::operation(create(module, b"null", b"0"));
    let bad = bundles::operation(create(module, b"null", b"{"));
    let error = scene.refuse(
        &[bundles::operation(publish), good.clone(), bad],
        &StagingPolicy::Abort,
    );
    assert!(
        matches!(error, BlockError::TransactionFailed { index: 2, .. }),
        "{error}"
    );
    let error = scene.refuse(&[good], &StagingPolicy::Abort);
    assert!(
        matches!(error, BlockError::MissingData(MissingData::Blob(_))),
        "{error}"
    );
}

#[test]
fn what_is_no_contract_is_not_published() {
    let scene = Scene::new();
    let code = |text: &str| wat::parse_str(text).unwrap();
    let cut = {
        let bytes = contract("counter").bytes;
        bytes[..bytes.len() / 2].to_vec()
    };
    let import = r#"(module (import "wasi" "clock" (func)) (memory (export "memory") 1))"#;
    let cases = [
        (b"not Wasm".to_vec(), "build it again"),
        (Vec::new(), "build it again"),
        (cut, "build it again"),
        (code(import), "import only functions of the application ABI"),
        (
            code(r#"(module (memory (export "memory") 1))"#),
            "use the SDK's entry-point macros",
        ),
    ];
    for (bytes, what_to_do) in cases {
        let operation = SystemOperation::PublishModule {
            contract: Bytecode::new(bytes),
            service: Bytecode::new(Vec::new()),
            vm_runtime: VmRuntime::Wasm,
        };
        let reason = reason(scene.refuse_operation(Operation::System(operation)));
        assert!(matches!(reason, FailureReason::Module(_)), "{reason}");
        assert!(reason.to_string().contains(what_to_do), "{reason}");
    }
}

#[test]
fn instantiation_arguments_and_parameters_that_cannot_be_read() {
    let scene = Scene::new();
    let module = scene.chains.publish(&scene.chain, "counter");
    for argument in [&b"{"[..], b"", b"\"seven\"", b"-1", &[0xff, 0xfe]] {
        let reason = reason(scene.refuse_operation(create(module, b"null", argument)));
        assert!(
            reason.to_string().contains("instantiation argument"),
            "{reason}"
        );
    }
    let module = scene.chains.publish(&scene.chain, "fungible");
    let reason = reason(scene.refuse_operation(create(module, b"7", b"{\"accounts\":{}}")));
    assert!(
        reason.to_string().contains("application parameters"),
        "{reason}"
    );
}

fn create(module_id: ModuleId, parameters: &[u8], argument: &[u8]) -> Operation {
    Operation::System(SystemOperation::CreateApplication {
        module_id,
        parameters: parameters.to_vec(),
        instantiation_argument: argument.to_vec(),
        required_application_ids: Vec::new(),
    })
}
