//! The contract's own functions, as text.
//!
//! Addresses below [`HEAP`] that the text names are the contract's own as far as generated code, which
//! stores anywhere, lets them be.

use super::{
    Plan,
    adapter::{adapter, generated_import, host_import, to_bits},
};
use crate::script::{COMMAND_BYTES, KEY_BYTES, Op, VALUE_BYTES, WORDS};

/// The module name by which the contract's own functions import the generated ones.
pub(super) const GENERATED: &str = "generated";

/// The host functions that the contract's own functions import.
pub(super) const IMPORTED: [&str; 4] = [
    "write-batch",
    "read-value",
    "find-key-values",
    "call-application",
];

/// Where the allocator begins.
const HEAP: u32 = 40_960;

/// The text: host functions, then generated functions as imports, then the contract's own, and at last
/// those that replace generated ones. So a function has the same index here as when all is merged.
pub(super) fn contract(plan: &Plan) -> String {
    let adapters = plan.adapters.iter().enumerate();
    let host: String = adapters
        .clone()
        .map(|(place, it)| host_import(place, it))
        .collect();
    let generated: String = (0..)
        .zip(&plan.functions)
        .map(|(index, ty)| generated_import(index, ty))
        .collect();
    let run = run(plan);
    let entries = entries(plan);
    let replacing: String = adapters
        .map(|(place, it)| adapter(place, it, &plan.functions[it.function]))
        .collect();
    format!(
        r#"(module
    (import "resident:app/storage" "write-batch" (func $write_batch (param i32 i32)))
    (import "resident:app/storage" "read-value" (func $read_value (param i32 i32 i32)))
    (import "resident:app/storage" "find-key-values" (func $find_key_values (param i32 i32 i32)))
    (import "resident:app/runtime" "call-application"
        (func $call_application (param i32 i64 i64 i64 i64 i32 i32 i32)))
    {host}
    {generated}
    (import "{GENERATED}" "memory" (memory 1))
    (export "memory" (memory 0))
    (global $heap (mut i32) (i32.const {HEAP}))
    (global $digest (mut i64) (i64.const 1))
    (global $response (mut i32) (i32.const 64))
    (global $response_length (mut i32) (i32.const 16))
    (global $refusing (mut i32) (i32.const 0))

    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
        (local $end i32)
        (local.set $end (i32.and
            (i32.add (i32.add (global.get $heap) (local.get 3)) (i32.const 15))
            (i32.const -16)))
        (if (i32.gt_u (local.get $end) (i32.mul (memory.size) (i32.const 65536)))
            (then (if (i32.lt_s
                    (memory.grow (i32.add (i32.shr_u (local.get 3) (i32.const 16)) (i32.const 1)))
                    (i32.const 0))
                (then (unreachable)))))
        (global.get $heap)
        (global.set $heap (local.get $end)))

    (func $mix (param i64)
        (call $spread (i64.rotl (global.get $digest) (i64.const 7)) (local.get 0))
        (drop) (drop) (i64.xor)
        (global.set $digest (i64.add (i64.const 0x9e3779b97f4a7c15))))

    (func $spread (param i64 i64) (result i64 i64 f64 i32)
        (local.get 0) (local.get 1)
        (f64.convert_i64_s (local.get 1)) (i32.wrap_i64 (local.get 0)))

    (func $deeper (param i32) (result i32)
        (if (result i32) (local.get 0)
            (then (i32.add
                (call $deeper (i32.sub (local.get 0) (i32.const 1)))
                (i32.const 1)))
            (else (i32.const 0))))
    {run}
    {entries}
    {replacing}
)"#
    )
}

/// Puts one key and its value. Both are addresses in text form.
fn put(key: &str, value: &str) -> String {
    format!(
        "(i32.store8 (i32.const 128) (i32.const 2))
         (i32.store (i32.const 132) {key})
         (i32.store (i32.const 136) (i32.const {KEY_BYTES}))
         (i32.store (i32.const 140) {value})
         (i32.store (i32.const 144) (i32.const {VALUE_BYTES}))
         (call $write_batch (i32.const 128) (i32.const 1))"
    )
}

fn run(plan: &Plan) -> String {
    let cases: String = commands(plan)
        .iter()
        .map(|(op, code)| {
            let op = *op as u8;
            format!("(if (i32.eq (local.get $op) (i32.const {op})) (then\n{code}))\n")
        })
        .collect();
    format!(
        "(func $run (param $cursor i32) (param $length i32)
            (local $end i32) (local $op i32) (local $number i32)
            (local.set $end (i32.add (local.get $cursor) (local.get $length)))
            (block $done (loop $next
                (br_if $done (i32.lt_s
                    (i32.sub (local.get $end) (local.get $cursor))
                    (i32.const {COMMAND_BYTES})))
                (local.set $op (i32.load8_u (local.get $cursor)))
                (local.set $number (i32.load offset=4 align=1 (local.get $cursor)))
                {cases}
                (local.set $cursor (i32.add (local.get $cursor) (i32.const {COMMAND_BYTES})))
                (br $next))))"
    )
}

