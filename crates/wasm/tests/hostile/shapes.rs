//! Functions with frames as large as can be for their units: one shape for each kind of value that a compiler keeps.
//!
//! Each is a function `$deeper` that calls itself, with so many values of the kind. What stands behind
//! [`NEVER`] does not run, and a compiler does not know that.

/// A kind of value, and the fields of a module with so many of them.
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    pub(crate) fields: fn(usize) -> String,
}

/// How many values.
pub(crate) const SIZES: [usize; 4] = [1, 16, 200, 900];

/// A condition that never holds.
const NEVER: &str = "(i32.load (i32.const 900))";

pub(crate) const ALL: &[Shape] = &[
    Shape {
        name: "nothing",
        fields: |_| function("", "(call $deeper (local.get 0))"),
    },
    Shape {
        name: "results of calls that never run",
        fields: |size| results_in_memory(size, 16),
    },
    Shape {
        name: "pairs of results of calls that never run",
        fields: |size| results_in_memory(size, 2),
    },
    Shape {
        name: "results with random lifetimes",
        fields: random_lifetimes,
    },
    Shape {
        name: "floats with random lifetimes",
        fields: random_floats,
    },
    Shape {
        name: "results of many, with random lifetimes",
        fields: random_lists,
    },
    Shape {
        name: "operands of a call",
        fields: operands_of_a_call,
    },
    Shape {
        name: "integers kept over a loop",
        fields: |size| kept(size, "(i64.mul (local.get 0) (i64.const {}))", "(i64.xor)"),
    },
    Shape {
        name: "floats kept over a loop",
        fields: kept_floats,
    },
    Shape {
        name: "addresses kept over a loop",
        fields: kept_addresses,
    },
    Shape {
        name: "places in the table kept over a loop",
        fields: kept_places,
    },
    Shape {
        name: "types of indirect calls",
        fields: kept_types,
    },
    Shape {
        name: "locals that loops exchange",
        fields: exchanged_locals,
    },
    Shape {
        name: "locals that blocks may change",
        fields: changed_locals,
    },
    Shape {
        name: "locals alive over the call",
        fields: live_locals,
    },
    Shape {
        name: "operands alive over the call",
        fields: live_operands,
    },
    Shape {
        name: "float constants on both sides of the call",
        fields: constants,
    },
    Shape {
        name: "globals on both sides of the call",
        fields: globals,
    },
];

fn function(locals: &str, code: &str) -> String {
    format!("(func $deeper (param i64) (result i64) {locals} {code})")
}

fn all(count: usize, field: impl Fn(usize) -> String) -> String {
    (0..count).map(field).collect()
}

fn results_in_memory(count: usize, results: usize) -> String {
    let calls = format!("(call $many) {}", "(drop)".repeat(results)).repeat(count);
    let many = format!(
        "(func $many (result {}) {})",
        "i64 ".repeat(results),
        "(i64.const 1)".repeat(results)
    );
    let code = format!("(call $deeper (local.get 0)) (if {NEVER} (then {calls}))");
    format!("{many} {}", function("", &code))
}

/// Numbers that look like noise (SplitMix64).
fn noise() -> impl FnMut(usize) -> usize {
    let mut state = 1_u64;
    move |below| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % below as u64) as usize
    }
}

/// Each result lives for as long as nothing else is put in its local.
fn random_lifetimes(count: usize) -> String {
    let mut random = noise();
    let locals = count.div_ceil(8).max(2);
    let steps: String = (0..count)
        .map(|_| {
            format!(
                "(local.set {} (call $one (local.get {})))",
                1 + random(locals),
                1 + random(locals)
            )
        })
        .collect();
    let code =
        format!("(call $deeper (local.get 0)) (if {NEVER} (then {steps})) (local.get 1) (i64.add)");
    let one = "(func $one (param i64) (result i64) (i64.add (local.get 0) (i64.const 1)))";
    format!(
        "{one} {}",
        function(&format!("(local {})", "i64 ".repeat(locals)), &code)
    )
}

fn random_floats(count: usize) -> String {
    let mut random = noise();
    let locals = count.div_ceil(8).max(2);
    let steps: String = (0..count)
        .map(|_| {
            format!(
                "(local.set {} (call $one (local.get {})))",
                1 + random(locals),
                1 + random(locals)
            )
        })
        .collect();
    let code = format!(
        "(call $deeper (local.get 0)) (if {NEVER} (then {steps}))
         (i64.trunc_sat_f64_s (local.get 1)) (i64.add)"
    );
    let one = "(func $one (param f64) (result f64) (f64.add (local.get 0) (f64.const 1)))";
    format!(
        "{one} {}",
        function(&format!("(local {})", "f64 ".repeat(locals)), &code)
    )
}

