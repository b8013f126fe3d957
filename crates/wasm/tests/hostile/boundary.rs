//! Lies told at the boundary: allocators that return memory which is not there or not theirs, responses
//! and lists that lie elsewhere, strings that are none. The attacker wants the host to write or read
//! outside the guest's memory, to allocate what he only claims, or to panic.

use resident_wasm::GuestFailure;
use resident_witty::{LiftError, MemoryError};

use crate::{
    arena::{self, FUEL},
    host::{contract, contract_with_allocator, respond},
};

fn allocator(body: &str) -> arena::Ran {
    let read = "(call $read_value (i32.const 0) (i32.const 4) (i32.const 16)) (i32.const 20)";
    arena::run("allocator", &contract_with_allocator(body, read, ""), FUEL)
}

#[test]
fn allocators_that_lie() {
    for address in ["-1", "-16", "0x7fffffff", "131072", "131071"] {
        let failure = allocator(&format!("(i32.const {address})")).failure();
        let is_memory = matches!(
            failure,
            GuestFailure::Allocator(MemoryError::OutOfRange { .. })
        );
        assert!(is_memory, "{address}: {failure}");
    }
}

/// Always the same place: over what the host wrote before, over its own return pointer, or at an odd
/// address, which bytes do not mind. What comes of it is the guest's own affair.
#[test]
fn allocators_that_give_the_same_place_again() {
    assert_eq!(
        allocator("(i32.const 4097)")
            .response
            .map(|bytes| bytes.len()),
        Ok(13)
    );
    // The value's bytes are written first, and then the answer over them.
    let length = allocator("(i32.const 16)")
        .response
        .map(|bytes| bytes.len());
    assert_eq!(length, Ok(13));
}

/// Grows memory at every allocation, until there is no more and the address is behind the end.
#[test]
fn an_allocator_that_grows_memory_each_time() {
    let grow = "(i32.shl (memory.grow (i32.const 1)) (i32.const 16))";
    assert!(allocator(grow).response.is_ok());
    let code = contract_with_allocator(
        grow,
        "(loop (call $read_value (i32.const 0) (i32.const 4) (i32.const 16)) (br 0)) (i32.const 0)",
        "",
    );
    let ran = arena::run("an allocator that grows", &code, FUEL);
    // A failed growth is -1 here: the address 0xffff0000.
    let is_memory = matches!(
        ran.failure(),
        GuestFailure::Allocator(MemoryError::OutOfRange { .. })
    );
    assert!(is_memory, "{}", ran.failure());
    assert_eq!(ran.snapshot.memory().len(), 10 << 16);
}

#[test]
fn allocators_that_do_not_return() {
    assert_eq!(
        allocator("(loop (br 0)) (i32.const 0)").failure(),
        GuestFailure::OutOfFuel
    );
    assert_eq!(
        allocator("(unreachable)").failure(),
        arena::trap(resident_wasm::TrapKind::Unreachable)
    );
}

/// The response is an address of an address and a length, and each of the three can lie.
#[test]
fn responses_that_lie_elsewhere() {
    let response = |at: i64, address: i64, length: i64| {
        let code = format!(
            "(i32.store (i32.const 32) (i32.const {address}))
             (i32.store (i32.const 36) (i32.const {length})) (i32.const {at})"
        );
        arena::run("response", &contract(&code, ""), FUEL)
    };
    assert!(response(32, 0, 0).response.is_ok());
    assert_eq!(
        response(32, 0, 131_072).response.map(|bytes| bytes.len()),
        Ok(131_072)
    );
    for (at, address, length) in [
        (-4, 0, 0),
        (131_068, 0, 0),
        (34, 0, 0),
        (32, 0, 131_073),
        (32, 131_072, 1),
        (32, -1, 2),
        (32, 1, -1),
        (32, -1, -1),
    ] {
        let failure = response(at, address, length).failure();
        let is_malformed = matches!(failure, GuestFailure::Malformed(LiftError::Memory(_)));
        assert!(is_malformed, "{at} {address} {length}: {failure}");
    }
}

