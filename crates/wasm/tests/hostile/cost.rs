//! The dearest modules that the limits allow: what they take of a compiler's time and memory.
//!
//! An attacker pays for bytes and wants seconds. Each kind of code below is repeated as often as the limits
//! allow, once in a single function and once spread over many, compiled on both engines, and printed with
//! its seconds and bytes beside what preparation counted for it. `prepare/work.rs` takes its constants from here.
//!
//! Times never decide a test: what is asserted is that each kind meets a limit.

use std::{fmt::Write, fs, sync::Arc, time::Instant};

use resident_wasm::{
    prepare::{Limits, PrepareError, PreparedModule},
    prepare_contract_with_limits, prepare_service,
    wasmer::{WasmerEngine, WasmerInstance},
    wasmtime::{WasmtimeEngine, WasmtimeInstance},
};

use crate::host::{TestHost, contract};

/// Code that is repeated. `#` stands for the number of the repetition.
struct Kind {
    name: &'static str,
    /// Declarations of the module.
    fields: &'static str,
    /// Parameters, results and locals of the function.
    head: &'static str,
    before: &'static str,
    repeated: &'static str,
    after: &'static str,
}

const fn kind(name: &'static str, head: &'static str, repeated: &'static str) -> Kind {
    Kind {
        name,
        fields: "",
        head,
        before: "",
        repeated,
        after: "",
    }
}

const X: &str = "(local $x i64) (local $y i64) (local $f f64) (local $i i32)";

