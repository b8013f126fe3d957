//! Published code.

use std::{fmt, marker::PhantomData, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    BlobId, BlobType, CryptoHash, ParseIdError,
    text::{hex_array, write_hex},
};

/// What runs a module's code.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum VmRuntime {
    /// WebAssembly.
    #[default]
    Wasm,
    /// The Ethereum virtual machine.
    Evm,
}

impl fmt::Display for VmRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Wasm => "wasm",
            Self::Evm => "evm",
        })
    }
}

impl FromStr for VmRuntime {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        match text {
            "wasm" => Ok(Self::Wasm),
            "evm" => Ok(Self::Evm),
            _ => Err(ParseIdError::UnknownName {
                type_name: "virtual machine",
            }),
        }
    }
}

/// The code of a contract or of a service, as its author published it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bytecode {
    /// The code.
    #[serde(with = "crate::bytes")]
    pub bytes: Vec<u8>,
}

impl Bytecode {
    /// Wraps the code.
    pub const fn new(bytes: Vec<u8>) -> Self {
        Self { bytes }
    }
}

impl AsRef<[u8]> for Bytecode {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Code is too long to print.
impl fmt::Debug for Bytecode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bytecode")
            .field("size_bytes", &self.bytes.len())
            .finish()
    }
}

/// Names a module: the blobs with its contract and its service, and what runs them.
///
/// The type parameters (ABI, parameters, instantiation argument) are known to the compiler only. As text it
/// is the hexadecimal form of its BCS bytes.
pub struct ModuleId<Abi = (), Parameters = (), InstantiationArgument = ()> {
    /// The hash of the blob with the contract.
    pub contract_blob_hash: CryptoHash,
    /// The hash of the blob with the service.
    pub service_blob_hash: CryptoHash,
    /// What runs both.
    pub vm_runtime: VmRuntime,
    types: PhantomData<Types<Abi, Parameters, InstantiationArgument>>,
}

// A function that returns them: an identifier can be sent to another thread whatever they are.
type Types<Abi, P, I> = fn() -> (Abi, P, I);

impl_by_key!(params(Abi, P, I), ModuleId<Abi, P, I>, |id| (
    id.contract_blob_hash,
    id.service_blob_hash,
    id.vm_runtime
));

impl<Abi, P, I> ModuleId<Abi, P, I> {
    /// The module in these two blobs.
    pub const fn new(
        contract_blob_hash: CryptoHash,
        service_blob_hash: CryptoHash,
        vm_runtime: VmRuntime,
    ) -> Self {
        let types = PhantomData;
        Self {
            contract_blob_hash,
            service_blob_hash,
            vm_runtime,
            types,
        }
    }

    /// The same module, of unspecified types.
    pub const fn forget_abi(self) -> ModuleId {
        ModuleId::new(
            self.contract_blob_hash,
            self.service_blob_hash,
            self.vm_runtime,
        )
    }

    /// The blob with the contract.
    pub const fn contract_blob_id(&self) -> BlobId {
        let blob_type = match self.vm_runtime {
            VmRuntime::Wasm => BlobType::ContractBytecode,
            VmRuntime::Evm => BlobType::EvmBytecode,
        };
        BlobId::new(blob_type, self.contract_blob_hash)
    }

    /// The blob with the service.
    pub const fn service_blob_id(&self) -> BlobId {
        let blob_type = match self.vm_runtime {
            VmRuntime::Wasm => BlobType::ServiceBytecode,
            VmRuntime::Evm => BlobType::EvmBytecode,
        };
        BlobId::new(blob_type, self.service_blob_hash)
    }
}

impl ModuleId {
    /// The same module; the caller vouches for its types.
    pub const fn with_abi<Abi, P, I>(self) -> ModuleId<Abi, P, I> {
        ModuleId::new(
            self.contract_blob_hash,
            self.service_blob_hash,
            self.vm_runtime,
        )
    }
}

impl<Abi, P, I> fmt::Debug for ModuleId<Abi, P, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModuleId")
            .field("contract_blob_hash", &self.contract_blob_hash)
            .field("service_blob_hash", &self.service_blob_hash)
            .field("vm_runtime", &self.vm_runtime)
            .finish()
    }
}

impl<Abi, P, I> fmt::Display for ModuleId<Abi, P, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, self.contract_blob_hash.as_bytes())?;
        write_hex(f, self.service_blob_hash.as_bytes())?;
        write_hex(f, &[self.vm_runtime as u8])
    }
}

impl<Abi, P, I> FromStr for ModuleId<Abi, P, I> {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let bytes: [u8; 65] = hex_array(text)?;
        let binary = bcs::from_bytes::<BinaryModuleId>(&bytes);
        let type_name = "module id";
        binary
            .map(Self::from_binary)
            .map_err(|_| ParseIdError::Encoding { type_name })
    }
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename = "ModuleId")]
struct BinaryModuleId {
    contract_blob_hash: CryptoHash,
    service_blob_hash: CryptoHash,
    vm_runtime: VmRuntime,
}

impl<Abi, P, I> ModuleId<Abi, P, I> {
    fn binary(self) -> BinaryModuleId {
        BinaryModuleId {
            contract_blob_hash: self.contract_blob_hash,
            service_blob_hash: self.service_blob_hash,
            vm_runtime: self.vm_runtime,
        }
    }

    fn from_binary(binary: BinaryModuleId) -> Self {
        Self::new(
            binary.contract_blob_hash,
            binary.service_blob_hash,
            binary.vm_runtime,
        )
    }
}

impl_serde_as_text!(
    params(Abi, P, I), ModuleId<Abi, P, I>,
    BinaryModuleId,
    |id| id.binary(),
    Self::from_binary,
    crate::text::parse
);

#[cfg(any(test, feature = "test"))]
impl<Abi, P, I> Default for ModuleId<Abi, P, I> {
    fn default() -> Self {
        Self::new(
            CryptoHash::default(),
            CryptoHash::default(),
            VmRuntime::default(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_the_binary_form() {
        let hash = CryptoHash::test_hash;
        let id: ModuleId = ModuleId::new(hash("contract"), hash("service"), VmRuntime::Evm);
        assert_eq!(id.to_string(), hex::encode(bcs::to_bytes(&id).unwrap()));
        assert_eq!(id.to_string().parse(), Ok(id));
        let typed = id.with_abi::<String, u8, ()>();
        assert_eq!(typed.forget_abi(), id);
        assert_eq!(
            serde_json::to_value(typed).unwrap(),
            serde_json::to_value(id).unwrap()
        );
    }

    #[test]
    fn an_unknown_machine_is_refused() {
        let text = format!("{}02", "00".repeat(64));
        let type_name = "module id";
        assert_eq!(
            text.parse::<ModuleId>(),
            Err(ParseIdError::Encoding { type_name })
        );
    }

    #[test]
    fn blobs_follow_the_machine() {
        let wasm: ModuleId = ModuleId::default();
        assert_eq!(
            wasm.contract_blob_id().blob_type,
            BlobType::ContractBytecode
        );
        assert_eq!(wasm.service_blob_id().blob_type, BlobType::ServiceBytecode);
        let evm = ModuleId {
            vm_runtime: VmRuntime::Evm,
            ..wasm
        };
        assert_eq!(evm.service_blob_id().blob_type, BlobType::EvmBytecode);
    }
}