const IMPORTS: &str = r#"
    (import "resident:app/storage" "contains-keys" (func $contains (param i32 i32 i32)))
    (import "resident:app/storage" "write-batch" (func $write (param i32 i32)))
    (import "resident:app/diagnostics" "log" (func $log (param i32 i32 i32)))"#;

/// As [`contract`], with more imports.
fn importing(code: &str) -> Vec<u8> {
    let text = format!(
        r#"(module {IMPORTS}
            (memory (export "memory") 256)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
            (func (export "resident:app/contract-entrypoints#execute-operation")
                (param i32 i32) (result i32) {code} {})
            (func (export "resident:app/contract-entrypoints#instantiate") (param i32 i32))
            (func (export "resident:app/contract-entrypoints#execute-message") (param i32 i32))
            (func (export "resident:app/contract-entrypoints#process-streams") (param i32 i32))
            (func (export "resident:app/contract-entrypoints#summarize-events") (param i32 i32))
            (func (export "resident:app/contract-entrypoints#finalize")))"#,
        respond("(i32.const 1)")
    );
    wat::parse_str(text).expect("text")
}

/// Lengths that overflow 32 bits once they are multiplied by the size of an element.
#[test]
fn lists_that_are_longer_than_memory() {
    for (name, call) in [
        (
            "2^29 lists of 8 bytes",
            "(call $contains (i32.const 0) (i32.const 0x20000000) (i32.const 16))",
        ),
        (
            "2^32 - 1 lists",
            "(call $contains (i32.const 0) (i32.const -1) (i32.const 16))",
        ),
        (
            "writes of 20 bytes",
            "(call $write (i32.const 0) (i32.const 0x0ccccccd))",
        ),
        (
            "2^32 - 1 writes",
            "(call $write (i32.const 4) (i32.const -1))",
        ),
        (
            "unaligned lists",
            "(call $contains (i32.const 1) (i32.const 1) (i32.const 16))",
        ),
    ] {
        let failure = arena::run(name, &importing(call), FUEL).failure();
        assert!(
            matches!(failure, GuestFailure::Malformed(LiftError::Memory(_))),
            "{name}"
        );
    }
}

/// A million lists that are all the same megabyte. The budget of a call ends it.
#[test]
fn lists_that_share_their_elements() {
    let code = "(local $at i32) (local.set $at (i32.const 0x100000))
        (loop $again
            (i32.store (local.get $at) (i32.const 0))
            (i32.store offset=4 (local.get $at) (i32.const 0x100000))
            (br_if $again (i32.lt_u
                (local.tee $at (i32.add (local.get $at) (i32.const 8))) (i32.const 0x110000))))
        (call $contains (i32.const 0x100000) (i32.const 8192) (i32.const 16))";
    // With less fuel than the budget has bytes the fuel would end it.
    let ran = arena::run("lists that share their elements", &importing(code), 1 << 40);
    let failure = ran.failure();
    assert!(
        matches!(failure, GuestFailure::Malformed(LiftError::TooLarge { .. })),
        "{failure}"
    );
}

#[test]
fn strings_and_cases_that_are_none() {
    let text = "(i32.store (i32.const 512) (i32.const 0xfffe6161))";
    let log = format!("{text} (call $log (i32.const 1) (i32.const 512) (i32.const 4))");
    let failure = arena::run("bytes that are no string", &importing(&log), FUEL).failure();
    let is_text = GuestFailure::Malformed(LiftError::InvalidUtf8 { valid_bytes: 2 });
    assert_eq!(failure, is_text);
    for case in ["5", "-1"] {
        let log = format!("(call $log (i32.const {case}) (i32.const 512) (i32.const 0))");
        let failure = arena::run("a level that is none", &importing(&log), FUEL).failure();
        let is_case = matches!(
            failure,
            GuestFailure::Malformed(LiftError::InvalidDiscriminant { .. })
        );
        assert!(is_case, "{failure}");
    }
}