const KINDS: &[Kind] = &[
    kind(
        "add",
        X,
        "(local.set $x (i64.add (local.get $x) (i64.const #)))",
    ),
    kind(
        "mix",
        X,
        "(local.set $x (i64.mul (i64.xor (local.get $x) (local.get $y)) (i64.const #)))",
    ),
    kind(
        "shifts",
        X,
        "(local.set $x (i64.rotl (i64.shl (local.get $x) (local.get $y)) (i64.add (local.get $x) (local.get $y))))",
    ),
    kind(
        "compare",
        X,
        "(local.set $x (i64.add (local.get $x) (i64.extend_i32_u (i64.lt_s (local.get $x) (i64.const #)))))",
    ),
    kind(
        "logic",
        X,
        "(local.set $x (i64.or (i64.and (local.get $x) (i64.const #)) (i64.xor (local.get $x) (i64.const -1))))",
    ),
    kind(
        "divide",
        X,
        "(local.set $x (i64.rem_s (local.get $x) (local.get $y)))",
    ),
    kind(
        "divide by constants",
        X,
        "(local.set $x (i64.div_s (local.get $x) (i64.const #)))",
    ),
    kind(
        "popcnt",
        X,
        "(local.set $x (i64.popcnt (i64.clz (local.get $x))))",
    ),
    kind(
        "select",
        X,
        "(local.set $x (select (local.get $x) (local.get $y) (i32.load offset=# (i32.const 0))))",
    ),
    kind("load", X, "(drop (i64.load offset=# (i32.const 64)))"),
    kind(
        "load chain",
        X,
        "(local.set $i (i32.load8_s (local.get $i)))",
    ),
    kind(
        "store",
        X,
        "(i64.store offset=# (local.get $i) (local.get $x))",
    ),
    kind(
        "store constants",
        X,
        "(i64.store offset=# (i32.const 0) (i64.const #))",
    ),
    kind(
        "global",
        X,
        "(global.set $heap (i32.add (global.get $heap) (i32.const #)))",
    ),
    kind(
        "float add",
        X,
        "(local.set $f (f64.add (local.get $f) (f64.const #)))",
    ),
    kind(
        "float sqrt",
        X,
        "(local.set $f (f64.sqrt (f64.neg (local.get $f))))",
    ),
    kind(
        "float min",
        X,
        "(local.set $f (f64.min (local.get $f) (f64.max (local.get $f) (f64.const #))))",
    ),
    kind(
        "float nearest",
        X,
        "(local.set $f (f64.nearest (f64.ceil (local.get $f))))",
    ),
    kind(
        "truncate",
        X,
        "(local.set $f (f64.convert_i64_u (i64.trunc_f64_u (local.get $f))))",
    ),
    kind(
        "saturate",
        X,
        "(local.set $f (f64.convert_i64_u (i64.trunc_sat_f64_u (local.get $f))))",
    ),
    kind("memory.grow", X, "(drop (memory.grow (local.get $i)))"),
    kind(
        "memory.size",
        X,
        "(local.set $i (i32.add (local.get $i) (memory.size)))",
    ),
    kind(
        "memory.copy",
        X,
        "(memory.copy (local.get $i) (local.get $i) (local.get $i))",
    ),
    kind(
        "memory.fill",
        X,
        "(memory.fill (local.get $i) (local.get $i) (local.get $i))",
    ),
    kind("call", X, "(call $none)"),
    Kind {
        fields: "(func $wide (param i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64))",
        ..kind(
            "call 16 params",
            X,
            "(call $wide (local.get $x) (local.get $y) (local.get $x) (local.get $y) (local.get $x) (local.get $y) (local.get $x) (local.get $y) (local.get $x) (local.get $y) (local.get $x) (local.get $y) (local.get $x) (local.get $y) (local.get $x) (local.get $y))",
        )
    },
    Kind {
        fields: "(type $t16 (func (param i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64) (result i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64))) (func $through (type $t16) (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4) (local.get 5) (local.get 6) (local.get 7) (local.get 8) (local.get 9) (local.get 10) (local.get 11) (local.get 12) (local.get 13) (local.get 14) (local.get 15))",
        before: "(local.get $x) (local.get $x) (local.get $x) (local.get $x) (local.get $x) (local.get $x) (local.get $x) (local.get $x) (local.get $x) (local.get $x) (local.get $x) (local.get $x) (local.get $x) (local.get $x) (local.get $x) (local.get $x)",
        after: "(drop) (drop) (drop) (drop) (drop) (drop) (drop) (drop) (drop) (drop) (drop) (drop) (drop) (drop) (drop) (drop)",
        ..kind("call 16 to 16", X, "(call $through)")
    },
    Kind {
        fields: "(func $many (result i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64) (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0))",
        ..kind(
            "call 16 results",
            X,
            "(call $many) (drop) (drop) (drop) (drop) (drop) (drop) (drop) (drop) (drop) (drop) (drop) (drop) (drop) (drop) (drop) (drop)",
        )
    },
    Kind {
        fields: "(table 4 funcref) (elem (i32.const 0) $none $none)",
        ..kind("call_indirect", X, "(call_indirect (local.get $i))")
    },
    kind("call import", X, "(call $chain_id (local.get $i))"),
    kind("block", X, "(block)"),
    kind(
        "block with result",
        X,
        "(local.set $x (block (result i64) (i64.const #)))",
    ),
    kind(
        "block with result and branch",
        X,
        "(local.set $x (block (result i64) (br_if 0 (local.get $x) (local.get $i))))",
    ),
    kind(
        "blocks branched to",
        X,
        "(block (br_if 0 (local.get $i)) (local.set $x (i64.const #)))",
    ),
    kind("br_if out", X, "(br_if 0 (local.get $i))"),
    kind("return", X, "(if (local.get $i) (then (return)))"),
    kind("unreachable", X, "(if (local.get $i) (then (unreachable)))"),
    kind("if", X, "(if (local.get $i) (then))"),
    kind(
        "if else",
        X,
        "(if (local.get $i) (then (local.set $x (i64.const #))) (else (local.set $y (i64.const #))))",
    ),
    kind(
        "if result",
        X,
        "(local.set $x (if (result i64) (local.get $i) (then (local.get $x)) (else (local.get $y))))",
    ),
    kind(
        "if load",
        X,
        "(if (i32.load8_u offset=# (i32.const 0)) (then (local.set $x (i64.add (local.get $x) (local.get $y)))))",
    ),
    kind("loop", X, "(loop)"),
    kind("loop back", X, "(loop (br_if 0 (local.get $i)))"),
    kind(
        "loop set",
        X,
        "(loop (local.set $x (i64.add (local.get $x) (i64.const #))) (br_if 0 (i32.load8_u (local.get $i))))",
    ),
    kind(
        "br_table",
        X,
        "(block (block (br_table 0 1 0 1 0 1 0 1 0 1 0 1 0 1 0 1 (local.get $i))))",
    ),
    Kind {
        before: "(loop $l",
        after: ")",
        ..kind(
            "branches back",
            X,
            "(local.set $x (i64.add (local.get $x) (local.get $y))) (br_if $l (i32.load8_u offset=# (i32.const 0)))",
        )
    },
    Kind {
        before: "(loop $l",
        after: "(br_if $l (local.get $i)))",
        ..kind(
            "hoist",
            X,
            "(f64.store offset=# (local.get $i) (f64.mul (f64.convert_i64_s (local.get $y)) (f64.const #)))",
        )
    },
    Kind {
        before: "(loop $l",
        after: "(br_if $l (local.get $i)))",
        ..kind(
            "hoist integers",
            X,
            "(i64.store offset=# (local.get $i) (i64.mul (local.get $y) (i64.mul (local.get $y) (i64.const #))))",
        )
    },
];

