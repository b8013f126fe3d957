//! The base types in GraphQL: scalars that look as in JSON.

use std::borrow::Cow;

use async_graphql::{
    ContextSelectionSet, InputType, InputValueResult, OutputType, Positioned, ServerResult, Value,
    parser::types::Field,
    registry::{MetaType, MetaTypeId, Registry},
};

use crate::{
    AccountOwner, Amount, ApplicationId, BlobId, BlockHeight, ChainId, CryptoHash, DataBlobHash,
    GenericApplicationId, ModuleId, StreamId, StreamName, TimeDelta, Timestamp, U128, VmRuntime,
};

/// Makes a type with serde implementations a scalar. The macro of `async-graphql` takes no type parameters.
macro_rules! scalar {
    ($type:ty, $name:literal, $description:literal $(, $parameter:ident)*) => {
        impl<$($parameter),*> InputType for $type {
            type RawValueType = Self;

            fn type_name() -> Cow<'static, str> {
                Cow::Borrowed($name)
            }

            fn create_type_info(registry: &mut Registry) -> String {
                let meta_type = |_: &mut Registry| scalar($name, $description);
                registry.create_input_type::<Self, _>(MetaTypeId::Scalar, meta_type)
            }

            fn parse(value: Option<Value>) -> InputValueResult<Self> {
                Ok(async_graphql::from_value(value.unwrap_or_default())?)
            }

            fn to_value(&self) -> Value {
                async_graphql::to_value(self).unwrap_or_default()
            }

            fn as_raw_value(&self) -> Option<&Self> {
                Some(self)
            }
        }

        impl<$($parameter),*> OutputType for $type {
            fn type_name() -> Cow<'static, str> {
                Cow::Borrowed($name)
            }

            fn create_type_info(registry: &mut Registry) -> String {
                let meta_type = |_: &mut Registry| scalar($name, $description);
                registry.create_output_type::<Self, _>(MetaTypeId::Scalar, meta_type)
            }

            async fn resolve(
                &self,
                _: &ContextSelectionSet<'_>,
                _: &Positioned<Field>,
            ) -> ServerResult<Value> {
                Ok(InputType::to_value(self))
            }
        }
    };
}

fn scalar(name: &str, description: &str) -> MetaType {
    MetaType::Scalar {
        name: name.to_owned(),
        description: Some(description.to_owned()),
        is_valid: None,
        visible: None,
        inaccessible: false,
        tags: Vec::new(),
        specified_by_url: None,
        directive_invocations: Vec::new(),
        requires_scopes: Vec::new(),
    }
}

scalar!(Amount, "Amount", "An amount of tokens, as a decimal string");
scalar!(U128, "U128", "A number of 128 bits, as a decimal string");
scalar!(BlockHeight, "BlockHeight", "The height of a block");
scalar!(Timestamp, "Timestamp", "Microseconds since the Unix epoch");
scalar!(TimeDelta, "TimeDelta", "A number of microseconds");
scalar!(CryptoHash, "CryptoHash", "A hash, in hexadecimal");
scalar!(ChainId, "ChainId", "Names a chain");
scalar!(AccountOwner, "AccountOwner", "Who owns an account");
scalar!(ApplicationId<A>, "ApplicationId", "Names an application", A);
scalar!(
    GenericApplicationId,
    "GenericApplicationId",
    "Names an application, or the system"
);
scalar!(ModuleId<A, P, I>, "ModuleId", "Names a published module", A, P, I);
scalar!(VmRuntime, "VmRuntime", "What runs a module");
scalar!(BlobId, "BlobId", "Names a blob");
scalar!(DataBlobHash, "DataBlobHash", "Names a data blob");
scalar!(StreamName, "StreamName", "The name of a stream");
scalar!(StreamId, "StreamId", "Names a stream of events");