/// Five results at a time, put in locals at random.
fn random_lists(count: usize) -> String {
    let mut random = noise();
    let locals = count.div_ceil(4).max(5);
    let steps: String = (0..count.div_ceil(5))
        .map(|_| {
            let sets = all(5, |_| String::new());
            let sets = (0..5).fold(sets, |sets, _| {
                format!("{sets} (local.set {})", 1 + random(locals))
            });
            format!("(call $five (local.get {})) {sets}", 1 + random(locals))
        })
        .collect();
    let code =
        format!("(call $deeper (local.get 0)) (if {NEVER} (then {steps})) (local.get 1) (i64.add)");
    let five = format!(
        "(func $five (param i64) (result {}) {})",
        "i64 ".repeat(5),
        "(local.get 0)".repeat(5)
    );
    format!(
        "{five} {}",
        function(&format!("(local {})", "i64 ".repeat(locals)), &code)
    )
}

fn operands_of_a_call(count: usize) -> String {
    // As many parameters as a function may have.
    let count = count.min(64);
    let parameters = "f64 ".repeat(count);
    let operands = all(count, |i| {
        format!("(f64.load offset={} (i32.const 8))", 8 * i)
    });
    let sum = "(f64.add)".repeat(count);
    let gets = all(count, |i| format!("(local.get {i})"));
    format!(
        "(func $wide (param {parameters}) (result f64)
            (f64.const 1) {gets} {sum} (f64.convert_i64_s (call $deeper (i64.const 1))) (f64.add))
         {}",
        function(
            "",
            &format!("{operands} (call $wide) (i64.trunc_sat_f64_s)")
        )
    )
}

/// What is the same in each turn of a loop is computed once, before it.
fn kept(count: usize, compute: &str, combine: &str) -> String {
    let turn = all(count, |i| {
        let compute = compute.replace("{}", &(2 * i + 3).to_string());
        format!("{compute} {combine}")
    });
    let code = format!(
        "(loop $again
            (call $deeper (local.get 0)) {turn} (local.set $sum)
            (br_if $again (i32.wrap_i64 (local.get $sum))))
         (local.get $sum)"
    );
    function("(local $sum i64)", &code)
}

fn kept_floats(count: usize) -> String {
    let turn = all(count, |i| {
        format!(
            "(f64.mul (local.get $x) (f64.const {})) (f64.add)",
            2 * i + 3
        )
    });
    let code = format!(
        "(local.set $x (f64.convert_i64_s (local.get 0)))
         (loop $again
            (f64.convert_i64_s (call $deeper (local.get 0))) {turn} (local.set $sum)
            (br_if $again (i32.wrap_i64 (i64.trunc_sat_f64_s (local.get $sum)))))
         (i64.trunc_sat_f64_s (local.get $sum))"
    );
    function("(local $x f64) (local $sum f64)", &code)
}

/// The addresses of loads that never run, computed from the same locals in each turn.
fn kept_addresses(count: usize) -> String {
    let loads = all(count, |i| {
        format!(
            "(i64.load offset={} (i32.wrap_i64 (i64.shl (local.get 0) (i64.const {})))) (i64.xor)",
            8 * i,
            i % 64
        )
    });
    let code = format!(
        "(loop $again
            (call $deeper (local.get 0))
            (if (result i64) {NEVER} (then (local.get 0) {loads}) (else (i64.const 0)))
            (i64.add) (local.set $sum)
            (br_if $again (i32.wrap_i64 (local.get $sum))))
         (local.get $sum)"
    );
    function("(local $sum i64)", &code)
}

fn kept_places(count: usize) -> String {
    let calls = all(count, |i| {
        format!("(call_indirect (type $t) (i32.add (i32.wrap_i64 (local.get 0)) (i32.const {i})))")
    });
    let code = format!(
        "(loop $again
            (call $deeper (local.get 0))
            (if (result i64) {NEVER} (then (local.get 0) {calls}) (else (i64.const 0)))
            (i64.add) (local.set $sum)
            (br_if $again (i32.wrap_i64 (local.get $sum))))
         (local.get $sum)"
    );
    format!(
        "(type $t (func (param i64) (result i64))) (table 4 funcref) (elem (i32.const 1) $deeper)
         {}",
        function("(local $sum i64)", &code)
    )
}

