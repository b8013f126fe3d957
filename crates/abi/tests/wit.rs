//! The Rust list of the boundary against `wit/app.wit`: the same functions in the same interfaces,
//! with the same types down to the names of fields, and the same core signatures.

use std::{collections::BTreeMap, path::Path};

use resident_abi::{
    BoundaryFunction, ContractHost, ContractSurface, entry_points::CONTRACT_ENTRY_POINTS, wire,
};
use resident_witty::CoreType;
use wit_parser::{
    Function, Resolve, Type, TypeDefKind, WorldItem, WorldKey,
    abi::{AbiVariant, WasmType},
};

type Described = BTreeMap<String, (String, Vec<CoreType>, Vec<CoreType>)>;

#[test]
fn the_list_and_the_wit_files_agree() {
    let surface = ContractSurface::collect::<NoHost>();
    let (imports, exports) = read_wit("contract");
    assert_eq!(described(&surface.imports), imports);
    assert_eq!(described(&surface.exports), exports);
    assert_eq!(
        surface.exports.len(),
        6,
        "all entry points of {CONTRACT_ENTRY_POINTS}"
    );
}

/// A world can only import whole interfaces, so it offers more of `runtime` than a service may use.
#[test]
fn a_service_may_import_a_part_of_its_world() {
    let surface = ContractSurface::collect_service::<NoHost>();
    let (mut imports, exports) = read_wit("service");
    let used = described(&surface.imports);
    imports.retain(|name, _| used.contains_key(name) || !name.contains("app/runtime#"));
    assert_eq!(used, imports);
    assert_eq!(described(&surface.exports), exports);
    let names: Vec<_> = used.keys().map(String::as_str).collect();
    assert!(names.contains(&"resident:app/runtime#chain-id"));
    for refused in [
        "send-message",
        "transfer",
        "call-application",
        "query-service",
        "assert-before",
    ] {
        assert!(
            !names.contains(&format!("resident:app/runtime#{refused}").as_str()),
            "{refused}"
        );
    }
}

fn described(functions: &[BoundaryFunction]) -> Described {
    functions
        .iter()
        .map(|function| {
            let name = format!("{}#{}", function.interface, function.name);
            let signature = &function.signature;
            (
                name,
                (
                    function.shape.clone(),
                    signature.params.clone(),
                    signature.results.clone(),
                ),
            )
        })
        .collect()
}

fn read_wit(world: &str) -> (Described, Described) {
    let mut resolve = Resolve::default();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("wit");
    let (package, _) = resolve.push_dir(folder).expect("the .wit files parse");
    let world = resolve.packages[package].worlds[world];
    let world = &resolve.worlds[world];
    let imports = describe(&resolve, world.imports.iter(), AbiVariant::GuestImport);
    let exports = describe(&resolve, world.exports.iter(), AbiVariant::GuestExport);
    (imports, exports)
}

fn describe<'a>(
    resolve: &Resolve,
    items: impl Iterator<Item = (&'a WorldKey, &'a WorldItem)>,
    variant: AbiVariant,
) -> Described {
    let mut described = Described::new();
    for (key, item) in items {
        let WorldItem::Interface { id, .. } = item else {
            panic!("only interfaces are used")
        };
        let interface = resolve.name_world_key(key);
        for function in resolve.interfaces[*id].functions.values() {
            let signature = resolve.wasm_signature(variant, function);
            let entry = (
                function_shape(resolve, function),
                signature.params.iter().map(core_type).collect(),
                signature.results.iter().map(core_type).collect(),
            );
            described.insert(format!("{interface}#{}", function.name), entry);
        }
    }
    described
}

fn function_shape(resolve: &Resolve, function: &Function) -> String {
    let params: Vec<_> = function
        .params
        .iter()
        .map(|param| shape(resolve, &param.ty))
        .collect();
    let params = if params.is_empty() {
        "_".to_owned()
    } else {
        format!("tuple<{}>", params.join(", "))
    };
    let result = function
        .result
        .as_ref()
        .map_or("_".to_owned(), |ty| shape(resolve, ty));
    format!("{params} -> {result}")
}

fn shape(resolve: &Resolve, ty: &Type) -> String {
    match ty {
        Type::Bool => "bool".to_owned(),
        Type::U8 => "u8".to_owned(),
        Type::U16 => "u16".to_owned(),
        Type::U32 => "u32".to_owned(),
        Type::U64 => "u64".to_owned(),
        Type::String => "string".to_owned(),
        Type::Id(id) => kind_shape(resolve, &resolve.types[*id].kind),
        other => panic!("the boundary does not use {other:?}"),
    }
}

