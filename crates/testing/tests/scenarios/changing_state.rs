//! A block is stored while a query looks around in the state.

use std::sync::{Arc, Mutex};

use futures::executor::block_on;
use resident_base::{ApplicationId, Bytecode};
use resident_chain::StagingPolicy;
use resident_execution::QueryError;
use resident_storage::{Batch, KeyValueStore, MemoryStore, Page, StoreFuture};
use resident_testing::{PAIRS, TestChain, TestChains};

use crate::probe;

/// Stores a batch right after a scan of keys, as a thread that commits a block does.
#[derive(Default)]
struct Meanwhile {
    inner: MemoryStore,
    batch: Mutex<Option<Batch>>,
}

impl KeyValueStore for Meanwhile {
    fn read<'a>(&'a self, key: &'a [u8]) -> StoreFuture<'a, Option<Vec<u8>>> {
        self.inner.read(key)
    }

    fn read_many(&self, keys: Vec<Vec<u8>>) -> StoreFuture<'_, Vec<Option<Vec<u8>>>> {
        self.inner.read_many(keys)
    }

    fn scan<'a>(
        &'a self,
        prefix: &'a [u8],
        start_after: Option<&'a [u8]>,
        limit: usize,
    ) -> StoreFuture<'a, Page<(Vec<u8>, Vec<u8>)>> {
        self.inner.scan(prefix, start_after, limit)
    }

    fn scan_keys<'a>(
        &'a self,
        prefix: &'a [u8],
        start_after: Option<&'a [u8]>,
        limit: usize,
    ) -> StoreFuture<'a, Page<Vec<u8>>> {
        let page = self.inner.scan_keys(prefix, start_after, limit);
        if let Some(batch) = self.batch.lock().unwrap().take() {
            let page = block_on(page);
            block_on(self.inner.write(batch)).unwrap();
            return Box::pin(async { page });
        }
        page
    }

    fn write(&self, batch: Batch) -> StoreFuture<'_, ()> {
        self.inner.write(batch)
    }
}

/// Finds the keys under "k", and then the keys with their values, and answers with the number of these.
const SERVICE: &str = r#"(module
    (import "resident:app/storage" "find-keys" (func $find_keys (param i32 i32 i32)))
    (import "resident:app/storage" "find-key-values" (func $find_key_values (param i32 i32 i32)))
    (memory (export "memory") 2 40)
    (data (i32.const 16) "k")
    (global $heap (mut i32) (i32.const 4096))
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
        (global.get $heap)
        (global.set $heap (i32.and
            (i32.add (i32.add (global.get $heap) (local.get 3)) (i32.const 15))
            (i32.const -16))))
    (func (export "resident:app/service-entrypoints#handle-query") (param i32 i32) (result i32)
        (call $find_keys (i32.const 16) (i32.const 1) (i32.const 64))
        (call $find_key_values (i32.const 16) (i32.const 1) (i32.const 72))
        (i32.store (i32.const 32) (i32.const 76))
        (i32.store (i32.const 36) (i32.const 4))
        (i32.const 32)))"#;

/// A contract whose operations write the value of the key "k", or remove it if there is nothing to write.
const CONTRACT: &str = r#"(module
    (import "resident:app/storage" "write-batch" (func $write_batch (param i32 i32)))
    (memory (export "memory") 2 40)
    (data (i32.const 16) "k")
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
    (func (export "resident:app/contract-entrypoints#execute-operation")
        (param $address i32) (param $length i32) (result i32)
        (i32.store8 (i32.const 304) (i32.mul (i32.const 2) (i32.ne (local.get $length) (i32.const 0))))
        (i32.store (i32.const 308) (i32.const 16))
        (i32.store (i32.const 312) (i32.const 1))
        (i32.store (i32.const 316) (local.get $address))
        (i32.store (i32.const 320) (local.get $length))
        (call $write_batch (i32.const 304) (i32.const 1))
        (i64.store (i32.const 32) (i64.const 0))
        (i32.const 32))
    (func (export "resident:app/contract-entrypoints#execute-message") (param i32 i32))
    (func (export "resident:app/contract-entrypoints#finalize"))
    (func (export "resident:app/contract-entrypoints#instantiate") (param i32 i32))
    (func (export "resident:app/contract-entrypoints#process-streams") (param i32 i32))
    (func (export "resident:app/contract-entrypoints#summarize-events") (param i32 i32))
)"#;

fn code(text: &str) -> Bytecode {
    Bytecode::new(wat::parse_str(text).expect("the text is a module"))
}

fn create(chains: &TestChains, chain: &TestChain) -> ApplicationId {
    let module = chains.publish_with_service(chain, code(CONTRACT), code(SERVICE));
    let id = chains.create(chain, module, &(), &(), Vec::new());
    chains.run(
        chain,
        vec![TestChains::raw_operation(id, b"value".to_vec())],
    );
    id
}

#[test]
fn a_query_that_sees_two_states_says_so() {
    for pair in [PAIRS[0], PAIRS[2]] {
        let store = Arc::new(Meanwhile::default());
        let chains = TestChains::with_store(pair, store.clone());
        let chain = chains.open_root(1);
        let id = create(&chains, &chain);
        let services = chains.services(pair.0);
        let ask = || services.try_query(&chain, id, Vec::new());
        assert_eq!(ask().unwrap().response, 1u32.to_le_bytes());
        // The next block removes the key between the two looks.
        let remove = vec![TestChains::raw_operation(id, Vec::new())];
        let remove = remove.into_iter().map(crate::bundles::operation).collect();
        let staged = chains.stage(&chain, remove, &StagingPolicy::Abort).unwrap();
        *store.batch.lock().unwrap() = Some(staged.execution.batch);
        let answer = ask();
        assert!(
            matches!(answer, Err(QueryError::StateChanged)),
            "{answer:?}"
        );
        assert_eq!(ask().unwrap().response, 0u32.to_le_bytes());
    }
}

/// What is read after the change may fit well together; it is not about the state that was asked about.
#[test]
fn a_block_between_two_reads_is_noticed_whatever_was_read() {
    let store = Arc::new(Meanwhile::default());
    let chains = TestChains::with_store(PAIRS[0], store.clone());
    let chain = chains.open_root(1);
    let id = create(&chains, &chain);
    let [other] = probe::create(&chains, &chain);
    let staged = chains
        .stage(&chain, vec![probe::set(other, b"1")], &StagingPolicy::Abort)
        .unwrap();
    *store.batch.lock().unwrap() = Some(staged.execution.batch);
    let services = chains.services(PAIRS[0].0);
    let answer = services.try_query(&chain, id, Vec::new());
    assert!(
        matches!(answer, Err(QueryError::StateChanged)),
        "{answer:?}"
    );
}
