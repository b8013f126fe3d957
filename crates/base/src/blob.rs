//! Content-addressed data.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    ApplicationDescription, BcsHashable, Bytecode, ChainDescription, CryptoHash, ParseIdError,
};

/// What a blob's bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum BlobType {
    /// Anything an application or a user published.
    Data,
    /// A Wasm contract.
    ContractBytecode,
    /// A Wasm service.
    ServiceBytecode,
    /// Code for the Ethereum virtual machine.
    EvmBytecode,
    /// The BCS bytes of an [`ApplicationDescription`].
    ApplicationDescription,
    /// The BCS bytes of a [`ChainDescription`].
    ChainDescription,
}

const BLOB_TYPES: [(BlobType, &str); 6] = [
    (BlobType::Data, "Data"),
    (BlobType::ContractBytecode, "ContractBytecode"),
    (BlobType::ServiceBytecode, "ServiceBytecode"),
    (BlobType::EvmBytecode, "EvmBytecode"),
    (BlobType::ApplicationDescription, "ApplicationDescription"),
    (BlobType::ChainDescription, "ChainDescription"),
];

impl fmt::Display for BlobType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(BLOB_TYPES[*self as usize].1)
    }
}

impl FromStr for BlobType {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let entry = BLOB_TYPES.iter().find(|(_, name)| *name == text);
        let type_name = "blob type";
        entry
            .map(|(blob_type, _)| *blob_type)
            .ok_or(ParseIdError::UnknownName { type_name })
    }
}

/// Names a blob: its type and the hash of its content. As text it is `type:hash`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobId {
    /// What the bytes are.
    pub blob_type: BlobType,
    /// The typed hash of the [`BlobContent`].
    pub hash: CryptoHash,
}

impl BlobId {
    /// The blob of this type with this hash.
    pub const fn new(blob_type: BlobType, hash: CryptoHash) -> Self {
        Self { blob_type, hash }
    }
}

impl fmt::Display for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.blob_type, self.hash)
    }
}

impl FromStr for BlobId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let separator = ':';
        let parts = text.split_once(separator);
        let (blob_type, hash) = parts.ok_or(ParseIdError::MissingSeparator { separator })?;
        Ok(Self::new(blob_type.parse()?, hash.parse()?))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename = "BlobId")]
struct BinaryBlobId {
    blob_type: BlobType,
    hash: CryptoHash,
}

impl_serde_as_text!(
    BlobId,
    BinaryBlobId,
    |id| BinaryBlobId {
        blob_type: id.blob_type,
        hash: id.hash
    },
    |binary| BlobId::new(binary.blob_type, binary.hash)
);

/// Names a blob of type [`BlobType::Data`] by the hash of its content.
#[cfg_attr(any(test, feature = "test"), derive(Default))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DataBlobHash(pub CryptoHash);

impl From<DataBlobHash> for BlobId {
    fn from(hash: DataBlobHash) -> Self {
        Self::new(BlobType::Data, hash.0)
    }
}

impl fmt::Display for DataBlobHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for DataBlobHash {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        text.parse().map(Self)
    }
}

/// A blob's type and bytes. Clones share the bytes.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobContent {
    blob_type: BlobType,
    #[serde(with = "crate::bytes")]
    bytes: Arc<[u8]>,
}

impl BlobContent {
    /// Content of any type; the bytes are not looked at.
    pub fn new(blob_type: BlobType, bytes: impl Into<Arc<[u8]>>) -> Self {
        let bytes = bytes.into();
        Self { blob_type, bytes }
    }

    /// Content of type [`BlobType::Data`].
    pub fn new_data(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self::new(BlobType::Data, bytes)
    }

    /// A Wasm contract.
    pub fn new_contract_bytecode(bytecode: Bytecode) -> Self {
        Self::new(BlobType::ContractBytecode, bytecode.bytes)
    }

    /// A Wasm service.
    pub fn new_service_bytecode(bytecode: Bytecode) -> Self {
        Self::new(BlobType::ServiceBytecode, bytecode.bytes)
    }

    /// Code for the Ethereum virtual machine.
    pub fn new_evm_bytecode(bytecode: Bytecode) -> Self {
        Self::new(BlobType::EvmBytecode, bytecode.bytes)
    }