/// Code with two numbers: how many of something, and how often another thing.
fn special(name: &str, a: usize, b: usize) -> Option<(String, String)> {
    let each =
        |count: usize, text: &dyn Fn(usize) -> String| (0..count).map(text).collect::<String>();
    let locals = |n: usize| format!("(local $i i32) (local {})", "i64 ".repeat(n));
    let bump = |n: usize| {
        each(n, &|i| {
            format!(
                "(local.set {k} (i64.add (local.get {k}) (i64.const 1)))",
                k = i + 1
            )
        })
    };
    let body = match name {
        // a loops nested, b times.
        "nested loops" => (
            X.to_owned(),
            format!("{}{}", "(loop ".repeat(a), ")".repeat(a)).repeat(b),
        ),
        "nested loops back" => (
            X.to_owned(),
            format!(
                "{}(local.set $x (i64.add (local.get $x) (i64.const 1))) {}",
                "(loop ".repeat(a),
                "(br_if 0 (i32.load8_u (local.get $i))))".repeat(a)
            )
            .repeat(b),
        ),
        "nested blocks" => (
            X.to_owned(),
            format!(
                "{}(br_if 0 (local.get $i)) {}",
                "(block ".repeat(a),
                "(br_if 0 (local.get $i)))".repeat(a)
            )
            .repeat(b),
        ),
        "nested ifs" => (
            X.to_owned(),
            format!(
                "{}(local.set $x (i64.const 1)) {}",
                "(if (local.get $i) (then ".repeat(a),
                "))".repeat(a)
            )
            .repeat(b),
        ),
        // a locals that differ on each way, b branches.
        "locals, branches back" => (
            locals(a),
            format!(
                "(loop {} {})",
                bump(a),
                "(br_if 0 (i32.load8_u (local.get $i)))".repeat(b)
            ),
        ),
        "locals, loops" => (
            locals(a),
            format!(
                "{} {}",
                "(loop (br_if 0 (i32.load8_u (local.get $i))))".repeat(b),
                bump(a)
            ),
        ),
        "locals set in ifs" => (
            locals(a),
            each(b, &|i| {
                format!(
                    "(if (i32.load8_u (local.get $i)) (then (local.set {k} (i64.add (local.get {k}) (i64.const {i})))))",
                    k = 1 + i % a
                )
            }) + &bump(a),
        ),
        "locals set in loops" => (
            locals(a),
            format!(
                "(loop {} {} (br_if 0 (local.get $i)))",
                bump(a),
                each(b, &|i| format!(
                    "(loop (local.set {k} (i64.add (local.get {k}) (i64.const {i}))) (br_if 0 (i32.load8_u (local.get $i))))",
                    k = 1 + i % a
                ))
            ),
        ),
        "locals alive over blocks" => (
            locals(a),
            format!(
                "{} {} {}",
                each(a, &|i| format!(
                    "(local.set {} (i64.load offset={i} (local.get $i)))",
                    i + 1
                )),
                "(if (i32.load8_u (local.get $i)) (then (call $none)))".repeat(b),
                each(a, &|i| format!(
                    "(i64.store offset={i} (local.get $i) (local.get {}))",
                    i + 1
                ))
            ),
        ),
        "locals alive over calls" => (
            locals(a),
            format!(
                "{} {} {}",
                each(a, &|i| format!(
                    "(local.set {} (i64.load offset={i} (local.get $i)))",
                    i + 1
                )),
                "(call $none)".repeat(b),
                each(a, &|i| format!(
                    "(i64.store offset={i} (local.get $i) (local.get {}))",
                    i + 1
                ))
            ),
        ),
        "operands over blocks" => (
            X.to_owned(),
            format!(
                "{} {} {}",
                each(a, &|i| format!("(i64.load offset={i} (local.get $i))")),
                "(if (i32.load8_u (local.get $i)) (then (call $none)))".repeat(b),
                "(local.set $x) ".repeat(a)
            ),
        ),
        // a values that are computed twice, b blocks between.
        "values kept over blocks" => {
            let values = each(a, &|i| {
                format!(
                    "(i64.store offset={i} (local.get $i) (i64.mul (local.get $y) (i64.mul (local.get $x) (i64.const {i}))))"
                )
            });
            (
                X.to_owned(),
                format!(
                    "(local.set $y (i64.load (i32.const 0))) (local.set $x (i64.load (i32.const 8))) {values} {} {values}",
                    "(if (i32.load8_u (local.get $i)) (then (call $none)))".repeat(b)
                ),
            )
        }
        "values kept over loops" => {
            let values = each(a, &|i| {
                format!(
                    "(f64.store offset={i} (local.get $i) (f64.mul (local.get $f) (f64.convert_i64_s (i64.mul (local.get $x) (i64.const {i})))))"
                )
            });
            (
                X.to_owned(),
                format!(
                    "(local.set $f (f64.load (i32.const 0))) (local.set $x (i64.load (i32.const 8))) (loop {} {values} (br_if 0 (local.get $i)))",
                    "(loop (call $none) (br_if 0 (i32.load8_u (local.get $i))))".repeat(b)
                ),
            )
        }
        // values used at random distances.
        "random lifetimes" => {
            let mut seed = 1_u64;
            let mut next = move |n: usize| {
                seed = seed
                    .wrapping_mul(6364136223846793005)
                    .wrapping_add(1442695040888963407);
                (seed >> 33) as usize % n
            };
            let mut text = String::new();
            for i in 0..b {
                let _ = match i % 7 {
                    6 => write!(text, "(call $none)"),
                    _ => write!(
                        text,
                        "(local.set {} (i64.mul (local.get {}) (local.get {})))",
                        1 + next(a),
                        1 + next(a),
                        1 + next(a)
                    ),
                };
            }
            (
                locals(a),
                text + &each(a, &|i| {
                    format!(
                        "(i64.store offset={i} (local.get $i) (local.get {}))",
                        i + 1
                    )
                }),
            )
        }
        // one expression a deep, b times.
        "deep expression" => (
            X.to_owned(),
            format!(
                "(local.set $x {}(local.get $x){})",
                "(i64.mul (i64.load (local.get $i)) ".repeat(a),
                ")".repeat(a)
            )
            .repeat(b),
        ),
        "deep constants" => (
            X.to_owned(),
            format!(
                "(local.set $x {}(local.get $x){})",
                "(i64.add (i64.const 3) (i64.xor (i64.const 5) ".repeat(a),
                "))".repeat(a)
            )
            .repeat(b),
        ),
        // a targets in each of b tables.
        "jump tables, one place" => (
            X.to_owned(),
            format!("(block (br_table {} (local.get $i)))", "0 ".repeat(a)).repeat(b),
        ),
        "jump tables, all places" => (
            X.to_owned(),
            format!(
                "{}(br_table {}(local.get $i)){}",
                "(block ".repeat(a.min(900)),
                each(a, &|i| format!("{} ", i % a.min(900))),
                ")".repeat(a.min(900))
            )
            .repeat(b),
        ),
        "jump tables with locals" => (
            locals(a),
            format!(
                "(loop {} {})",
                bump(a),
                format!(
                    "(block (br_table 0 {}(i32.load8_u (local.get $i))))",
                    "1 ".repeat(64)
                )
                .repeat(b)
            ),
        ),
        _ => return None,
    };
    Some(body)
}

