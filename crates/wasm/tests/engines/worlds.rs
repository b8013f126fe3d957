//! Contracts and services: each has its own entry points and its own host functions.

use std::sync::Arc;

use resident_abi::entry_points::HandleQuery;
use resident_wasm::{CallError, GuestFailure, TrapKind, prepare_contract, prepare_service};

use super::{FUEL, Instance, TestHost, contract, instances, prepare};

/// Responds with the value whose key is the query.
const SERVICE: &str = r#"(module
    (import "resident:app/storage" "read-value" (func $read_value (param i32 i32 i32)))
    IMPORT
    (memory (export "memory") 1)
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
    (func (export "resident:app/service-entrypoints#handle-query")
        (param i32 i32) (result i32)
        (call $read_value (local.get 0) (local.get 1) (i32.const 16))
        (i32.const 20)))"#;

fn service(import: &str) -> Vec<u8> {
    wat::parse_str(SERVICE.replace("IMPORT", import)).expect("the test's module is valid")
}

#[test]
fn a_service_answers_queries_and_nothing_else() {
    let prepared = prepare_service::<TestHost>(&service("")).expect("it is a service");
    for mut instance in instances(&Arc::new(prepared)) {
        let (host, parameters) = (TestHost::with_fuel(FUEL), (b"key".to_vec(),));
        let answer = match &mut instance {
            Instance::Wasmtime(instance) => instance.enter::<HandleQuery>(host, &parameters),
            Instance::Wasmer(instance) => instance.enter::<HandleQuery>(host, &parameters),
        };
        assert!(answer.result.is_ok(), "{:?}", answer.result);
        assert_eq!(answer.host.asked, [b"key"]);
        // Nobody should enter it as a contract; if somebody does, it must not harm the node.
        let mixed_up = CallError::Guest(GuestFailure::Trap(TrapKind::Other));
        assert_eq!(instance.call(b"operation"), Err(mixed_up));
    }
    let code = contract("unreachable", "");
    for instance in instances(&prepare(&code)) {
        let (host, parameters) = (TestHost::with_fuel(FUEL), (Vec::new(),));
        let answer = match instance {
            Instance::Wasmtime(mut instance) => instance.enter::<HandleQuery>(host, &parameters),
            Instance::Wasmer(mut instance) => instance.enter::<HandleQuery>(host, &parameters),
        };
        let mixed_up = CallError::Guest(GuestFailure::Trap(TrapKind::Other));
        assert_eq!(answer.result, Err(mixed_up));
    }
}

#[test]
fn a_module_is_prepared_as_one_of_them() {
    let error = prepare_contract::<TestHost>(&service("")).expect_err("it is no contract");
    let error = error.to_string();
    assert!(
        error.contains("resident:app/service-entrypoints#handle-query"),
        "{error}"
    );
    prepare_service::<TestHost>(&contract("unreachable", "")).expect_err("it is no service");

    let import = |interface: &str, function: &str, ty: &str| {
        service(&format!(
            r#"(import "{interface}" "{function}" (func {ty}))"#
        ))
    };
    let time = import("resident:app/runtime", "system-time", "(result i64)");
    prepare_service::<TestHost>(&time).expect("a service may know the time");
    for refused in [
        import("resident:app/runtime", "assert-before", "(param i64)"),
        import("resident:app/runtime", "authenticated-owner", "(param i32)"),
    ] {
        let error = prepare_service::<TestHost>(&refused).expect_err("not for services");
        assert!(
            error.to_string().contains("resident:app/runtime"),
            "{error}"
        );
    }
    let schedule = r#"(import "resident:app/service-runtime" "schedule-operation"
        (func (param i32 i32)))"#;
    prepare_service::<TestHost>(&service(schedule)).expect("a service may schedule operations");
    let contract = wat::parse_str(format!(
        "(module {schedule} (memory (export \"memory\") 1))"
    ));
    let error = prepare_contract::<TestHost>(&contract.expect("a module"));
    let error = error.expect_err("only for services").to_string();
    assert!(error.contains("schedule-operation"), "{error}");
}
