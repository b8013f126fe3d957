//! Checkpoint and rollback of one instance, in both forms, against a plain copy of as many bytes into a warm buffer.
//!
//! Memories of 128 KiB, 1 MiB and 16 MiB, of which an entry before each step has written few pages or all. "First" is
//! an instance's first checkpoint or rollback, where pages are touched that nothing has touched before.

use std::{cell::RefCell, sync::Arc, time::Duration};

use resident_benches::{BenchHost, CompiledGuest, Engines, Guest, Subject, compare, thread_time};
use resident_wasm::{
    InstanceSnapshot, PortableSnapshot, prepare::PreparedModule, prepare_contract,
};
use resident_witty::SnapshotSize;

/// What a page is to the system and to what could track it.
const PAGE: usize = 4 << 10;

fn main() {
    let engines = Engines::default();
    for engine in Engines::NAMES {
        for memory in [128 << 10, 1 << 20, 16 << 20] {
            for touched in [4, memory / PAGE] {
                case(&engines, engine, memory, touched);
            }
        }
        grown(&engines, engine);
    }
}

/// A contract whose memory has so many bytes from the start.
fn case(engines: &Engines, engine: &str, memory: usize, touched: usize) {
    let name = format!(
        "engine={engine}/memory={}KiB/touched={touched}",
        memory >> 10
    );
    let module = engines.compile(engine, &prepared(memory));
    repeated(
        &name,
        &module,
        memory,
        &operation(touched, memory / touched),
    );
    first(
        &name,
        &module,
        memory,
        &operation(touched, memory / touched),
    );
}

/// A memory that grew from 128 KiB to 16 MiB and was hardly written.
fn grown(engines: &Engines, engine: &str) {
    let name = format!("engine={engine}/memory=16384KiB/grown/touched=4");
    let module = engines.compile(engine, &prepared(128 << 10));
    let memory = 16 << 20;
    repeated(&name, &module, memory, &operation(4, memory / 4));
}

/// An instance that is checkpointed and rolled back again and again.
fn repeated(name: &str, module: &CompiledGuest, memory: usize, operation: &[u8]) {
    let mut guest = module.instance(BenchHost::default());
    guest.operation(operation.to_vec());
    let mut plain = Plain::new(memory);
    let snapshot = guest.snapshot(InstanceSnapshot::default());
    assert_eq!(snapshot.memory().len(), memory, "{name}: another size");
    let portable = guest.portable_snapshot(None);
    println!(
        "{name}: portable snapshot of {} bytes",
        portable.snapshot_bytes()
    );
    let guest = RefCell::new(guest);
    let after_operation = |step: &mut dyn FnMut(&mut Guest)| {
        let guest = &mut *guest.borrow_mut();
        guest.operation(operation.to_vec());
        timed(|| step(guest))
    };
    let mut reused = Some(snapshot.clone());
    let mut reused_portable = Some(portable.clone());
    compare(vec![
        Subject::timed(format!("plain copy/{name}"), || plain.copy(operation)),
        Subject::timed(format!("snapshot/{name}"), || {
            after_operation(&mut |guest| {
                reused = reused.take().map(|reused| guest.snapshot(reused));
            })
        }),
        Subject::timed(format!("restore/{name}"), || {
            after_operation(&mut |guest| guest.restore(&snapshot))
        }),
        Subject::timed(format!("portable snapshot/{name}"), || {
            after_operation(&mut |guest| {
                reused_portable = Some(guest.portable_snapshot(reused_portable.take()));
            })
        }),
        Subject::timed(format!("portable restore/{name}"), || {
            after_operation(&mut |guest| guest.restore_portable(&portable))
        }),
    ]);
}