const SPECIAL: &[(&str, usize)] = &[
    ("nested loops", 1_000),
    ("nested loops back", 300),
    ("nested loops", 100),
    ("nested blocks", 1_000),
    ("nested ifs", 1_000),
    ("locals, branches back", 100),
    ("locals, branches back", 1_000),
    ("locals, loops", 1_000),
    ("locals set in ifs", 30),
    ("locals set in ifs", 1_000),
    ("locals set in loops", 30),
    ("locals set in loops", 1_000),
    ("locals alive over blocks", 30),
    ("locals alive over blocks", 1_000),
    ("locals alive over calls", 100),
    ("locals alive over calls", 1_000),
    ("operands over blocks", 100),
    ("operands over blocks", 1_000),
    ("values kept over blocks", 100),
    ("values kept over blocks", 1_000),
    ("values kept over blocks", 10_000),
    ("values kept over loops", 100),
    ("values kept over loops", 1_000),
    ("values kept over loops", 5_000),
    ("random lifetimes", 20),
    ("random lifetimes", 200),
    ("random lifetimes", 2_000),
    ("deep expression", 1_000),
    ("deep constants", 400),
    ("jump tables, one place", 4_000),
    ("jump tables, all places", 4_000),
    ("jump tables with locals", 100),
];

fn plain(kind: &Kind, times: usize, functions: usize) -> Vec<u8> {
    let repeated: String = (0..times)
        .map(|i| kind.repeated.replace('#', &(i * 8 + 8).to_string()))
        .collect();
    let function = format!(
        "(func {} {} {repeated} {})",
        kind.head, kind.before, kind.after
    );
    module(kind.fields, &function, functions)
}

