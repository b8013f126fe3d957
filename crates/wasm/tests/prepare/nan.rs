//! NaNs are canonical wherever they can be seen, without help from the engine.

use resident_wasm::prepare::PreparedModule;
use wasmtime::{Engine, Val};

use crate::harness::{call, config, instantiate, prepare_text};

const CANONICAL_F32: u64 = 0x7fc0_0000;
const CANONICAL_F64: u64 = 0x7ff8_0000_0000_0000;

fn run_plain(prepared: &PreparedModule, arguments: &[Val]) -> Vec<u64> {
    let mut config = config();
    config.cranelift_nan_canonicalization(false);
    let (mut store, instance) =
        instantiate(&Engine::new(&config).expect("engine"), &prepared.bytes);
    let fuel = instance
        .get_global(&mut store, "resident:fuel")
        .expect("global");
    fuel.set(&mut store, Val::I64(1 << 30)).expect("mutable");
    call(&mut store, &instance, "run", arguments).expect("no trap")
}

#[test]
fn arithmetic_gives_canonical_nans() {
    for (ty, int, nan, canonical) in [
        ("f32", Val::F32(0xffa1_2345), "f32", CANONICAL_F32),
        ("f64", Val::F64(0xfff4_1234_5678_9abc), "f64", CANONICAL_F64),
    ] {
        for operator in ["add", "sub", "mul", "div", "min", "max"] {
            let text = format!(
                r#"(func (export "run") (param {ty}) (result {ty})
                    ({nan}.{operator} (local.get 0) ({ty}.const 1)))"#
            );
            assert_eq!(
                run_plain(&prepare_text(&text), &[int]),
                [canonical],
                "{ty}.{operator}"
            );
        }
        for operator in ["sqrt", "ceil", "floor", "trunc", "nearest"] {
            let text = format!(
                r#"(func (export "run") (param {ty}) (result {ty})
                    ({nan}.{operator} (local.get 0)))"#
            );
            assert_eq!(
                run_plain(&prepare_text(&text), &[int]),
                [canonical],
                "{ty}.{operator}"
            );
        }
    }
}

#[test]
fn conversions_between_floats_give_canonical_nans() {
    let text = r#"(func (export "run") (param f32 f64) (result f64 f32)
        (f64.promote_f32 (local.get 0)) (f32.demote_f64 (local.get 1)))"#;
    let arguments = [Val::F32(0xffa1_2345), Val::F64(0xfff4_1234_5678_9abc)];
    assert_eq!(
        run_plain(&prepare_text(text), &arguments),
        [CANONICAL_F64, CANONICAL_F32]
    );
}

#[test]
fn operations_on_bits_keep_the_payload() {
    let text = r#"(func (export "run") (param f32) (result f32 f32 f32 i32)
        (f32.abs (local.get 0)) (f32.neg (local.get 0))
        (f32.copysign (local.get 0) (f32.const 1)) (i32.reinterpret_f32 (local.get 0)))"#;
    let results = run_plain(&prepare_text(text), &[Val::F32(0xffa1_2345)]);
    assert_eq!(
        results,
        [0x7fa1_2345, 0x7fa1_2345, 0x7fa1_2345, 0xffa1_2345]
    );
}

#[test]
fn a_chain_of_arithmetic_is_canonical_at_its_end() {
    let text = r#"(func (export "run") (param f64) (result f64 i32 i64)
        (f64.sqrt (f64.mul (f64.const 2) (f64.add (f64.const 1) (local.get 0))))
        (f64.lt (f64.const 1) (f64.add (f64.const 1) (local.get 0)))
        (i64.trunc_sat_f64_s (f64.add (f64.const 1) (local.get 0))))"#;
    let results = run_plain(&prepare_text(text), &[Val::F64(0xfff4_1234_5678_9abc)]);
    assert_eq!(results, [CANONICAL_F64, 0, 0]);
}

#[test]
fn numbers_stay_as_they_are() {
    let text = r#"(func (export "run") (param f64 f32) (result f64 f64 f32)
        (f64.div (local.get 0) (f64.const -0)) (f64.mul (local.get 0) (f64.const -0))
        (f32.add (local.get 1) (f32.const 0.5)))"#;
    let arguments = [Val::from(2.5_f64), Val::from(1.25_f32)];
    let results = run_plain(&prepare_text(text), &arguments);
    let expected = [
        f64::NEG_INFINITY.to_bits(),
        (-0.0_f64).to_bits(),
        1.75_f32.to_bits().into(),
    ];
    assert_eq!(results, expected);
}