/// New instances: an operation, the first checkpoint, another operation, the first rollback.
fn first(name: &str, module: &CompiledGuest, memory: usize, operation: &[u8]) {
    let mut plain = Plain::new(memory);
    let used = || {
        let mut guest = module.instance(BenchHost::default());
        guest.operation(operation.to_vec());
        guest
    };
    let mut reused = Some(used().snapshot(InstanceSnapshot::default()));
    let mut reused_portable = Some(used().portable_snapshot(None));
    let mut before_restore = reused.clone();
    let mut before_portable: Option<PortableSnapshot> = reused_portable.clone();
    compare(vec![
        Subject::timed(format!("plain copy/{name}"), || plain.copy(operation)),
        Subject::timed(format!("first snapshot/{name}"), || {
            let mut guest = used();
            timed(|| reused = reused.take().map(|reused| guest.snapshot(reused)))
        }),
        Subject::timed(format!("first restore/{name}"), || {
            let mut guest = used();
            let snapshot = guest.snapshot(before_restore.take().unwrap_or_default());
            guest.operation(operation.to_vec());
            let elapsed = timed(|| guest.restore(&snapshot));
            before_restore = Some(snapshot);
            elapsed
        }),
        Subject::timed(format!("first portable snapshot/{name}"), || {
            let mut guest = used();
            timed(|| reused_portable = Some(guest.portable_snapshot(reused_portable.take())))
        }),
        Subject::timed(format!("first portable restore/{name}"), || {
            let mut guest = used();
            let snapshot = guest.portable_snapshot(before_portable.take());
            guest.operation(operation.to_vec());
            let elapsed = timed(|| guest.restore_portable(&snapshot));
            before_portable = Some(snapshot);
            elapsed
        }),
    ]);
}

fn timed(step: impl FnOnce()) -> Duration {
    let started = thread_time();
    step();
    thread_time() - started
}

/// What everything is compared with: two buffers that are there already.
struct Plain {
    source: Vec<u8>,
    target: Vec<u8>,
}

impl Plain {
    fn new(bytes: usize) -> Self {
        Plain {
            source: vec![1; bytes],
            target: vec![2; bytes],
        }
    }

    /// Writes the source as the guest writes its memory, then copies it.
    fn copy(&mut self, operation: &[u8]) -> Duration {
        let number = |at: usize| {
            u32::from_le_bytes(operation[at..at + 4].try_into().expect("four bytes")) as usize
        };
        for page in 0..number(0) {
            let word = &mut self.source[page * number(4)];
            *word = word.wrapping_add(1);
        }
        timed(|| self.target.copy_from_slice(&self.source))
    }
}

/// Adds one to a word in each of so many places, which are so many bytes apart.
fn operation(places: usize, apart: usize) -> Vec<u8> {
    let number = |value: usize| {
        u32::try_from(value)
            .expect("memories are small")
            .to_le_bytes()
    };
    [number(places), number(apart)].concat()
}

/// A contract with the operation above, which also grows the memory to where the operation ends. Its memory has so
/// many bytes from the start.
fn prepared(memory: usize) -> Arc<PreparedModule> {
    let text = format!(
        r#"(module
            (memory (export "memory") {pages} 256)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
            (func (export "resident:app/contract-entrypoints#execute-operation")
                (param $operation i32) (param i32) (result i32)
                (local $count i32) (local $apart i32) (local $place i32) (local $missing i32)
                (local.set $count (i32.load (local.get $operation)))
                (local.set $apart (i32.load offset=4 (local.get $operation)))
                (local.set $missing (i32.sub
                    (i32.shr_u (i32.mul (local.get $count) (local.get $apart)) (i32.const 16))
                    (memory.size)))
                (if (i32.gt_s (local.get $missing) (i32.const 0))
                    (then (drop (memory.grow (local.get $missing)))))
                (local.set $place (i32.const 2048))
                (loop $next
                    (i64.store (local.get $place)
                        (i64.add (i64.load (local.get $place)) (i64.const 1)))
                    (local.set $place (i32.add (local.get $place) (local.get $apart)))
                    (br_if $next
                        (local.tee $count (i32.sub (local.get $count) (i32.const 1)))))
                (i32.store (i32.const 32) (i32.const 64))
                (i32.store (i32.const 36) (i32.const 0))
                (i32.const 32))
            (func (export "resident:app/contract-entrypoints#instantiate") (param i32 i32))
            (func (export "resident:app/contract-entrypoints#execute-message") (param i32 i32))
            (func (export "resident:app/contract-entrypoints#process-streams") (param i32 i32))
            (func (export "resident:app/contract-entrypoints#summarize-events") (param i32 i32))
            (func (export "resident:app/contract-entrypoints#finalize")))"#,
        pages = memory >> 16
    );
    let code = wat::parse_str(text).expect("the text is Wasm");
    Arc::new(prepare_contract::<BenchHost>(&code).expect("the contract is accepted"))
}
