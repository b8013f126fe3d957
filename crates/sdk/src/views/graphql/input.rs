//! Which entries of a view are wanted. By hand, since the derive for input objects takes no type parameters.

use std::borrow::Cow;

use async_graphql::{
    InputObjectType, InputType, InputValueError, InputValueResult, Value,
    indexmap::IndexMap,
    registry::{Deprecation, MetaInputValue, MetaType, MetaTypeId, Registry},
};

use super::name;

/// Which entries are wanted; all of them if nothing is said.
pub(super) struct MapInput<K> {
    filters: Option<MapFilters<K>>,
}

/// The keys that are wanted.
pub(super) struct MapFilters<K> {
    keys: Option<Vec<K>>,
}

impl<K> MapInput<K> {
    /// The keys that are asked for, if any are.
    pub(super) fn keys(self) -> Option<Vec<K>> {
        self.filters?.keys
    }
}

/// Makes an input object of a struct with one optional field.
macro_rules! input_object {
    ($object:ident, $description:literal, $field:ident: $type:ty) => {
        impl<K: InputType> InputType for $object<K> {
            type RawValueType = Self;

            fn type_name() -> Cow<'static, str> {
                name(stringify!($object), &[K::type_name()])
            }

            fn create_type_info(registry: &mut Registry) -> String {
                registry.create_input_type::<Self, _>(MetaTypeId::InputObject, |registry| {
                    let field = Option::<$type>::create_type_info(registry);
                    let field = input_value(stringify!($field), field);
                    let object = Self::type_name().into_owned();
                    input_object(object, $description, field, std::any::type_name::<Self>())
                })
            }

            fn parse(value: Option<Value>) -> InputValueResult<Self> {
                let Some(Value::Object(object)) = value else {
                    return Err(InputValueError::expected_type(value.unwrap_or_default()));
                };
                let field = object.get(stringify!($field)).cloned();
                let $field = InputType::parse(field).map_err(InputValueError::propagate)?;
                Ok($object { $field })
            }

            fn to_value(&self) -> Value {
                let name = async_graphql::Name::new(stringify!($field));
                Value::Object(IndexMap::from_iter([(name, self.$field.to_value())]))
            }

            fn as_raw_value(&self) -> Option<&Self> {
                Some(self)
            }
        }

        impl<K: InputType> InputObjectType for $object<K> {}
    };
}

input_object!(MapInput, "Which entries are wanted", filters: MapFilters<K>);
input_object!(MapFilters, "The keys that are wanted", keys: Vec<K>);

fn input_object(
    name: String,
    description: &str,
    field: MetaInputValue,
    rust_typename: &'static str,
) -> MetaType {
    MetaType::InputObject {
        name,
        description: Some(description.to_owned()),
        input_fields: IndexMap::from_iter([(field.name.clone(), field)]),
        visible: None,
        inaccessible: false,
        tags: Vec::new(),
        rust_typename: Some(rust_typename),
        oneof: false,
        directive_invocations: Vec::new(),
    }
}

fn input_value(name: &str, ty: String) -> MetaInputValue {
    MetaInputValue {
        name: name.to_owned(),
        description: None,
        ty,
        deprecation: Deprecation::NoDeprecated,
        default_value: None,
        visible: None,
        inaccessible: false,
        tags: Vec::new(),
        is_secret: false,
        directive_invocations: Vec::new(),
    }
}
