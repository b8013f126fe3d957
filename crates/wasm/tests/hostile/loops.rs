//! Code that does not end, or does much with little. The attacker wants a block that never finishes;
//! fuel is what he runs out of, at the same instruction on both engines.

use resident_wasm::GuestFailure;

use crate::{
    arena::{self, FUEL, Ran},
    host::{contract, respond},
};

fn runs_out(name: &str, code: &str) -> Ran {
    let ran = arena::run(name, &contract(code, "(func $empty)"), FUEL);
    assert_eq!(ran.failure(), GuestFailure::OutOfFuel, "{name}");
    assert!(ran.meters.fuel < 0, "{name}");
    ran
}

#[test]
fn loops_without_an_end() {
    for (name, code) in [
        ("loop without a call", "(loop (br 0)) (i32.const 0)"),
        (
            "loop of a call",
            "(loop (call $empty) (br 0)) (i32.const 0)",
        ),
        ("two loops", "(loop (loop (br 1))) (i32.const 0)"),
        (
            "jump table",
            "(loop (br_table 0 0 0 (i32.load8_u (i32.const 0)))) (i32.const 0)",
        ),
        (
            "divisions",
            "(loop (drop (i64.div_u (i64.const 1) (i64.const 3))) (br 0)) (i32.const 0)",
        ),
    ] {
        runs_out(name, code);
    }
}

/// One instruction, and the engine writes the whole memory. It costs by the byte.
#[test]
fn loops_of_bulk_instructions() {
    let pages = 2 << 16;
    for (name, instruction) in [
        (
            "memory.fill",
            format!("(memory.fill (i32.const 0) (i32.const 7) (i32.const {pages}))"),
        ),
        (
            "memory.copy",
            format!(
                "(memory.copy (i32.const 0) (i32.const 1) (i32.const {}))",
                pages - 1
            ),
        ),
    ] {
        let count = "(global.set $heap (i32.add (global.get $heap) (i32.const 1)))";
        let ran = runs_out(
            name,
            &format!("(loop {count} {instruction} (br 0)) (i32.const 0)"),
        );
        let turns = ran.snapshot.globals()[0] - 4096;
        let dear = FUEL as u64 / (pages / 8);
        assert!((dear - 5..dear + 20).contains(&turns), "{turns} turns");
    }
}

/// Grows until it is told no, and touches every page. What is asked for is paid for, and the maximum is
/// the protocol's, whatever the module says.
#[test]
fn a_loop_that_grows_memory() {
    let code = format!(
        "(local $page i32)
         (loop $again (br_if $again (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
         (loop $touch
            (i32.store8 (i32.shl (local.get $page) (i32.const 16)) (i32.const 7))
            (local.set $page (i32.add (local.get $page) (i32.const 1)))
            (br_if $touch (i32.lt_u (local.get $page) (memory.size))))
         {}",
        respond("(memory.size)")
    );
    for (maximum, pages) in [("65536", 512_u32), ("", 512), ("100", 100)] {
        let text = wasm_with_memory(&code, maximum);
        let ran = arena::run("memory.grow in a loop", &text, 5 * FUEL);
        assert_eq!(ran.response, Ok(pages.to_le_bytes().to_vec()));
        assert_eq!(ran.snapshot.memory().len(), (pages as usize) << 16);
        let poor = arena::run("memory.grow in a loop", &text, 100_000);
        assert_eq!(poor.failure(), GuestFailure::OutOfFuel);
        assert!(poor.snapshot.memory().len() < 20 << 16);
    }
}

/// As [`contract`], with another maximum of the memory.
pub(crate) fn wasm_with_memory(code: &str, maximum: &str) -> Vec<u8> {
    let code = contract(code, "");
    let text = format!(r#"(module (memory (export "memory") 2 {maximum}))"#);
    let memory = wat::parse_str(text).expect("text");
    replace_section(&code, &section(&memory, 5), 5)
}

/// The bytes of a section with its header.
fn section(module: &[u8], id: u8) -> Vec<u8> {
    let (start, end) = find(module, id);
    module[start..end].to_vec()
}

fn replace_section(module: &[u8], with: &[u8], id: u8) -> Vec<u8> {
    let (start, end) = find(module, id);
    [&module[..start], with, &module[end..]].concat()
}

fn find(module: &[u8], id: u8) -> (usize, usize) {
    let mut at = 8;
    loop {
        let (mut length, mut bytes) = (0, 1);
        for (index, byte) in module[at + 1..].iter().enumerate() {
            length |= usize::from(byte & 127) << (7 * index);
            bytes += 1;
            if byte & 128 == 0 {
                break;
            }
        }
        let end = at + bytes + length;
        if module[at] == id {
            return (at, end);
        }
        at = end;
    }
}

/// The host is asked for ever. Each call is paid for, by the guest and by the host's own charge.
#[test]
fn a_loop_of_host_calls() {
    let ran = runs_out(
        "host calls in a loop",
        "(loop (global.set $heap (i32.const 4096))
            (call $read_value (local.get 0) (local.get 1) (i32.const 16)) (br 0)) (i32.const 0)",
    );
    assert!(
        ran.asked <= FUEL as usize / 1_000 + 1,
        "{} calls",
        ran.asked
    );
}

/// A start function is code like any other: it runs when the instance is first entered, and is paid then.
#[test]
fn hostile_start_functions() {
    use resident_wasm::TrapKind::Unreachable;
    let start = |body: &str| {
        let more = format!("(func $begin {body}) (start $begin)");
        arena::run("start function", &contract("(i32.const 0)", &more), FUEL)
    };
    assert_eq!(start("unreachable").failure(), arena::trap(Unreachable));
    assert_eq!(start("(loop (br 0))").failure(), GuestFailure::OutOfFuel);
    assert_eq!(
        start("(call $begin)").failure(),
        GuestFailure::StackExhausted
    );
    let grown = start("(drop (memory.grow (i32.const 8)))");
    assert_eq!(grown.response, Ok(Vec::new()));
    assert_eq!(grown.snapshot.memory().len(), 10 << 16);
    let called = start("(call $chain_id (i32.const 64))");
    assert!(called.response.is_err(), "the host refuses, even here");
}
