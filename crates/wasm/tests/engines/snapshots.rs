//! The portable form: one encoding per state, on every engine; what does not fit changes nothing.

use std::sync::Arc;

use resident_wasm::{
    InstanceSnapshot, PortableSnapshot, RestoreError, SnapshotError, prepare::PreparedModule,
};

use crate::{
    Instance,
    host::{contract, respond},
    instances, number, prepare,
};

const HASH_BYTES: usize = 32;
/// Where the fields of the encoding are.
const VERSION: usize = 4;
const MODULE: usize = 8;
const STARTED: usize = 40;
const PAGES: usize = 41;
const GLOBALS: usize = 45;
const RUNS: usize = 49;
const FIRST_GLOBAL: usize = 53;
/// Behind the two globals of the tests' contracts.
const FIRST_RUN: usize = FIRST_GLOBAL + 16;

/// Stores the first byte of the operation at the address in the next four; grows by one page if it
/// is 255. Has data in two segments, one of which ends in the middle of a word.
fn storing() -> Arc<PreparedModule> {
    prepare(&contract(
        &format!(
            "(i32.store8 (i32.load offset=1 (local.get $address)) (i32.load8_u (local.get $address)))
             (if (i32.eq (i32.load8_u (local.get $address)) (i32.const 255))
                (then (drop (memory.grow (i32.const 1)))))
             {}",
            respond("(i32.load (i32.const 70001))")
        ),
        r#"(data (i32.const 70001) "abc") (data (i32.const 131071) "z")"#,
    ))
}

fn store(instance: &mut Instance, value: u8, address: u32) -> i32 {
    let operation = [&[value], address.to_le_bytes().as_slice()].concat();
    number(instance.call(&operation))
}

#[test]
fn equal_states_have_equal_bytes_on_both_engines() {
    let prepared = storing();
    let [mut wasmtime, mut wasmer] = instances(&prepared);
    let steps = [
        (1, 70_003),
        (255, 100_000),
        (9, 196_600),
        (0, 70_001),
        (b'c', 70_003),
    ];
    for (value, address) in steps {
        for instance in [&mut wasmtime, &mut wasmer] {
            store(instance, value, address);
        }
        let snapshot = wasmtime.portable_snapshot();
        assert_eq!(snapshot.to_bytes(), wasmer.portable_snapshot().to_bytes());
        assert_eq!(snapshot.hash(), wasmer.portable_snapshot().hash());
        let whole = wasmtime.snapshot();
        assert_eq!(whole.to_portable(&prepared).as_ref(), Ok(&snapshot));
        assert_eq!(
            InstanceSnapshot::from_portable(&snapshot, &prepared),
            Ok(whole)
        );
    }
}

#[test]
fn a_state_continues_on_fresh_and_on_used_instances_of_either_engine() {
    let prepared = storing();
    let mut running = instances(&prepared);
    for instance in &mut running {
        store(instance, 77, 70_002);
        store(instance, 255, 5_000);
    }
    let [mut first, _] = running;
    let snapshot = PortableSnapshot::decode(&first.portable_snapshot().to_bytes())
        .expect("what was encoded can be decoded");
    for (mut fresh, mut used) in instances(&prepared).into_iter().zip(instances(&prepared)) {
        // Leaves traces in the data, in what is zero at first, and in the globals.
        store(&mut used, 1, 70_001);
        store(&mut used, 2, 99_999);
        for instance in [&mut fresh, &mut used] {
            instance
                .restore_portable(&snapshot)
                .expect("the snapshot fits");
            assert_eq!(instance.snapshot(), first.snapshot());
            assert_eq!(instance.portable_snapshot(), snapshot);
        }
        assert_eq!(store(&mut fresh, 5, 70_000), store(&mut used, 5, 70_000));
        assert_eq!(fresh.snapshot(), used.snapshot());
    }
}