    /// The description of an application.
    pub fn new_application_description(description: &ApplicationDescription) -> Self {
        Self::new(BlobType::ApplicationDescription, encode(description))
    }

    /// The description of a chain.
    pub fn new_chain_description(description: &ChainDescription) -> Self {
        Self::new(BlobType::ChainDescription, encode(description))
    }

    /// What the bytes are.
    pub const fn blob_type(&self) -> BlobType {
        self.blob_type
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

fn encode<T: Serialize>(description: &T) -> Vec<u8> {
    bcs::to_bytes(description).expect("descriptions have a BCS encoding")
}

impl BcsHashable for BlobContent {
    const NAME: &'static str = "BlobContent";
}

/// The bytes may be too many to print.
impl fmt::Debug for BlobContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlobContent")
            .field("blob_type", &self.blob_type)
            .field("size_bytes", &self.bytes.len())
            .finish()
    }
}

/// Content together with its id. Only the content is encoded: an id that is computed cannot be wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    id: BlobId,
    content: BlobContent,
}

impl Blob {
    /// Computes the content's id.
    pub fn new(content: BlobContent) -> Self {
        let id = BlobId::new(content.blob_type, CryptoHash::new(&content));
        Self { id, content }
    }

    /// A blob of type [`BlobType::Data`].
    pub fn new_data(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self::new(BlobContent::new_data(bytes))
    }

    /// What the blob is called.
    pub const fn id(&self) -> BlobId {
        self.id
    }

    /// The type and the bytes.
    pub const fn content(&self) -> &BlobContent {
        &self.content
    }

    /// The type and the bytes, without the id.
    pub fn into_content(self) -> BlobContent {
        self.content
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        self.content.bytes()
    }
}

impl From<Blob> for BlobContent {
    fn from(blob: Blob) -> Self {
        blob.content
    }
}

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.content.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        BlobContent::deserialize(deserializer).map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_streams_what_the_encoding_holds() {
        for size in [0, 1, 127, 128, 300_000] {
            let content = BlobContent::new_data(vec![7; size]);
            let bytes = [b"BlobContent::".to_vec(), bcs::to_bytes(&content).unwrap()].concat();
            assert_eq!(
                CryptoHash::new(&content),
                CryptoHash::of_bytes(&bytes),
                "{size}"
            );
            // Byte by byte, as serde encodes vectors, is the same encoding.
            let slow = (BlobType::Data, content.bytes().to_vec());
            assert_eq!(
                bcs::to_bytes(&content).unwrap(),
                bcs::to_bytes(&slow).unwrap()
            );
        }
    }

    #[test]
    fn the_type_enters_the_hash() {
        let data = Blob::new_data(*b"code");
        let code = Blob::new(BlobContent::new(BlobType::EvmBytecode, *b"code"));
        assert_ne!(data.id().hash, code.id().hash);
        assert_eq!(BlobId::from(DataBlobHash(data.id().hash)), data.id());
    }

    #[test]
    fn encodings_come_back() {
        let blob = Blob::new_data(*b"hello");
        assert_eq!(
            bcs::from_bytes::<Blob>(&bcs::to_bytes(&blob).unwrap()).unwrap(),
            blob
        );
        let json = serde_json::to_string(&blob).unwrap();
        assert_eq!(serde_json::from_str::<Blob>(&json).unwrap(), blob);
        assert!(bcs::from_bytes::<Blob>(&[0, 5, 1]).is_err());
    }

    #[test]
    fn ids_come_back_as_text() {
        for (position, (blob_type, _)) in BLOB_TYPES.into_iter().enumerate() {
            assert_eq!(blob_type as usize, position);
            let id = BlobId::new(blob_type, CryptoHash::test_hash("blob"));
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        let (type_name, separator) = ("blob type", ':');
        assert_eq!(
            "Dat:00".parse::<BlobId>(),
            Err(ParseIdError::UnknownName { type_name })
        );
        assert_eq!(
            "Data".parse::<BlobId>(),
            Err(ParseIdError::MissingSeparator { separator })
        );
    }
}
