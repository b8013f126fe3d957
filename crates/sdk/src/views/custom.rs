//! How keys become bytes.

use serde::{Serialize, de::DeserializeOwned};

use super::ViewError;

/// A key whose bytes the application chooses, because keys are iterated in the order of their bytes.
///
/// Different keys must have different bytes.
pub trait CustomSerialize: Sized {
    /// The key's bytes.
    fn to_custom_bytes(&self) -> Result<Vec<u8>, ViewError>;

    /// The inverse of [`to_custom_bytes`](Self::to_custom_bytes).
    fn from_custom_bytes(bytes: &[u8]) -> Result<Self, ViewError>;
}

/// The bytes of a key in BCS.
pub(crate) fn bcs_key<Q: Serialize + ?Sized>(key: &Q) -> Result<Vec<u8>, ViewError> {
    // Most keys are ids or small numbers; one allocation of this size holds them.
    let mut bytes = Vec::with_capacity(40);
    bcs::serialize_into(&mut bytes, key)?;
    Ok(bytes)
}

/// The key of bytes in BCS.
pub(crate) fn from_bcs_key<K: DeserializeOwned>(bytes: &[u8]) -> Result<K, ViewError> {
    Ok(bcs::from_bytes(bytes)?)
}