#[test]
fn only_what_changed_takes_room() {
    for mut instance in instances(&storing()) {
        let untouched = instance.portable_snapshot().to_bytes();
        assert_eq!(untouched.len(), FIRST_RUN + HASH_BYTES);
        store(&mut instance, 1, 100_000);
        let touched = instance.portable_snapshot().to_bytes();
        assert!(
            touched.len() < untouched.len() + 128,
            "{} bytes",
            touched.len()
        );
    }
}

/// A change of the format would make old snapshots unreadable, so it has to be meant.
#[test]
fn the_encoding_is_pinned() {
    for mut instance in instances(&storing()) {
        store(&mut instance, 7, 70_000);
        let mut bytes = instance.portable_snapshot().to_bytes();
        // The module's hash changes with every version of the preparation.
        bytes[MODULE..STARTED].fill(0);
        reseal(&mut bytes);
        let hash = &bytes[bytes.len() - HASH_BYTES..];
        assert_eq!(
            hex::encode(hash),
            "f3a30591224d55c7447b1b12ebe5d2ac922ebf0b7bfb00a129686ff3b4108a31"
        );
    }
}

#[test]
fn every_flipped_bit_and_every_cut_is_noticed() {
    let mut instance = changed(&storing());
    let bytes = instance.portable_snapshot().to_bytes();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << bit;
            PortableSnapshot::decode(&flipped).expect_err("a bit was flipped");
        }
        PortableSnapshot::decode(&bytes[..at]).expect_err("the end is missing");
    }
    let longer = [&bytes, [0].as_slice()].concat();
    let error = PortableSnapshot::decode(&longer).expect_err("there is a byte too many");
    assert!(matches!(error, SnapshotError::Length { .. }), "{error}");
}

/// Whoever makes snapshots by hand can give them the right hash.
#[test]
fn a_sealed_snapshot_without_sense_is_a_typed_error() {
    let mut instance = changed(&storing());
    let bytes = instance.portable_snapshot().to_bytes();
    let broken = |at: usize, value: &[u8]| {
        let mut bytes = bytes.clone();
        bytes[at..at + value.len()].copy_from_slice(value);
        reseal(&mut bytes);
        PortableSnapshot::decode(&bytes).expect_err("it makes no sense")
    };
    let number = |value: u32| value.to_le_bytes();
    assert_eq!(broken(0, b"x"), SnapshotError::NotASnapshot);
    assert_eq!(
        broken(VERSION, &number(2)),
        SnapshotError::Version { found: 2 }
    );
    let corrupt = |at, value: &[u8]| {
        let error = broken(at, value);
        assert!(matches!(error, SnapshotError::Corrupt(_)), "{at}: {error}");
    };
    corrupt(STARTED, &[2]);
    corrupt(PAGES, &number(0));
    corrupt(FIRST_RUN, &number(u32::MAX));
    let too_long = |at, value| {
        let error = broken(at, &number(value));
        assert!(
            matches!(error, SnapshotError::Length { .. }),
            "{at}: {error}"
        );
    };
    too_long(GLOBALS, u32::MAX);
    too_long(RUNS, u32::MAX);
    too_long(FIRST_RUN + 4, u32::MAX);
}

#[test]
fn empty_overlapping_and_touching_runs_are_refused() {
    let mut instance = changed(&storing());
    let bytes = instance.portable_snapshot().to_bytes();
    let (head, _) = bytes.split_at(FIRST_RUN);
    let with_runs = |runs: &[(u32, u32)]| {
        let mut bytes = head.to_vec();
        bytes[RUNS..RUNS + 4].copy_from_slice(&(runs.len() as u32).to_le_bytes());
        for (first, words) in runs {
            bytes.extend([first.to_le_bytes(), words.to_le_bytes()].concat());
            bytes.extend(vec![0xee; *words as usize * 8]);
        }
        bytes.extend([0; HASH_BYTES]);
        reseal(&mut bytes);
        PortableSnapshot::decode(&bytes)
    };
    with_runs(&[(3, 1), (5, 2)]).expect("these are in order");
    for runs in [
        &[(3, 0)][..],
        &[(3, 1), (4, 1)],
        &[(3, 2), (4, 1)],
        &[(9, 1), (3, 1)],
    ] {
        let error = with_runs(runs).expect_err("the runs are not canonical");
        assert!(
            matches!(error, SnapshotError::Corrupt(_)),
            "{runs:?}: {error}"
        );
    }
}