/// What each command does. `$cursor` is the command's address, and `$number` its number.
fn commands(plan: &Plan) -> [(Op, String); 15] {
    let at = |offset: u32| format!("(i32.add (local.get $cursor) (i32.const {offset}))");
    let put = put(&at(8), &at(16));
    let word = |index: u32| {
        let offset = 8 + 8 * index;
        format!("(i64.load offset={offset} align=1 (local.get $cursor))")
    };
    let [first, second, third, fourth] = [0, 1, 2, 3].map(word);
    let (argument, key) = (at(COMMAND_BYTES), at(8));
    [
        (Op::Call, calls(plan)),
        (
            Op::Grow,
            "(call $mix (i64.extend_i32_u (memory.grow (local.get $number))))".to_owned(),
        ),
        (
            Op::Store,
            format!("(i64.store align=1 (local.get $number) {first})"),
        ),
        (
            Op::Load,
            "(call $mix (i64.load align=1 (local.get $number)))".to_owned(),
        ),
        (
            Op::Put,
            format!("(i64.store offset=16 align=1 (local.get $cursor) (global.get $digest)) {put}"),
        ),
        (
            Op::Get,
            format!(
                "(call $read_value {key} (i32.const {KEY_BYTES}) (i32.const 160))
                 (call $mix (i64.extend_i32_u (i32.load (i32.const 160))))
                 (if (i32.load (i32.const 160)) (then
                    (call $mix (i64.load align=1 (i32.load (i32.const 164))))))"
            ),
        ),
        (
            Op::FindAll,
            "(call $find_key_values (local.get $cursor) (i32.const 0) (i32.const 176))
             (call $mix (i64.load (i32.const 176)))"
                .to_owned(),
        ),
        (
            Op::CallApplication,
            format!(
                "(call $call_application (i32.const 1) {first} {second} {third} {fourth} {argument}
                    (i32.sub (i32.sub (local.get $end) (local.get $cursor)) (i32.const {COMMAND_BYTES}))
                    (i32.const 192))
                 (call $mix (i64.load (i32.const 192)))
                 (br $done)"
            ),
        ),
        (Op::Trap, "(unreachable)".to_owned()),
        (
            Op::Respond,
            format!(
                "(global.set $response (local.get $number))
                 (global.set $response_length (i32.wrap_i64 {first}))"
            ),
        ),
        (
            Op::Copy,
            format!(
                "(memory.copy (local.get $number) (i32.wrap_i64 {first}) (i32.wrap_i64 {second}))"
            ),
        ),
        (
            Op::Fill,
            format!(
                "(memory.fill (local.get $number) (i32.wrap_i64 {first}) (i32.wrap_i64 {second}))"
            ),
        ),
        (
            Op::Spin,
            "(if (local.get $number) (then (loop $again
                (br_if $again (local.tee $number (i32.sub (local.get $number) (i32.const 1)))))))"
                .to_owned(),
        ),
        (
            Op::Recurse,
            "(call $mix (i64.extend_i32_u (call $deeper (local.get $number))))".to_owned(),
        ),
        (
            Op::Refuse,
            "(global.set $refusing (i32.const 1))".to_owned(),
        ),
    ]
}

/// Calls the generated function that the number says, and mixes its results into the digest.
fn calls(plan: &Plan) -> String {
    let callable = plan.callable();
    let call = |(number, index): (usize, &usize)| {
        let ty = &plan.functions[*index];
        let arguments: String = (0..)
            .zip(ty.params())
            .map(|(place, ty)| {
                let offset = 8 + 8 * (place % WORDS);
                format!("local.get $cursor {ty}.load offset={offset} align=1\n")
            })
            .collect();
        let results: String = ty
            .results()
            .iter()
            .rev()
            .map(|ty| format!("{} call $mix\n", to_bits(*ty)))
            .collect();
        format!(
            "(if (i32.eq (local.get $number) (i32.const {number})) (then
                {arguments} call $generated{index} {results}))\n"
        )
    };
    callable.iter().enumerate().map(call).collect()
}

fn entries(plan: &Plan) -> String {
    let reset = if plan.leaky {
        String::new()
    } else {
        format!("(global.set $heap (i32.const {HEAP}))")
    };
    let post_return = if plan.post_return {
        r#"(func (export "cabi_post_resident:app/contract-entrypoints#execute-operation") (param i32)
            (call $mix (i64.extend_i32_u (local.get 0))))"#
    } else {
        ""
    };
    let put = put("(i32.const 112)", "(i32.const 64)");
    format!(
        r#"(func (export "resident:app/contract-entrypoints#execute-operation")
            (param i32 i32) (result i32)
            (call $run (local.get 0) (local.get 1))
            (i64.store (i32.const 64) (global.get $digest))
            (i32.store (i32.const 72) (memory.size))
            (i32.store (i32.const 76) (global.get $heap))
            (i32.store (i32.const 32) (global.get $response))
            (i32.store (i32.const 36) (global.get $response_length))
            (global.set $response (i32.const 64))
            (global.set $response_length (i32.const 16))
            {reset}
            (i32.const 32))
        {post_return}
        (func (export "resident:app/contract-entrypoints#execute-message") (param i32 i32)
            (call $run (local.get 0) (local.get 1))
            {reset})
        (func (export "resident:app/contract-entrypoints#instantiate") (param i32 i32)
            (call $run (local.get 0) (local.get 1))
            {reset})
        (func (export "resident:app/contract-entrypoints#finalize")
            (if (global.get $refusing) (then (unreachable)))
            (i32.store (i32.const 112) (i32.const 0x7fffffff))
            (i64.store (i32.const 64) (global.get $digest))
            {put})
        (func (export "resident:app/contract-entrypoints#process-streams") (param i32 i32))
        (func (export "resident:app/contract-entrypoints#summarize-events") (param i32 i32))"#
    )
}