fn module(fields: &str, function: &str, functions: usize) -> Vec<u8> {
    contract(
        "(i32.const 32)",
        &format!("(func $none) {fields} {}", function.repeat(functions)),
    )
}

thread_local! { static SERVICE: std::cell::Cell<bool> = const { std::cell::Cell::new(false) }; }

fn prepare(code: &[u8]) -> Result<PreparedModule, PrepareError> {
    if SERVICE.get() {
        return prepare_service::<TestHost>(code);
    }
    let free = Limits {
        compile_work: u64::MAX,
        ..Limits::PROTOCOL
    };
    let limits = if std::env::var_os("FREE").is_some() {
        free
    } else {
        Limits::PROTOCOL
    };
    prepare_contract_with_limits::<TestHost>(code, &limits)
}

/// CPU time of the process, in seconds.
fn cpu() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks = |index| {
        stat.split(' ')
            .nth(index)
            .and_then(|it| it.parse::<u64>().ok())
            .unwrap_or(0)
    };
    (ticks(13) + ticks(14)) as f64 / 100.0
}

fn memory(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .unwrap_or_default();
    let kibibytes = line.split_whitespace().next();
    kibibytes.and_then(|it| it.parse().ok()).unwrap_or(0)
}

/// Seconds of CPU, and mebibytes at most.
fn measured<T>(work: impl FnOnce() -> T) -> (f64, u64) {
    let _ = fs::write("/proc/self/clear_refs", "5");
    let (before, held, start) = (cpu(), memory("VmRSS:"), Instant::now());
    drop(work());
    let _ = start;
    (cpu() - before, memory("VmHWM:").saturating_sub(held) >> 10)
}

