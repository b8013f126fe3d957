//! Everything that must be refused is, where it stands and for its reason.

use resident_wasm::prepare::{
    AbiExport, AbiSurface, Limits, OtherExports, PrepareError, RefusalReason, ValueType, prepare,
    prepare_with_limits,
};

use crate::harness::{SURFACE, SURFACE_WITH_RUN, with_memory};

fn refuse(text: &str) -> PrepareError {
    refuse_under(text, &SURFACE)
}

fn refuse_under(text: &str, abi: &AbiSurface<'_>) -> PrepareError {
    let error = prepare(&wat::parse_str(text).expect("text"), abi).expect_err(text);
    let length = wat::parse_str(text).expect("text").len();
    assert!(error.offset <= length, "{error} in {text}");
    error
}

fn refuse_fields(fields: &str) -> RefusalReason {
    refuse(&format!(
        r#"(module {fields} (memory (export "memory") 1))"#
    ))
    .reason
}

#[test]
fn proposals() {
    for (feature, text) in [
        (
            "threads",
            r#"(module (memory (export "memory") 1 2 shared))"#,
        ),
        ("memory64", r#"(module (memory (export "memory") i64 1))"#),
        (
            "custom-page-sizes",
            r#"(module (memory (export "memory") 1 (pagesize 1)))"#,
        ),
        ("exception-handling", "(module (tag))"),
        ("exception-handling", "(module (tag $t) (func (throw $t)))"),
        ("exception-handling", "(module (func (try_table)))"),
        ("garbage-collection", "(module (type (struct)))"),
        (
            "garbage-collection",
            "(module (rec (type (func)) (type (func))))",
        ),
        ("simd", "(module (func (drop (v128.const i64x2 0 0))))"),
        ("simd", "(module (func (param v128)))"),
        (
            "simd",
            "(module (global (mut v128) (v128.const i64x2 0 0)))",
        ),
        (
            "relaxed-simd",
            "(module (func (unreachable) (i8x16.relaxed_swizzle) (drop)))",
        ),
        (
            "threads",
            r#"(module (memory 1) (func (drop (i32.atomic.load (i32.const 0)))))"#,
        ),
        ("tail-call", "(module (func (return_call 0)))"),
        (
            "function-references",
            "(module (type $t (func)) (func (param (ref $t))))",
        ),
        ("external-reference", "(module (func (param externref)))"),
        (
            "external-reference",
            "(module (global (mut externref) (ref.null extern)))",
        ),
        ("external-reference", "(module (table 1 externref))"),
        (
            "garbage-collection",
            "(module (type (sub (func))) (memory 1))",
        ),
        (
            "multi-memory",
            r#"(module (import "m" "a" (memory 1)) (import "m" "b" (memory 1)))"#,
        ),
        (
            "wide-arithmetic",
            "(module (func (param i64 i64) (i64.mul_wide_u (local.get 0) (local.get 1)) (drop) (drop)))",
        ),
        (
            "extended-const",
            "(module (global i32 (i32.add (i32.const 1) (i32.const 1))))",
        ),
    ] {
        match refuse(text).reason {
            RefusalReason::Feature { feature: found, .. } => assert_eq!(found, feature, "{text}"),
            other => panic!("{text}: {other}"),
        }
    }
}

#[test]
fn instructions_whose_effect_cannot_be_captured() {
    let fields = r#"(table 1 funcref) (elem $e func) (data $d "a")"#;
    for (instruction, operands) in [
        ("table.set", "(table.set (i32.const 0) (ref.null func))"),
        (
            "table.grow",
            "(drop (table.grow (ref.null func) (i32.const 1)))",
        ),
        (
            "table.fill",
            "(table.fill (i32.const 0) (ref.null func) (i32.const 1))",
        ),
        (
            "table.copy",
            "(table.copy (i32.const 0) (i32.const 0) (i32.const 1))",
        ),
        (
            "table.init",
            "(table.init $e (i32.const 0) (i32.const 0) (i32.const 0))",
        ),
        ("elem.drop", "(elem.drop $e)"),
        ("data.drop", "(data.drop $d)"),
        (
            "memory.init",
            "(memory.init $d (i32.const 0) (i32.const 0) (i32.const 0))",
        ),
    ] {
        let used = refuse_fields(&format!("{fields} (func {operands})"));
        // A passive element segment stands before the code and is refused first.
        let passive = RefusalReason::PassiveSegment { kind: "element" };
        assert_eq!(used, passive);
        let alone = format!(
            r#"(table 1 funcref) (elem $e declare func) (data $d (i32.const 0) "a")
               (func {operands})"#
        );
        assert_eq!(
            refuse_fields(&alone),
            RefusalReason::Instruction { instruction }
        );
        let dead = alone.replace("(func ", "(func (unreachable) ");
        assert_eq!(
            refuse_fields(&dead),
            RefusalReason::Instruction { instruction }
        );
    }
}

#[test]
fn segments() {
    let passive = |kind| RefusalReason::PassiveSegment { kind };
    assert_eq!(refuse_fields(r#"(data "a")"#), passive("data"));
    assert_eq!(
        refuse_fields("(func $f) (elem func $f)"),
        passive("element")
    );
    let outside = refuse_fields(r#"(data (i32.const 65535) "ab")"#);
    let (kind, end, size) = ("data", 65_537, 65_536);
    assert_eq!(outside, RefusalReason::SegmentBounds { kind, end, size });
    let outside = refuse_fields("(table 1 funcref) (func $f) (elem (i32.const 1) $f)");
    let (kind, end, size) = ("element", 2, 1);
    assert_eq!(outside, RefusalReason::SegmentBounds { kind, end, size });
    let (kind, end, size) = ("data", 1 << 32, 65_536);
    let negative = refuse_fields(r#"(data (i32.const -1) "a")"#);
    assert_eq!(negative, RefusalReason::SegmentBounds { kind, end, size });
}

#[test]
fn imports() {
    let unknown = refuse(r#"(module (import "env" "other" (func)))"#).to_string();
    assert!(
        unknown.contains("unknown import `other` of `env`"),
        "{unknown}"
    );
    let ty = refuse(r#"(module (import "env" "host" (func (param i32) (result i64))))"#);
    assert!(
        matches!(ty.reason, RefusalReason::ImportType { .. }),
        "{ty}"
    );
    for (kind, text) in [
        ("memory", r#"(module (import "env" "host" (memory 1)))"#),
        (
            "table",
            r#"(module (import "env" "host" (table 1 funcref)))"#,
        ),
        ("global", r#"(module (import "env" "host" (global i32)))"#),
        (
            "global",
            r#"(module (import "env" "host" (global (mut i32))))"#,
        ),
    ] {
        match refuse(text).reason {
            RefusalReason::ImportKind { kind: found, .. } => assert_eq!(found, kind),
            other => panic!("{text}: {other}"),
        }
    }
}

#[test]
fn a_function_is_imported_once() {
    let import = r#"(import "env" "host" (func (param i64) (result i64)))"#;
    let reason = refuse_fields(&format!("{import} {import}"));
    let (module, name) = ("env".to_owned(), "host".to_owned());
    assert_eq!(reason, RefusalReason::DuplicateImport { module, name });
}

/// Parameters and further results of blocks make a compiler keep a table of blocks times values.
#[test]
fn blocks_of_several_values() {
    for (block, parameters, results) in [
        (
            "(block (result i32 i32) (i32.const 1) (i32.const 2)) (drop) (drop)",
            0,
            2,
        ),
        ("(i32.const 1) (block (param i32) (drop))", 1, 0),
        ("(i32.const 1) (loop (param i32) (drop))", 1, 0),
        (
            "(i32.const 1) (if (param i32) (i32.const 1) (then (drop)) (else (drop)))",
            1,
            0,
        ),
        (
            "(unreachable) (block (param i64 i64) (result i64) (drop)) (drop)",
            2,
            1,
        ),
    ] {
        let reason = refuse_fields(&format!("(func {block})"));
        let expected = RefusalReason::BlockType {
            parameters,
            results,
        };
        assert_eq!(reason, expected, "{block}");
    }
    // A type is only another way to write one result, and functions give as many as they like.
    let accepted = "(type $one (func (result i32))) (func (result i32 i32)
        (block (type $one) (i32.const 1)) (i32.const 2))";
    assert!(prepare(&with_memory(accepted), &SURFACE).is_ok());
}

#[test]
fn exports() {
    let reason = |text: &str| refuse_under(text, &SURFACE_WITH_RUN).reason;
    let missing = |name: &str, kind| RefusalReason::MissingExport {
        name: name.to_owned(),
        kind,
    };
    assert_eq!(reason("(module)"), missing("memory", "memory"));
    assert_eq!(
        reason(r#"(module (memory 1) (func (export "memory")))"#),
        missing("memory", "memory")
    );
    let memory = r#"(memory (export "memory") 1)"#;
    assert_eq!(
        reason(&format!("(module {memory})")),
        missing("run", "function")
    );
    let table = format!(r#"(module {memory} (table (export "run") 1 funcref))"#);
    assert_eq!(reason(&table), missing("run", "function"));
    let ty = reason(&format!(r#"(module {memory} (func (export "run")))"#));
    assert!(matches!(ty, RefusalReason::ExportType { .. }), "{ty}");
    let reserved = reason(&format!(
        r#"(module {memory} (func (export "resident:x")))"#
    ));
    assert!(
        matches!(reserved, RefusalReason::ReservedExport { .. }),
        "{reserved}"
    );
    let abi = |name| {
        [AbiExport {
            name,
            params: &[],
            results: &[],
        }]
    };
    for (name, accepted) in [("resident:app/entry#run", true), ("resident:fuel", false)] {
        let text = format!(r#"(module {memory} (func (export "{name}")))"#);
        let surface = AbiSurface {
            imports: &[],
            exports: &abi(name),
            other_exports: OtherExports::Kept,
        };
        assert_eq!(
            prepare(&wat::parse_str(text).expect("text"), &surface).is_ok(),
            accepted
        );
    }
    let fine = format!(r#"(module {memory} (func (export "run") (param i32)))"#);
    assert!(prepare(&wat::parse_str(fine).expect("text"), &SURFACE_WITH_RUN).is_ok());
}

#[test]
fn mutable_references() {
    let reason = refuse_fields("(global (mut funcref) (ref.null func))");
    assert!(
        matches!(reason, RefusalReason::GlobalType { index: 0, .. }),
        "{reason}"
    );
}

#[test]
fn damaged_modules() {
    let code = with_memory(
        r#"(func (export "run") (result i32) (i32.const 1)) (data (i32.const 0) "abc")"#,
    );
    assert!(prepare(&code, &SURFACE).is_ok());
    for length in 0..code.len() {
        // Cut between two sections it may even be a smaller module.
        if let Err(error) = prepare(&code[..length], &SURFACE) {
            assert!(error.offset <= length, "{error}");
        }
    }
    for position in 0..code.len() {
        for flip in [1, 0x40, 0x80, 0xff] {
            let mut damaged = code.clone();
            damaged[position] ^= flip;
            // Either answer is fine; a panic is not.
            let _ = prepare(&damaged, &SURFACE);
        }
    }
    let mistyped = wat::parse_str("(module (func (result i32) (i64.const 1)))").expect("text");
    let error = prepare(&mistyped, &SURFACE).expect_err("mistyped");
    assert!(
        matches!(error.reason, RefusalReason::Invalid { .. }),
        "{error}"
    );
}

#[test]
fn limits() {
    let all = Limits::PROTOCOL;
    let nested = format!("(func {} {})", "(block".repeat(4), ")".repeat(4));
    for (what, limits, fields) in [
        (
            "size of the module",
            Limits {
                module_bytes: 20,
                ..all.clone()
            },
            "(func) (func)",
        ),
        (
            "size of instrumented code",
            Limits {
                prepared_bytes: 20,
                ..all.clone()
            },
            "(func)",
        ),
        (
            "size of an instrumented function",
            Limits {
                prepared_function_bytes: 20,
                ..all.clone()
            },
            "(func)",
        ),
        (
            "work of compiling the code",
            Limits {
                compile_work: 500,
                ..all.clone()
            },
            "(func) (func)",
        ),
        (
            "number of types",
            Limits {
                types: 1,
                ..all.clone()
            },
            "(type (func)) (func (param i32))",
        ),
        (
            "number of parameters",
            Limits {
                parameters: 1,
                ..all.clone()
            },
            "(func (param i32 i32))",
        ),
        (
            "number of results",
            Limits {
                results: 1,
                ..all.clone()
            },
            "(type (func (result i32 i32)))",
        ),
        (
            "number of functions",
            Limits {
                functions: 1,
                ..all.clone()
            },
            "(func) (func)",
        ),
        (
            "number of imports",
            Limits {
                imports: 0,
                ..all.clone()
            },
            r#"(import "env" "host" (func (param i64) (result i64)))"#,
        ),
        (
            "number of globals",
            Limits {
                globals: 0,
                ..all.clone()
            },
            "(global i32 (i32.const 0))",
        ),
        (
            "number of exports",
            Limits {
                exports: 1,
                ..all.clone()
            },
            r#"(func (export "a"))"#,
        ),
        (
            "length of an export",
            Limits {
                export_name_bytes: 5,
                ..all.clone()
            },
            "",
        ),
        (
            "number of table elements",
            Limits {
                table_elements: 3,
                ..all.clone()
            },
            "(table 4 funcref)",
        ),
        ("number of memories", all.clone(), "(memory 1)"),
        (
            "number of tables",
            all.clone(),
            "(table 1 funcref) (table 1 funcref)",
        ),
        (
            "number of element segments",
            Limits {
                element_segments: 0,
                ..all.clone()
            },
            "(table 1 funcref) (elem (i32.const 0) func)",
        ),
        (
            "number of table entries",
            Limits {
                element_items: 1,
                ..all.clone()
            },
            "(table 4 funcref) (func $f) (elem (i32.const 0) $f) (elem (i32.const 0) $f)",
        ),
        (
            "number of data segments",
            Limits {
                data_segments: 0,
                ..all.clone()
            },
            r#"(data (i32.const 0) "a")"#,
        ),
        (
            "size of data",
            Limits {
                data_bytes: 3,
                ..all.clone()
            },
            r#"(data (i32.const 0) "ab") (data (i32.const 0) "ab")"#,
        ),
        (
            "initial memory",
            Limits {
                memory_initial_pages: 0,
                ..all.clone()
            },
            "",
        ),
        (
            "initial memory",
            Limits {
                memory_maximum_pages: 0,
                ..all.clone()
            },
            "",
        ),
        (
            "size of a function",
            Limits {
                function_bytes: 4,
                ..all.clone()
            },
            "(func nop nop nop)",
        ),
        (
            "number of locals",
            Limits {
                locals: 3,
                ..all.clone()
            },
            "(func (param i32 i32) (local i64 i64))",
        ),
        (
            "height of the operands",
            Limits {
                operand_height: 1,
                ..all.clone()
            },
            "(func (drop (i32.add (i32.const 1) (i32.const 1))))",
        ),
        (
            "depth of nested blocks",
            Limits {
                nesting: 3,
                ..all.clone()
            },
            &nested,
        ),
        (
            "number of branch targets",
            Limits {
                branch_targets: 2,
                ..all.clone()
            },
            "(func (br_table 0 0 0 0 (i32.const 0)))",
        ),
    ] {
        let error = prepare_with_limits(&with_memory(fields), &SURFACE, &limits);
        let message = error.expect_err(what).to_string();
        assert!(message.contains(what), "{message}");
    }
    assert!(
        prepare_with_limits(
            &with_memory(&nested),
            &SURFACE,
            &Limits { nesting: 4, ..all }
        )
        .is_ok()
    );
}

/// The host calls such a function if it is there. One engine failed the call for its type, the other did
/// not.
#[test]
fn a_function_that_frees_a_result_has_the_type_for_it() {
    let module = |post_return: &str| {
        let text = format!(
            r#"(module (memory (export "memory") 1)
                (func (export "run") (result i32) (i32.const 0))
                (func (export "cabi_post_run") {post_return}))"#
        );
        wat::parse_str(text).expect("text")
    };
    let exports = [AbiExport {
        name: "run",
        params: &[],
        results: &[ValueType::I32],
    }];
    let surface = AbiSurface {
        imports: &[],
        exports: &exports,
        other_exports: OtherExports::Kept,
    };
    assert!(prepare(&module("(param i32)"), &surface).is_ok());
    for wrong in [
        "",
        "(param i64)",
        "(param i32 i32)",
        "(param i32) (result i32) (i32.const 0)",
    ] {
        let error = prepare(&module(wrong), &surface).expect_err(wrong);
        let is_type = matches!(error.reason, RefusalReason::ExportType { .. });
        assert!(is_type, "{wrong}: {error}");
    }
}

/// Locals times nested loops: a compiler would make a value of each local at the head of each loop.
#[test]
fn values_that_meet_in_too_many_places_are_refused() {
    let loops = |count: usize| {
        let locals = "i64 ".repeat(4_000);
        let (open, close) = ("(loop ".repeat(count), ")".repeat(count));
        format!("(func (local {locals}) {open} nop {close})")
    };
    let reason = refuse_fields(&loops(900));
    assert!(
        matches!(
            reason,
            RefusalReason::Limit {
                what: "work of compiling the code",
                ..
            }
        ),
        "{reason}"
    );
    assert!(prepare(&with_memory(&loops(100)), &SURFACE).is_ok());
}

#[test]
fn huge_local_counts_are_counted_before_they_are_allocated() {
    let reason = refuse_fields(&format!("(func (local {}))", "i64 ".repeat(5_000)));
    assert!(
        matches!(
            reason,
            RefusalReason::Limit {
                what: "number of locals",
                ..
            }
        ),
        "{reason}"
    );
}
