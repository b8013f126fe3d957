//! The types of the boundary, as `wit/app.wit` names them, and the way to the base types.

use resident_base as base;
use resident_witty::{WitLift, WitLower, WitType};

/// A key and its value.
pub type KeyValue = (Vec<u8>, Vec<u8>);

/// An owner and what it has.
pub type OwnerBalance = (AccountOwner, Amount);

/// Any 32-byte hash or identifier, as four little-endian words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, WitType, WitLift, WitLower)]
pub struct Hash {
    /// Bytes 0 to 7.
    pub part1: u64,
    /// Bytes 8 to 15.
    pub part2: u64,
    /// Bytes 16 to 23.
    pub part3: u64,
    /// Bytes 24 to 31.
    pub part4: u64,
}

/// An amount in attos, as the halves of an unsigned 128-bit number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, WitType, WitLift, WitLower)]
pub struct Amount {
    /// The low 64 bits.
    pub low: u64,
    /// The high 64 bits.
    pub high: u64,
}

/// Twenty bytes, as two little-endian words and a half.
#[derive(Clone, Copy, Debug, PartialEq, Eq, WitType, WitLift, WitLower)]
pub struct Address20 {
    /// Bytes 0 to 7.
    pub part1: u64,
    /// Bytes 8 to 15.
    pub part2: u64,
    /// Bytes 16 to 19.
    pub part3: u32,
}

/// Who owns an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, WitType, WitLift, WitLower)]
pub enum AccountOwner {
    /// An address of the protocol's own; 0 is the chain itself.
    Reserved(u8),
    /// A hash: of a public key, or an application.
    Address32(Hash),
    /// An address as EVM chains have it.
    Address20(Address20),
}

/// An owner's account on a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, WitType, WitLift, WitLower)]
pub struct Account {
    /// The chain.
    pub chain_id: Hash,
    /// The owner.
    pub owner: AccountOwner,
}

/// A message of an application to itself on another chain.
#[derive(Clone, Debug, PartialEq, Eq, WitType, WitLift, WitLower)]
pub struct OutgoingMessage {
    /// The receiving chain.
    pub destination: Hash,
    /// Whether the signer is carried along.
    pub authenticated: bool,
    /// Whether the message comes back if the receiver rejects it.
    pub tracked: bool,
    /// The message, in the application's own encoding.
    pub message: Vec<u8>,
}

/// New events on a stream that the application follows.
#[derive(Clone, Debug, PartialEq, Eq, WitType, WitLift, WitLower)]
pub struct StreamUpdate {
    /// The chain of the stream.
    pub chain_id: Hash,
    /// The application that emits; none for the system.
    pub application_id: Option<Hash>,
    /// The name of the stream.
    pub stream_name: Vec<u8>,
    /// The first index that is new.
    pub previous_index: u32,
    /// The index after the last new one.
    pub next_index: u32,
}

/// One change of an application's own keys.
#[derive(Clone, Debug, PartialEq, Eq, WitType, WitLift, WitLower)]
pub enum WriteOperation {
    /// Removes a key.
    Delete(Vec<u8>),
    /// Removes every key that begins with this.
    DeletePrefix(Vec<u8>),
    /// Sets a key to a value.
    Put(KeyValue),
}

/// How much a log line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, WitType, WitLift, WitLower)]
pub enum LogLevel {
    /// Something failed.
    Error,
    /// Something looks wrong.
    Warn,
    /// Something worth knowing happened.
    Info,
    /// For whoever looks for a bug.
    Debug,
    /// Every step.
    Trace,
}

impl From<base::CryptoHash> for Hash {
    fn from(hash: base::CryptoHash) -> Self {
        let [part1, part2, part3, part4] = hash.into();
        Hash {
            part1,
            part2,
            part3,
            part4,
        }
    }
}

impl From<Hash> for base::CryptoHash {
    fn from(hash: Hash) -> Self {
        [hash.part1, hash.part2, hash.part3, hash.part4].into()
    }
}

impl From<base::ChainId> for Hash {
    fn from(id: base::ChainId) -> Self {
        id.0.into()
    }
}

impl From<Hash> for base::ChainId {
    fn from(hash: Hash) -> Self {
        base::ChainId(hash.into())
    }
}

impl From<base::ApplicationId> for Hash {
    fn from(id: base::ApplicationId) -> Self {
        id.application_description_hash.into()
    }
}

impl From<Hash> for base::ApplicationId {
    fn from(hash: Hash) -> Self {
        base::ApplicationId::new(hash.into())
    }
}

impl From<base::Amount> for Amount {
    fn from(amount: base::Amount) -> Self {
        Amount {
            low: amount.lower_half(),
            high: amount.upper_half(),
        }
    }
}

impl From<Amount> for base::Amount {
    fn from(amount: Amount) -> Self {
        base::Amount::from_attos(u128::from(amount.high) << 64 | u128::from(amount.low))
    }
}

impl From<[u8; 20]> for Address20 {
    fn from(bytes: [u8; 20]) -> Self {
        let word = |from: usize| {
            u64::from_le_bytes(
                bytes[from..from + 8]
                    .try_into()
                    .expect("a range of eight bytes"),
            )
        };
        let rest = bytes[16..].try_into().expect("a range of four bytes");
        Address20 {
            part1: word(0),
            part2: word(8),
            part3: u32::from_le_bytes(rest),
        }
    }
}

impl From<Address20> for [u8; 20] {
    fn from(address: Address20) -> Self {
        let mut bytes = [0; 20];
        bytes[..8].copy_from_slice(&address.part1.to_le_bytes());
        bytes[8..16].copy_from_slice(&address.part2.to_le_bytes());
        bytes[16..].copy_from_slice(&address.part3.to_le_bytes());
        bytes
    }
}

impl From<base::AccountOwner> for AccountOwner {
    fn from(owner: base::AccountOwner) -> Self {
        match owner {
            base::AccountOwner::Reserved(byte) => AccountOwner::Reserved(byte),
            base::AccountOwner::Address32(hash) => AccountOwner::Address32(hash.into()),
            base::AccountOwner::Address20(bytes) => AccountOwner::Address20(bytes.into()),
        }
    }
}

impl From<AccountOwner> for base::AccountOwner {
    fn from(owner: AccountOwner) -> Self {
        match owner {
            AccountOwner::Reserved(byte) => base::AccountOwner::Reserved(byte),
            AccountOwner::Address32(hash) => base::AccountOwner::Address32(hash.into()),
            AccountOwner::Address20(address) => base::AccountOwner::Address20(address.into()),
        }
    }
}

impl From<base::Account> for Account {
    fn from(account: base::Account) -> Self {
        Account {
            chain_id: account.chain_id.into(),
            owner: account.owner.into(),
        }
    }
}

impl From<Account> for base::Account {
    fn from(account: Account) -> Self {
        base::Account {
            chain_id: account.chain_id.into(),
            owner: account.owner.into(),
        }
    }
}