fn report(name: &str, code: &[u8]) {
    let start = Instant::now();
    let prepared = match prepare(code) {
        Ok(prepared) => Arc::new(prepared),
        Err(error) => return println!("{name:<44} {:>8} bytes REFUSED {error}", code.len()),
    };
    let preparing = start.elapsed().as_secs_f64();
    let wasmtime = WasmtimeEngine::<TestHost>::new().expect("Wasmtime runs here");
    let wasmer = WasmerEngine::<TestHost>::new().expect("Wasmer runs here");
    let first = measured(|| {
        wasmtime
            .compile(prepared.clone())
            .map(|_| ())
            .expect("Wasmtime compiles");
    });
    let second = measured(|| {
        wasmer
            .compile(prepared.clone())
            .map(|_| ())
            .expect("Wasmer compiles");
    });
    println!(
        "{name:<44} {:>8} bytes x{:<5.2} work {:>9} prepare {preparing:>6.3} s  Wasmtime {:>6.2} s {:>5} MiB  Wasmer {:>6.2} s {:>5} MiB",
        code.len(),
        prepared.bytes.len() as f64 / code.len() as f64,
        prepared.compile_work,
        first.0,
        first.1,
        second.0,
        second.1,
    );
}

/// The largest number for which a module is accepted.
fn largest(mut accepted: impl FnMut(usize) -> bool, most: usize) -> usize {
    let (mut low, mut high) = (0, 1);
    while high < most && accepted(high) {
        (low, high) = (high, high * 2);
    }
    while high - low > 1 + low / 50 {
        let middle = (low + high) / 2;
        match accepted(middle) {
            true => low = middle,
            false => high = middle,
        }
    }
    low
}

/// `KIND` names some kinds, `SIZE` and `FUNCTIONS` say how many; `FILES` names modules in files.
#[test]
#[ignore = "minutes: prints what the dearest modules under the limits take to compile"]
fn the_dearest_modules() {
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .and_then(|text| text.parse::<usize>().ok())
    };
    let wanted = std::env::var("KIND").unwrap_or_default();
    let (size, functions) = (number("SIZE"), number("FUNCTIONS"));
    if let Ok(files) = std::env::var("FILES") {
        for file in files.split(',') {
            SERVICE.set(file.ends_with("service.wasm"));
            report(
                file.rsplit('/').next().unwrap_or_default(),
                &fs::read(file).expect("a file"),
            );
        }
        return;
    }
    for kind in KINDS.iter().filter(|kind| kind.name.contains(&wanted)) {
        let passes = |times, functions| prepare(&plain(kind, times, functions)).is_ok();
        let times = size.unwrap_or_else(|| largest(|times| passes(times, 1), 1 << 18));
        report(
            &format!("{} x {times}", kind.name),
            &plain(kind, times, functions.unwrap_or(1)),
        );
        if functions.is_none() && size.is_none() {
            let times = times.min(200);
            let functions = largest(|functions| passes(times, functions), 20_000);
            report(
                &format!("{} x {times} x {functions}", kind.name),
                &plain(kind, times, functions),
            );
        }
    }
    for (name, a) in SPECIAL.iter().filter(|(name, _)| name.contains(&wanted)) {
        let a = number("A").unwrap_or(*a);
        let code = |b, functions| {
            let (head, body) = special(name, a, b).expect("it is listed");
            module("", &format!("(func {head} {body})"), functions)
        };
        let b = size.unwrap_or_else(|| largest(|b| prepare(&code(b, 1)).is_ok(), 1 << 18));
        report(
            &format!("{a} {name} x {b}"),
            &code(b, functions.unwrap_or(1)),
        );
    }
}

