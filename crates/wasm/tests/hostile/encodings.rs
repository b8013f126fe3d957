//! Malformed encodings. The attacker wants a reader that allocates what is only claimed, loops over it,
//! or reads a number in another way than the engine does.

use resident_wasm::prepare::RefusalReason;

use crate::arena;

const HEADER: &[u8] = b"\0asm\x01\0\0\0";

/// 2^32 - 1, and numbers below it, as LEB128.
const MOST: &[u8] = &[0xff, 0xff, 0xff, 0xff, 0x0f];
const MILLION: &[u8] = &[0xc0, 0x84, 0x3d];

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).expect("a short section");
    assert!(length < 128);
    [HEADER, &[id, length], content].concat()
}

/// Every section that begins with a count, with more entries than there are bytes.
#[test]
fn counts_without_entries() {
    for count in [MOST, MILLION, &[0x80, 0x89, 0x7a], &[0x7f]] {
        for id in (1..=12).filter(|id| *id != 8) {
            arena::refused(&section(id, count));
        }
        // A code section of the right count needs as many functions before it.
        let functions = [HEADER, &[1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 10]].concat();
        arena::refused(&[&functions[..], &[count.len() as u8], count].concat());
    }
}

/// Counts within entries: parameters, results, locals, items, bytes, targets.
#[test]
fn counts_within_entries() {
    let module = |code: &[u8]| {
        let body = [&[code.len() as u8 + 1], code, &[0x0b][..]].concat();
        let section = [&[10, body.len() as u8 + 1, 1][..], &body].concat();
        [HEADER, &[1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0], &section].concat()
    };
    for count in [MOST, MILLION] {
        arena::refused(&section(1, &[&[1, 0x60], count].concat()));
        arena::refused(&section(1, &[&[1, 0x60, 0], count].concat()));
        arena::refused(&section(2, &[&[1], count].concat()));
        arena::refused(&section(7, &[&[1], count].concat()));
        arena::refused(&section(9, &[&[1, 0, 0x41, 0, 0x0b], count].concat()));
        arena::refused(&section(11, &[&[1, 0, 0x41, 0, 0x0b], count].concat()));
        arena::refused(&module(&[&[1], count, &[0x7e]].concat()));
        arena::refused(&module(&[&[0, 0x41, 0, 0x0e], count].concat()));
        arena::refused(&module(&[&[0, 0x1c], count].concat()));
        arena::refused(&module(&[count, &[1, 0x7e][..]].concat()));
    }
}

/// Numbers that are too long, or carry bits beyond their type.
#[test]
fn malformed_numbers() {
    for number in [
        &[0x80, 0x80, 0x80, 0x80, 0x80, 0][..],
        &[0x80, 0x80, 0x80, 0x80, 0x10],
        &[0xff, 0xff, 0xff, 0xff, 0x7f],
        &[0x80],
        &[0x80, 0x80, 0x80, 0x80],
    ] {
        for id in 1..=12 {
            let reason = arena::refused(&section(id, number));
            assert!(
                matches!(reason, RefusalReason::Invalid { .. }),
                "{id}: {reason}"
            );
        }
        // As the length of a section.
        arena::refused(&[HEADER, &[1], number].concat());
    }
}

/// Long forms of small numbers are valid, and mean the same.
#[test]
fn long_forms_of_small_numbers() {
    let short = section(1, &[1, 0x60, 0, 0]);
    let long = section(
        1,
        &[0x81, 0x80, 0x80, 0x80, 0, 0x60, 0x80, 0, 0x80, 0x80, 0],
    );
    assert_eq!(
        arena::refused(&short),
        arena::refused(&long),
        "both lack exports only"
    );
}

#[test]
fn headers_and_orders() {
    for code in [
        &b""[..],
        b"\0asm",
        b"\0asm\x02\0\0\0",
        b"\0asm\x0d\0\x01\0",
        b"#!/bin/sh\n",
        b"\x7fELF\x02\x01\x01\0",
        b"\0asm\x01\0\0\0\x03\x01\0\x01\x01\0",
        b"\0asm\x01\0\0\0\x01\x01\0\x01\x01\0",
        b"\0asm\x01\0\0\0\x0e\x01\0",
        b"\0asm\x01\0\0\0\x0d\x01\0",
    ] {
        arena::refused(code);
    }
}