/// Each indirect call asks for another type.
fn kept_types(count: usize) -> String {
    let types = all(count, |i| {
        let bits = |bit: usize| if i >> bit & 1 == 0 { "i32 " } else { "i64 " };
        let parameters: String = (0..10).map(bits).collect();
        format!("(type $t{i} (func (param {parameters})))")
    });
    let calls = all(count, |i| {
        let bits = |bit: usize| {
            if i >> bit & 1 == 0 {
                "(i32.const 1)"
            } else {
                "(i64.const 1)"
            }
        };
        let operands: String = (0..10).map(bits).collect();
        format!("{operands} (call_indirect (type $t{i}) (i32.wrap_i64 (local.get 0)))")
    });
    let code = format!(
        "(loop $again
            (local.set $sum (call $deeper (local.get 0)))
            (if {NEVER} (then {calls}))
            (br_if $again (i32.wrap_i64 (local.get $sum))))
         (local.get $sum)"
    );
    format!(
        "{types} (table 4 funcref) (elem (i32.const 1) $deeper) {}",
        function("(local $sum i64)", &code)
    )
}

/// Locals that change places in each turn, so that no two values of one local can share a slot.
fn exchanged_locals(count: usize) -> String {
    let locals = count.clamp(2, 100);
    let loops = (count / locals).max(1);
    let mut random = noise();
    let body: String = (0..loops)
        .map(|_| {
            let gets = all(locals, |i| format!("(local.get {})", 1 + i));
            let sets: String = (0..locals)
                .map(|_| format!("(local.set {})", 1 + random(locals)))
                .collect();
            format!(
                "(loop $turn {gets} {sets} (call $nothing)
                    (br_if $turn (i32.wrap_i64 (local.get 1))))"
            )
        })
        .collect();
    let sum = all(locals, |i| format!("(local.get {}) (i64.xor)", 1 + i));
    let code = format!("(call $deeper (local.get 0)) (if {NEVER} (then {body})) {sum}");
    format!(
        "(func $nothing) {}",
        function(&format!("(local {})", "i64 ".repeat(locals)), &code)
    )
}

/// Each block may leave early, so behind it some locals have one of two values.
fn changed_locals(count: usize) -> String {
    let locals = count.clamp(2, 60);
    let mut random = noise();
    let body: String = (0..count)
        .map(|_| {
            let [first, second] = [0; 2].map(|_| 1 + random(locals));
            format!(
                "(block (br_if 0 (i32.wrap_i64 (local.get {first})))
                    (local.set {second} (call $one (local.get {first}))) (local.set {first} (call $one (local.get 0))))"
            )
        })
        .collect();
    let sum = all(locals, |i| format!("(local.get {}) (f64.add)", 1 + i));
    let body = body
        .replace("i32.wrap_i64", "i32.trunc_sat_f64_s")
        .replace("(call $one (local.get 0))", "(call $one (f64.const 3))");
    let code = format!(
        "(call $deeper (local.get 0)) (f64.const 0)
         (if {NEVER} (then {body})) {sum} (i64.trunc_sat_f64_s) (i64.add)"
    );
    format!(
        "(func $one (param f64) (result f64) (f64.add (local.get 0) (f64.const 1))) {}",
        function(&format!("(local {})", "f64 ".repeat(locals)), &code)
    )
}

fn live_locals(count: usize) -> String {
    let sets = all(count, |i| {
        format!(
            "(local.set {} (f64.load offset={} (i32.const 0)))",
            1 + i,
            8 * i
        )
    });
    let sum = all(count, |i| format!("(local.get {}) (f64.add)", 1 + i));
    let code = format!(
        "{sets} (f64.convert_i64_s (call $deeper (local.get 0))) {sum} (i64.trunc_sat_f64_s)"
    );
    function(&format!("(local {})", "f64 ".repeat(count)), &code)
}

fn live_operands(count: usize) -> String {
    let loads = all(count, |i| {
        format!("(f64.load offset={} (i32.const 0))", 8 * i)
    });
    let code = format!(
        "{loads} (f64.convert_i64_s (call $deeper (local.get 0))) {} (i64.trunc_sat_f64_s)",
        "(f64.add)".repeat(count)
    );
    function("", &code)
}

fn constants(count: usize) -> String {
    let stores = |at: usize| {
        all(count, |i| {
            format!(
                "(f64.store offset={} (i32.const {at}) (f64.const {i}.5))",
                8 * i
            )
        })
    };
    let code = format!(
        "{} (call $deeper (local.get 0)) {}",
        stores(8),
        stores(8_192)
    );
    function("", &code)
}

fn globals(count: usize) -> String {
    let count = count.min(400);
    let declared = all(count, |i| {
        format!("(global $g{i} (mut f64) (f64.const {i}))")
    });
    let gets = all(count, |i| format!("(global.get $g{i}) (f64.add)"));
    let code = format!(
        "(local.set $sum (f64.const 0) {gets})
         (local.set 0 (call $deeper (local.get 0)))
         (local.set $sum (local.get $sum) {gets})
         (i64.trunc_sat_f64_s (local.get $sum))"
    );
    format!("{declared} {}", function("(local $sum f64)", &code))
}
