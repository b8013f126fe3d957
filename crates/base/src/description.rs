//! Descriptions of applications and chains. They live in blobs, whose hashes are the identifiers.

use serde::{Deserialize, Serialize};

use crate::{
    Amount, ApplicationId, ApplicationPermissions, BcsHashable, BlobContent, BlockHeight, ChainId,
    ChainOwnership, CryptoHash, ModuleId, Timestamp,
};

/// Everything that makes an application: its code, where it was created, and with what.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ApplicationDescription {
    /// The code.
    pub module_id: ModuleId,
    /// The chain that created the application.
    pub creator_chain_id: ChainId,
    /// The height of the block that created it.
    pub block_height: BlockHeight,
    /// How many applications that block created before.
    pub application_index: u32,
    /// The application's parameters, encoded as JSON.
    #[serde(with = "crate::bytes")]
    pub parameters: Vec<u8>,
    /// Applications that must be known wherever this one runs.
    pub required_application_ids: Vec<ApplicationId>,
}

impl BcsHashable for ApplicationDescription {
    const NAME: &'static str = "ApplicationDescription";
}

/// The hash of the description's *blob*, so that the id is enough to find the description.
impl From<&ApplicationDescription> for ApplicationId {
    fn from(description: &ApplicationDescription) -> Self {
        let content = BlobContent::new_application_description(description);
        Self::new(CryptoHash::new(&content))
    }
}

/// Everything that makes a chain: where it comes from, and what it started with.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ChainDescription {
    /// Where the chain comes from.
    pub origin: ChainOrigin,
    /// What it started with.
    pub config: InitialChainConfig,
    /// When it was created.
    pub timestamp: Timestamp,
}

/// Where a chain comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ChainOrigin {
    /// A chain that was there from the beginning, by its number.
    Root(u32),
    /// A chain that another chain opened.
    Child {
        /// The other chain.
        parent: ChainId,
        /// The height of the block that opened it.
        block_height: BlockHeight,
        /// How many chains that block opened before.
        chain_index: u32,
    },
}

/// What a chain starts with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct InitialChainConfig {
    /// Who owns it.
    pub ownership: ChainOwnership,
    /// The chain's own balance.
    pub balance: Amount,
    /// What applications may do on it.
    pub application_permissions: ApplicationPermissions,
}

impl ChainDescription {
    /// The chain's id. Computing it encodes and hashes the description.
    pub fn id(&self) -> ChainId {
        self.into()
    }
}

impl BcsHashable for ChainDescription {
    const NAME: &'static str = "ChainDescription";
}

/// The hash of the description's *blob*, so that the id is enough to find the description.
impl From<&ChainDescription> for ChainId {
    fn from(description: &ChainDescription) -> Self {
        let content = BlobContent::new_chain_description(description);
        Self(CryptoHash::new(&content))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Blob, BlobId, BlobType};

    #[test]
    fn an_id_finds_the_description() {
        let origin = ChainOrigin::Root(1);
        let config = InitialChainConfig::default();
        let description = ChainDescription {
            origin,
            config,
            timestamp: Timestamp::from(5),
        };
        let blob = Blob::new(BlobContent::new_chain_description(&description));
        assert_eq!(
            blob.id(),
            BlobId::new(BlobType::ChainDescription, description.id().0)
        );
        assert_eq!(
            bcs::from_bytes::<ChainDescription>(blob.bytes()).unwrap(),
            description
        );
        let sibling = ChainDescription {
            origin: ChainOrigin::Root(2),
            ..description.clone()
        };
        assert_ne!(sibling.id(), description.id());
    }
}