#[test]
fn what_does_not_fit_the_module_changes_nothing() {
    let prepared = storing();
    for mut instance in instances(&prepared) {
        store(&mut instance, 3, 80_000);
        let before = instance.snapshot();
        let bytes = instance.portable_snapshot().to_bytes();
        let mut refused = |at: usize, value: &[u8]| {
            let mut bytes = bytes.clone();
            bytes[at..at + value.len()].copy_from_slice(value);
            reseal(&mut bytes);
            let snapshot = PortableSnapshot::decode(&bytes).expect("the structure is sound");
            let error = instance
                .restore_portable(&snapshot)
                .expect_err("it does not fit");
            assert_eq!(instance.snapshot(), before, "{error}");
            assert!(InstanceSnapshot::from_portable(&snapshot, &prepared).is_err());
            error
        };
        let module = refused(MODULE, &[0; 32]);
        assert!(
            matches!(module, RestoreError::OtherModule { .. }),
            "{module}"
        );
        let pages = |pages: u32| pages.to_le_bytes();
        let large = refused(PAGES, &pages(11));
        assert_eq!(large, RestoreError::MemoryTooLarge { snapshot: 11 << 16 });
        let large = refused(PAGES, &pages(u32::MAX));
        assert!(
            matches!(large, RestoreError::MemoryTooLarge { .. }),
            "{large}"
        );
        // The upper half of a global of 32 bits.
        let global = refused(FIRST_GLOBAL + 4, &[1]);
        assert_eq!(global, RestoreError::OtherGlobals);
        // A run of words that are what they were at instantiation.
        let same = refused(FIRST_RUN + 8, &[0; 8]);
        assert_eq!(same, RestoreError::NotCanonical);
    }
}

#[test]
fn a_portable_snapshot_of_a_smaller_memory_wants_a_new_instance() {
    let prepared = storing();
    for (mut instance, mut fresh) in instances(&prepared).into_iter().zip(instances(&prepared)) {
        store(&mut instance, 1, 80_000);
        let before = instance.portable_snapshot();
        store(&mut instance, 255, 80_000);
        let error = instance
            .restore_portable(&before)
            .expect_err("memory cannot shrink");
        assert!(matches!(error, RestoreError::MemoryGrew { .. }), "{error}");
        fresh.restore_portable(&before).expect("the snapshot fits");
        assert_eq!(fresh.portable_snapshot(), before);
    }
}

/// A snapshot from before the start function has run was restored without making it run again.
#[test]
fn a_state_from_before_the_start_function_starts_again() {
    let prepared = prepare(&contract(
        &respond("(i32.load (i32.const 128))"),
        "(func $begin
            (i32.store (i32.const 128) (i32.add (i32.load (i32.const 128)) (i32.const 5))))
         (start $begin)",
    ));
    for mut instance in instances(&prepared) {
        let (before, portable) = (instance.snapshot(), instance.portable_snapshot());
        assert_eq!(number(instance.call(b"")), 5);
        instance.restore(&before).expect("the snapshot fits");
        assert_eq!(number(instance.call(b"")), 5);
        instance
            .restore_portable(&portable)
            .expect("the snapshot fits");
        assert_eq!(number(instance.call(b"")), 5);
    }
}

/// An instance with a change in its data and one elsewhere.
fn changed(prepared: &Arc<PreparedModule>) -> Instance {
    let [mut instance, _] = instances(prepared);
    store(&mut instance, 7, 70_002);
    store(&mut instance, 8, 120_000);
    instance
}

/// Gives changed bytes the hash that they should have.
fn reseal(bytes: &mut [u8]) {
    let end = bytes.len() - HASH_BYTES;
    let hash = blake3::hash(&bytes[..end]);
    bytes[end..].copy_from_slice(hash.as_bytes());
}
