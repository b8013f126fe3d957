//! Names: imports that are not offered, exports that preparation wants for itself, names by the megabyte.
//! The attacker wants a counter of his own in the place of the host's, or another import than was checked.

use resident_wasm::prepare::{Limits, RefusalReason};
use wasm_encoder::{CustomSection, Section};

use crate::{
    arena::{self, FUEL},
    host::{contract, respond},
};

fn with(fields: &str) -> Vec<u8> {
    contract("(i32.const 32)", fields)
}

/// Text with imports before everything else.
fn importing(import: &str) -> Vec<u8> {
    let text = format!(r#"(module {import} (memory (export "memory") 1))"#);
    wat::parse_str(text).expect("text")
}

#[test]
fn imports_that_are_not_offered() {
    for import in [
        r#"(import "resident:app/runtime" "no-such-function" (func))"#,
        r#"(import "resident:app/storage" "chain-id" (func (param i32)))"#,
        r#"(import "env" "abort" (func))"#,
        r#"(import "wasi_snapshot_preview1" "random_get" (func (param i32 i32) (result i32)))"#,
        r#"(import "" "" (func))"#,
        r#"(import "resident:" "fuel" (func))"#,
    ] {
        let reason = arena::refused(&importing(import));
        assert!(
            matches!(reason, RefusalReason::UnknownImport { .. }),
            "{import}: {reason}"
        );
    }
    for import in [
        r#"(import "resident:app/runtime" "chain-id" (func))"#,
        r#"(import "resident:app/runtime" "chain-id" (func (param i64)))"#,
        r#"(import "resident:app/runtime" "chain-id" (func (param i32) (result i32)))"#,
        r#"(import "resident:app/runtime" "remaining-fuel" (func (result i32)))"#,
    ] {
        let reason = arena::refused(&importing(import));
        assert!(
            matches!(reason, RefusalReason::ImportType { .. }),
            "{import}: {reason}"
        );
    }
    for import in [
        r#"(import "resident:app/runtime" "chain-id" (global (mut i64)))"#,
        r#"(import "resident:app/runtime" "chain-id" (memory 1))"#,
    ] {
        let reason = arena::refused(&importing(import));
        assert!(
            matches!(reason, RefusalReason::ImportKind { .. }),
            "{import}: {reason}"
        );
    }
}

/// The same function again and again: one value, and many pointers to it for a compiler to keep. The count is looked at first,
/// before anything is allocated for it.
#[test]
fn an_import_a_thousand_times() {
    let text = |count: usize| {
        r#"(import "resident:app/runtime" "chain-id" (func (param i32)))"#.repeat(count)
    };
    let reason = arena::refused(&importing(&text(1_001)));
    let is_count = matches!(
        reason,
        RefusalReason::Limit {
            what: "number of imports",
            ..
        }
    );
    assert!(is_count, "{reason}");
    let reason = arena::refused(&importing(&text(1_000)));
    assert!(
        matches!(reason, RefusalReason::DuplicateImport { .. }),
        "{reason}"
    );
    // What is missing are the exports, so the import was accepted.
    let reason = arena::refused(&importing(&text(1)));
    assert!(
        matches!(reason, RefusalReason::MissingExport { .. }),
        "{reason}"
    );
}

#[test]
fn exports_that_preparation_makes_itself() {
    for name in [
        "resident:fuel",
        "resident:stack",
        "resident:start",
        "resident:global:0",
        "resident:global:4294967296",
        "resident:",
        "resident:app/contract-entrypoints#finalize2",
    ] {
        for kind in ["(global 0)", "(func $allocate)", "(memory 0)"] {
            let reason = arena::refused(&with(&format!(r#"(export "{name}" {kind})"#)));
            let is_reserved = matches!(reason, RefusalReason::ReservedExport { .. });
            assert!(is_reserved, "{name} {kind}: {reason}");
        }
    }
}

/// Names that only look reserved are free, and change nothing.
#[test]
fn exports_that_look_like_it() {
    let exports: String = [
        "Resident:fuel",
        " resident:fuel",
        "resident",
        "resident.fuel",
        "",
    ]
    .iter()
    .map(|name| format!(r#"(export "{name}" (global 0))"#))
    .collect();
    let ran = arena::run("names that look reserved", &with(&exports), FUEL);
    assert_eq!(ran.response, Ok(Vec::new()));
}

#[test]
fn exports_of_another_kind() {
    let code = with("");
    let swapped = |from: &str, to: &str| {
        let at = code
            .windows(from.len())
            .position(|part| part == from.as_bytes());
        let mut code = code.clone();
        code[at.expect("the name is there")..][..to.len()].copy_from_slice(to.as_bytes());
        arena::refused(&code)
    };
    let reason = swapped("\u{6}memory", "\u{6}mamory");
    assert!(
        matches!(reason, RefusalReason::MissingExport { .. }),
        "{reason}"
    );
    let reason = swapped("cabi_realloc", "cabi_reallo_");
    assert!(
        matches!(reason, RefusalReason::MissingExport { .. }),
        "{reason}"
    );
    let text = r#"(module (memory 1) (global (export "memory") i32 (i32.const 0)))"#;
    let reason = arena::refused(&wat::parse_str(text).expect("text"));
    assert!(
        matches!(reason, RefusalReason::MissingExport { .. }),
        "{reason}"
    );
    let twice = raw_duplicate_export();
    let reason = arena::refused(&twice);
    assert!(reason.to_string().contains("duplicate"), "{reason}");
}

/// The text format refuses this by itself, so it is made from its binary form.
fn raw_duplicate_export() -> Vec<u8> {
    let mut code =
        with(r#"(export "cabi_realloc2" (memory 0)) (export "cabi_realloc3" (memory 0))"#);
    let name = b"cabi_realloc3";
    let at = code.windows(name.len()).position(|part| part == name);
    code[at.expect("the name is there") + name.len() - 1] = b'2';
    code
}

#[test]
fn exports_by_the_megabyte() {
    let limits = Limits::PROTOCOL;
    let export =
        |index: usize, length: usize| format!(r#"(export "{index:0>length$}" (global $heap))"#);
    let room = limits.exports as usize - 8;
    let many: String = (0..room)
        .map(|index| export(index, limits.export_name_bytes as usize))
        .collect();
    let ran = arena::run("4 MiB of names of exports", &with(&many), FUEL);
    assert_eq!(ran.response, Ok(Vec::new()));
    let reason = arena::refused(&with(&export(0, limits.export_name_bytes as usize + 1)));
    let is_length = matches!(reason, RefusalReason::Limit { .. });
    assert!(is_length, "{reason}");
}

/// A name section that claims 2^32 names, lies about their lengths, or is cut: no name section at all.
#[test]
fn name_sections() {
    let valid = contract(&respond("(i32.const 1)"), "");
    let expected = arena::run("no name section", &valid, FUEL);
    for (name, bytes) in [
        ("2^32 - 1 names", &[1, 5, 0xff, 0xff, 0xff, 0xff, 0x0f][..]),
        (
            "a name of 4 GiB",
            &[1, 7, 1, 0, 0xff, 0xff, 0xff, 0xff, 0x0f],
        ),
        ("a subsection of 4 GiB", &[1, 0xff, 0xff, 0xff, 0xff, 0x0f]),
        ("a subsection that is cut", &[1, 10, 3]),
        ("a name that is no text", &[1, 4, 1, 0, 1, 0xff]),
        ("an unknown subsection", &[77, 1, 0]),
    ] {
        let mut code = valid.clone();
        let data = bytes.into();
        CustomSection {
            name: "name".into(),
            data,
        }
        .append_to(&mut code);
        let ran = arena::run(name, &code, FUEL);
        assert!(ran == expected, "{name} changes nothing");
    }
}
