//! A contract that creates and asks, on the mock runtime.

use resident_sdk::{
    Contract, ContractRuntime,
    abi::{ContractAbi, WithContractAbi},
    base_types::{
        AccountOwner, Amount, ApplicationId, ApplicationPermissions, Blob, Bytecode, ChainId,
        ChainOwnership, CryptoHash, DataBlobHash, ModuleId, VmRuntime,
    },
    http,
};

struct MakerAbi;

impl ContractAbi for MakerAbi {
    type Operation = ();
    type Response = ();
}

struct Maker;

impl WithContractAbi for Maker {
    type Abi = MakerAbi;
}

impl Contract for Maker {
    type Message = ();
    type EventValue = ();
    type Parameters = ();
    type InstantiationArgument = ();

    async fn load(_: ContractRuntime<Self>) -> Self {
        Maker
    }

    async fn instantiate(&mut self, (): ()) {}

    async fn execute_operation(&mut self, (): ()) {}

    async fn execute_message(&mut self, (): ()) {}

    async fn store(self) {}
}

fn runtime() -> ContractRuntime<Maker> {
    ContractRuntime::new()
}

fn hash(text: &str) -> CryptoHash {
    CryptoHash::test_hash(text)
}

#[test]
fn a_blob_has_the_hash_that_a_chain_gives_it() {
    let mut runtime = runtime();
    let created = runtime.create_data_blob(b"data".to_vec());
    assert_eq!(created.0, Blob::new_data(*b"data").id().hash);
    assert_eq!(runtime.read_data_blob(created), b"data");
    let other = DataBlobHash(hash("other"));
    let mut runtime = runtime.with_blob(other, b"what the test says".to_vec());
    runtime.assert_data_blob_exists(other);
    assert_eq!(runtime.read_data_blob(other), b"what the test says");
}

#[test]
#[should_panic(expected = "call `set_blob` on the runtime")]
fn an_unknown_blob_is_named() {
    runtime().assert_data_blob_exists(DataBlobHash(hash("unknown")));
}

#[test]
fn expected_calls_are_answered() {
    let mut runtime = runtime();
    let code = |byte| Bytecode::new(vec![byte]);
    let module = ModuleId::new(hash("contract"), hash("service"), VmRuntime::Wasm);
    runtime.add_expected_publish_module_call(code(1), code(2), VmRuntime::Wasm, module);
    let formats = Some(b"formats".to_vec());
    let published = runtime.publish_module(code(1), code(2), VmRuntime::Wasm, formats);
    assert_eq!(published, module);
    let formats = DataBlobHash(Blob::new_data(*b"formats").id().hash);
    assert_eq!(runtime.read_data_blob(formats), b"formats");

    let [needed, created] = ["needed", "created"].map(|name| ApplicationId::new(hash(name)));
    runtime.add_expected_create_application_call(module, &1, &"x", vec![needed], created);
    let id: ApplicationId<MakerAbi> = runtime.create_application(module, &1, &"x", vec![needed]);
    assert_eq!(id.forget_abi(), created);

    let ownership = ChainOwnership::single(AccountOwner::Reserved(3));
    let permissions = ApplicationPermissions::new_single(created);
    let chain = ChainId(hash("chain"));
    let (payer, balance) = (AccountOwner::CHAIN, Amount::ONE);
    let [first, second] = [
        (ownership.clone(), permissions.clone()),
        (ownership, permissions),
    ];
    runtime.add_expected_open_chain_call(first.0, first.1, payer, balance, chain);
    assert_eq!(
        runtime.open_chain(second.0, second.1, payer, balance),
        chain
    );

    let request = http::Request::post("https://example.org", b"?").with_header("a", "b");
    let response = http::Response::ok(b"!");
    runtime.add_expected_http_request(request.clone(), response.clone());
    assert_eq!(runtime.http_request(request), response);
}

#[test]
#[should_panic(expected = "the test expected something else")]
fn another_call_than_the_expected_one_panics() {
    let mut runtime = runtime();
    let response = http::Response::new(404);
    runtime.add_expected_http_request(http::Request::get("http://a"), response);
    runtime.http_request(http::Request::get("http://b"));
}

#[test]
#[should_panic(expected = "call `add_expected_open_chain_call` on the runtime")]
fn a_call_that_nobody_expected_is_named() {
    let (ownership, permissions) = Default::default();
    runtime().open_chain(ownership, permissions, AccountOwner::CHAIN, Amount::ZERO);
}
