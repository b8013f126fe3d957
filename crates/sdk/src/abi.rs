//! What an application understands: the types of its operations, responses and queries.

use std::fmt::Debug;

use serde::{Serialize, de::DeserializeOwned};

/// The types that cross a contract's boundary, and their encoding, which is BCS unless overridden.
///
/// Callers of an application need its ABI and nothing else. Errors are texts because they end up as the message of
/// the failed transaction.
pub trait ContractAbi {
    /// What users and other applications ask the contract to do.
    type Operation: Serialize + DeserializeOwned + Send + Sync + Debug + 'static;

    /// What the contract answers to an operation.
    type Response: Serialize + DeserializeOwned + Send + Sync + Debug + 'static;

    /// Encodes an operation.
    fn serialize_operation(operation: &Self::Operation) -> Result<Vec<u8>, String> {
        encode(operation)
    }

    /// Decodes an operation.
    fn deserialize_operation(operation: Vec<u8>) -> Result<Self::Operation, String> {
        decode(&operation)
    }

    /// Encodes a response.
    fn serialize_response(response: Self::Response) -> Result<Vec<u8>, String> {
        encode(&response)
    }

    /// Decodes a response.
    fn deserialize_response(response: Vec<u8>) -> Result<Self::Response, String> {
        decode(&response)
    }
}

/// The types that cross a service's boundary, in JSON.
pub trait ServiceAbi: ContractAbi {
    /// What a client asks.
    type Query: Serialize + DeserializeOwned + Send + Sync + Debug + 'static;

    /// What the service answers.
    type QueryResponse: Serialize + DeserializeOwned + Send + Sync + Debug + 'static;
}

/// A type that implements the contract side of an ABI.
pub trait WithContractAbi {
    /// The ABI that the contract implements.
    type Abi: ContractAbi;
}

/// A type that implements the service side of an ABI.
pub trait WithServiceAbi {
    /// The ABI that the service implements.
    type Abi: ServiceAbi;
}

impl<A: WithServiceAbi> WithContractAbi for A {
    type Abi = <A as WithServiceAbi>::Abi;
}

impl<A: WithContractAbi> ContractAbi for A {
    type Operation = <A::Abi as ContractAbi>::Operation;
    type Response = <A::Abi as ContractAbi>::Response;

    fn serialize_operation(operation: &Self::Operation) -> Result<Vec<u8>, String> {
        A::Abi::serialize_operation(operation)
    }

    fn deserialize_operation(operation: Vec<u8>) -> Result<Self::Operation, String> {
        A::Abi::deserialize_operation(operation)
    }

    fn serialize_response(response: Self::Response) -> Result<Vec<u8>, String> {
        A::Abi::serialize_response(response)
    }

    fn deserialize_response(response: Vec<u8>) -> Result<Self::Response, String> {
        A::Abi::deserialize_response(response)
    }
}

impl<A: WithServiceAbi> ServiceAbi for A {
    type Query = <<A as WithServiceAbi>::Abi as ServiceAbi>::Query;
    type QueryResponse = <<A as WithServiceAbi>::Abi as ServiceAbi>::QueryResponse;
}

fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, String> {
    bcs::to_bytes(value).map_err(|error| error.to_string())
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    bcs::from_bytes(bytes).map_err(|error| error.to_string())
}
