//! Identifiers, amounts, time, hashes, keys, blobs, resources.
//!
//! Everything above this crate, guests included, speaks in these types. Each has one binary encoding
//! (BCS), which is what gets hashed, signed and stored, and one human-readable encoding (JSON and
//! [`Display`](std::fmt::Display)). `tests/encodings.rs` pins both: changing one is changing the protocol.
//!
//! | file | types |
//! |---|---|
//! | `hash` | [`CryptoHash`], [`BcsHashable`] |
//! | `amount`, `number`, `time` | [`Amount`], [`U128`], [`BlockHeight`], [`Timestamp`], [`TimeDelta`] |
//! | `identifiers`, `module`, `owner` | [`ChainId`], [`ApplicationId`], [`ModuleId`], [`AccountOwner`], … |
//! | `blob`, `stream`, `description` | [`Blob`], [`Event`], [`ApplicationDescription`], [`ChainDescription`], … |
//! | `keys` | [`AccountSecretKey`], [`AccountPublicKey`], [`AccountSignature`] |
//! | `ownership`, `permissions`, `resources` | [`ChainOwnership`], [`ApplicationPermissions`], [`Resources`] |
//! | [`http`] | requests to servers outside, and their answers |
//!
//! ```
//! use resident_base::{Amount, ArithmeticError};
//!
//! let price: Amount = "2.5".parse().unwrap();
//! assert_eq!(price.try_mul(8).unwrap().to_string(), "20.");
//! assert_eq!(Amount::ZERO.try_sub(price), Err(ArithmeticError::Underflow));
//! ```

#![forbid(unsafe_code)]

#[macro_use]
mod arithmetic;
#[macro_use]
mod phantom;
#[macro_use]
mod text;

mod amount;
mod blob;
pub mod bytes;
mod description;
mod exact;
#[cfg(feature = "graphql")]
mod graphql;
mod hash;
pub mod http;
mod identifiers;
mod keys;
mod module;
mod number;
mod owner;
mod ownership;
mod permissions;
mod resources;
mod stream;
mod time;

use std::collections::BTreeSet;

pub use crate::{
    amount::{Amount, ParseAmountError},
    arithmetic::ArithmeticError,
    blob::{Blob, BlobContent, BlobId, BlobType, DataBlobHash},
    description::{ApplicationDescription, ChainDescription, ChainOrigin, InitialChainConfig},
    hash::{BcsHashable, CryptoHash},
    identifiers::{ApplicationId, ChainId, GenericApplicationId},
    keys::{
        AccountPublicKey, AccountSecretKey, AccountSignature, CryptoError, Ed25519PublicKey,
        Ed25519SecretKey, Ed25519Signature,
    },
    module::{Bytecode, ModuleId, VmRuntime},
    number::{BlockHeight, U128},
    owner::{Account, AccountOwner, OwnerSpender},
    ownership::{ChainOwnership, TimeoutConfig},
    permissions::ApplicationPermissions,
    resources::Resources,
    stream::{Event, EventId, StreamId, StreamName, StreamUpdate},
    text::ParseIdError,
    time::{TimeDelta, Timestamp},
};

/// A set whose encoding keeps the order of its elements; the name is the one applications know it by.
pub type NonCanonicalBTreeSet<T> = BTreeSet<T>;