/// What an instance costs: `instance_work` takes its constants from here.
#[test]
#[ignore = "prints how long instances with much of one thing take to make"]
fn the_dearest_instances() {
    let plain = |fields: &str| contract("(i32.const 32)", fields);
    let functions = "(func)".repeat(1_800);
    let data: String = (0..64)
        .map(|i| {
            format!(
                "(data (i32.const {}) \"{}\")",
                256 + i * 1_500,
                "x".repeat(1_000)
            )
        })
        .collect();
    let kinds = [
        ("nothing", plain("")),
        ("1,800 functions", plain(&functions)),
        (
            "1,800 functions in a table",
            plain(&format!(
                "(table 1800 funcref) (elem (i32.const 0) func {}) {functions}",
                (10..1_800).map(|i| format!("{i} ")).collect::<String>()
            )),
        ),
        (
            "16,384 entries in a table",
            plain(&format!(
                "(func $f) (table 16384 funcref) (elem (i32.const 0) func {})",
                "$f ".repeat(16_384)
            )),
        ),
        ("an empty table", plain("(table 16384 funcref)")),
        (
            "900 mutable globals",
            plain(&"(global (mut i64) (i64.const 7))".repeat(900)),
        ),
        (
            "900 globals",
            plain(&"(global i64 (i64.const 7))".repeat(900)),
        ),
        ("64 pieces of data", plain(&data)),
        (
            "exports",
            plain(
                &(0..3_900)
                    .map(|i| format!("(export \"{}{i}\" (func $allocate))", "n".repeat(900)))
                    .collect::<String>(),
            ),
        ),
    ];
    for (name, code) in kinds {
        instances(name, &code);
    }
    for pages in [16, 256] {
        let code = wat::parse_str(format!(
            r#"(module (memory (export "memory") {pages}) {ENTRIES} )"#,
        ))
        .expect("text");
        instances(&format!("{pages} pages"), &code);
        let full = "x".repeat(3 << 20);
        let code = wat::parse_str(format!(
            r#"(module (memory (export "memory") {pages}) {} (data (i32.const 0) "{}") )"#,
            ENTRIES,
            &full[..(pages << 16).min(3 << 20)]
        ))
        .expect("text");
        instances(&format!("{pages} pages with data"), &code);
    }
}

const ENTRIES: &str = r#"
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 64))
    (func (export "resident:app/contract-entrypoints#execute-operation") (param i32 i32) (result i32) (i32.const 32))
    (func (export "resident:app/contract-entrypoints#instantiate") (param i32 i32))
    (func (export "resident:app/contract-entrypoints#execute-message") (param i32 i32))
    (func (export "resident:app/contract-entrypoints#process-streams") (param i32 i32))
    (func (export "resident:app/contract-entrypoints#summarize-events") (param i32 i32))
    (func (export "resident:app/contract-entrypoints#finalize"))"#;

fn instances(name: &str, code: &[u8]) {
    let prepared = match prepare(code) {
        Ok(prepared) => Arc::new(prepared),
        Err(error) => return println!("{name:<44} {:>8} bytes REFUSED {error}", code.len()),
    };
    let wasmtime = WasmtimeEngine::<TestHost>::new()
        .expect("Wasmtime runs here")
        .compile(prepared.clone())
        .expect("compiles");
    let wasmer = WasmerEngine::<TestHost>::new()
        .expect("Wasmer runs here")
        .compile(prepared.clone())
        .expect("compiles");
    let timed = |make: &dyn Fn()| {
        make();
        let mut times: Vec<_> = (0..101)
            .map(|_| {
                let start = Instant::now();
                make();
                start.elapsed().as_nanos() / 1_000
            })
            .collect();
        times.sort_unstable();
        times[50]
    };
    let first = timed(&|| drop(WasmtimeInstance::new(&wasmtime).expect("room")));
    let second = timed(&|| drop(WasmerInstance::new(&wasmer).expect("room")));
    println!(
        "{name:<44} {:>8} bytes, prepared {:>8}, counted {:>8} us   Wasmtime {first:>6} us   Wasmer {second:>6} us",
        code.len(),
        prepared.bytes.len(),
        prepared.instance_work / 1_000
    );
}
