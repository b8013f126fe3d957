//! GraphQL for services, by `async-graphql`.
//!
//! An application depends on that crate itself, in the version that the SDK uses, and derives what it needs: with
//! `#[derive(RootView, SimpleObject)]` its state can be queried, since views and base types are output types, and
//! with `#[derive(GraphQLMutationRoot)]` each of its operations becomes a mutation.

use std::{any::Any, sync::Arc};

use async_graphql::{Response, Value};

pub use resident_sdk_derive::GraphQLMutationRoot;

use crate::{runtime::ServiceRuntime, service::Service};

/// Operations that can be asked for as GraphQL mutations.
///
/// The derive makes one mutation of every variant of an enum, with the variant's fields as parameters, called
/// `field0`, `field1` and so on where they have no names. A mutation schedules the operation and returns an empty list.
pub trait GraphQLMutationRoot<S: Service>: Sized {
    /// The object with the mutations.
    type MutationRoot: async_graphql::ObjectType + 'static;

    /// The object with the mutations, which schedules operations with this runtime.
    fn mutation_root(runtime: Arc<ServiceRuntime<S>>) -> Self::MutationRoot;
}

/// The largest number up to which floats have all whole numbers.
const MAX_EXACT: u64 = 1 << 53;

/// Writes the numbers of a GraphQL answer that floats cannot hold as strings of their digits. Leaves answers of
/// other types alone: their readers know what they are.
pub(crate) fn make_exact(response: &mut dyn Any) {
    if let Some(response) = response.downcast_mut::<Response>() {
        make_value_exact(&mut response.data);
    }
}

fn make_value_exact(value: &mut Value) {
    match value {
        Value::Number(number) => {
            let magnitude = number
                .as_u64()
                .or_else(|| number.as_i64().map(i64::unsigned_abs));
            if magnitude.is_some_and(|magnitude| magnitude > MAX_EXACT) {
                *value = Value::String(number.to_string());
            }
        }
        Value::List(values) => values.iter_mut().for_each(make_value_exact),
        Value::Object(fields) => fields.values_mut().for_each(make_value_exact),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_floats_cannot_hold_become_strings() {
        let data = serde_json::json!({
            "small": [MAX_EXACT, 0, -1, 1.5, true, null],
            "large": [MAX_EXACT + 1, u64::MAX, i64::MIN],
        });
        let mut response = Response::new(Value::from_json(data).unwrap());
        make_exact(&mut response);
        let json = serde_json::to_string(&response.data).unwrap();
        assert!(
            json.contains("[9007199254740992,0,-1,1.5,true,null]"),
            "{json}"
        );
        let large = r#"["9007199254740993","18446744073709551615","-9223372036854775808"]"#;
        assert!(json.contains(large), "{json}");
        let mut other = u64::MAX;
        make_exact(&mut other);
        assert_eq!(other, u64::MAX);
    }
}