fn kind_shape(resolve: &Resolve, kind: &TypeDefKind) -> String {
    let inner = |ty: &Type| shape(resolve, ty);
    match kind {
        TypeDefKind::Type(ty) => inner(ty),
        TypeDefKind::List(ty) => format!("list<{}>", inner(ty)),
        TypeDefKind::Option(ty) => format!("option<{}>", inner(ty)),
        TypeDefKind::Tuple(tuple) => {
            let types: Vec<_> = tuple.types.iter().map(inner).collect();
            format!("tuple<{}>", types.join(", "))
        }
        TypeDefKind::Record(record) => {
            let field = |field: &wit_parser::Field| format!("{}: {}", field.name, inner(&field.ty));
            let fields: Vec<_> = record.fields.iter().map(field).collect();
            format!("record{{{}}}", fields.join(", "))
        }
        TypeDefKind::Variant(variant) => {
            let case = |case: &wit_parser::Case| match &case.ty {
                Some(ty) => format!("{}({})", case.name, inner(ty)),
                None => case.name.clone(),
            };
            let cases: Vec<_> = variant.cases.iter().map(case).collect();
            format!("variant{{{}}}", cases.join(", "))
        }
        TypeDefKind::Result(result) => {
            let part = |ty: &Option<Type>| ty.as_ref().map_or("_".to_owned(), inner);
            format!("result<{}, {}>", part(&result.ok), part(&result.err))
        }
        TypeDefKind::Enum(cases) => {
            let cases: Vec<_> = cases.cases.iter().map(|case| case.name.clone()).collect();
            format!("enum{{{}}}", cases.join(", "))
        }
        other => panic!("the boundary does not use {other:?}"),
    }
}

fn core_type(ty: &WasmType) -> CoreType {
    match ty {
        WasmType::I32 | WasmType::Pointer | WasmType::Length => CoreType::I32,
        WasmType::I64 | WasmType::PointerOrI64 => CoreType::I64,
        WasmType::F32 => CoreType::F32,
        WasmType::F64 => CoreType::F64,
    }
}

/// A host that is only named, never called.
struct NoHost;

macro_rules! no_host {
    ($($method:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {
        impl ContractHost for NoHost {
            type Error = ();
            $(fn $method(&mut self $(, $argument: $type)*) -> Result<$result, ()> {
                $(let _ = $argument;)*
                Err(())
            })*
        }
    };
}

no_host! {
    application_parameters() -> Vec<u8>;
    application_id() -> wire::Hash;
    application_creator_chain_id() -> wire::Hash;
    chain_id() -> wire::Hash;
    block_height() -> u64;
    system_time() -> u64;
    authenticated_owner() -> Option<wire::AccountOwner>;
    authenticated_caller_id() -> Option<wire::Hash>;
    message_is_bouncing() -> Option<bool>;
    message_origin_chain_id() -> Option<wire::Hash>;
    message_origin_timestamp() -> Option<u64>;
    send_message(message: wire::OutgoingMessage) -> ();
    transfer(source: wire::AccountOwner, destination: wire::Account, amount: wire::Amount) -> ();
    chain_balance() -> wire::Amount;
    owner_balance(owner: wire::AccountOwner) -> wire::Amount;
    call_application(authenticated: bool, callee: wire::Hash, argument: Vec<u8>) -> Vec<u8>;
    assert_before(timestamp: u64) -> ();
    remaining_fuel() -> u64;
    emit(stream_name: Vec<u8>, value: Vec<u8>) -> u32;
    read_event(chain_id: wire::Hash, stream_name: Vec<u8>, index: u32) -> Vec<u8>;
    subscribe_to_events(chain_id: wire::Hash, application_id: wire::Hash, stream_name: Vec<u8>) -> ();
    unsubscribe_from_events(chain_id: wire::Hash, application_id: wire::Hash, stream_name: Vec<u8>) -> ();
    close_chain() -> Result<(), wire::ManageChainError>;
    chain_ownership() -> Vec<u8>;
    change_ownership(ownership: Vec<u8>) -> Result<(), wire::ManageChainError>;
    query_service(application: wire::Hash, query: Vec<u8>) -> Vec<u8>;
    query_application(application: wire::Hash, query: Vec<u8>) -> Vec<u8>;
    schedule_operation(operation: Vec<u8>) -> ();
    balance_owners() -> Vec<wire::AccountOwner>;
    owner_balances() -> Vec<wire::OwnerBalance>;
    read_value(key: Vec<u8>) -> Option<Vec<u8>>;
    read_values(keys: Vec<Vec<u8>>) -> Vec<Option<Vec<u8>>>;
    contains_key(key: Vec<u8>) -> bool;
    contains_keys(keys: Vec<Vec<u8>>) -> Vec<bool>;
    find_keys(prefix: Vec<u8>) -> Vec<Vec<u8>>;
    find_key_values(prefix: Vec<u8>) -> Vec<wire::KeyValue>;
    write_batch(operations: Vec<wire::WriteOperation>) -> ();
    log(level: wire::LogLevel, message: String) -> ();
    panic(message: String) -> ();
    create_data_blob(bytes: Vec<u8>) -> wire::Hash;
    read_data_blob(hash: wire::Hash) -> Vec<u8>;
    assert_data_blob_exists(hash: wire::Hash) -> ();
    publish_module(contract: Vec<u8>, service: Vec<u8>, vm_runtime: wire::VmRuntime) -> wire::ModuleId;
    create_application(module_id: wire::ModuleId, parameters: Vec<u8>, argument: Vec<u8>, required_application_ids: Vec<wire::Hash>) -> wire::Hash;
    open_chain(ownership: Vec<u8>, permissions: Vec<u8>, payer: wire::AccountOwner, balance: wire::Amount) -> wire::Hash;
    http_request(request: wire::OutgoingRequest) -> wire::IncomingResponse;
}
