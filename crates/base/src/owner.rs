//! Who owns what.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    AccountPublicKey, ApplicationId, ChainId, CryptoHash, ParseIdError,
    text::{hex_array, write_hex},
};

/// Somebody or something that can own tokens.
///
/// As text it is `0x` and the hexadecimal digits of its bytes, whose number tells the kinds apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccountOwner {
    /// A number with a meaning of its own; zero is the chain itself.
    Reserved(u8),
    /// The hash of a public key, or an application.
    Address32(CryptoHash),
    /// An address of the Ethereum virtual machine.
    Address20([u8; 20]),
}

impl AccountOwner {
    /// The chain itself: its balance belongs to nobody in particular.
    pub const CHAIN: Self = Self::Reserved(0);
}

impl<A> From<ApplicationId<A>> for AccountOwner {
    fn from(id: ApplicationId<A>) -> Self {
        Self::Address32(id.application_description_hash)
    }
}

impl From<AccountPublicKey> for AccountOwner {
    fn from(public_key: AccountPublicKey) -> Self {
        Self::Address32(CryptoHash::new(&public_key))
    }
}

impl From<CryptoHash> for AccountOwner {
    fn from(hash: CryptoHash) -> Self {
        Self::Address32(hash)
    }
}

impl From<[u8; 20]> for AccountOwner {
    fn from(address: [u8; 20]) -> Self {
        Self::Address20(address)
    }
}

impl fmt::Display for AccountOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("0x")?;
        match self {
            Self::Reserved(number) => write_hex(f, &[*number]),
            Self::Address32(hash) => write_hex(f, hash.as_bytes()),
            Self::Address20(address) => write_hex(f, address),
        }
    }
}

impl FromStr for AccountOwner {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let digits = text.strip_prefix("0x").ok_or(ParseIdError::MissingPrefix)?;
        match digits.len() {
            2 => hex_array(digits).map(|[number]| Self::Reserved(number)),
            40 => hex_array(digits).map(Self::Address20),
            64 => digits.parse().map(Self::Address32),
            found => Err(ParseIdError::OwnerLength { found }),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename = "AccountOwner")]
enum BinaryOwner {
    Reserved(u8),
    Address32(CryptoHash),
    Address20([u8; 20]),
}

impl_serde_as_text!(
    AccountOwner,
    BinaryOwner,
    |owner| match *owner {
        AccountOwner::Reserved(number) => BinaryOwner::Reserved(number),
        AccountOwner::Address32(hash) => BinaryOwner::Address32(hash),
        AccountOwner::Address20(address) => BinaryOwner::Address20(address),
    },
    |binary| match binary {
        BinaryOwner::Reserved(number) => AccountOwner::Reserved(number),
        BinaryOwner::Address32(hash) => AccountOwner::Address32(hash),
        BinaryOwner::Address20(address) => AccountOwner::Address20(address),
    }
);

/// An owner's account on one chain. As text it is `owner@chain`.
#[cfg_attr(
    feature = "graphql",
    derive(async_graphql::SimpleObject, async_graphql::InputObject),
    graphql(name = "AccountOutput", input_name = "Account")
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Account {
    /// The chain that keeps the account.
    pub chain_id: ChainId,
    /// Whose account it is.
    pub owner: AccountOwner,
}

impl Account {
    /// The account of `owner` on a chain.
    pub const fn new(chain_id: ChainId, owner: AccountOwner) -> Self {
        Self { chain_id, owner }
    }

    /// The chain's own account.
    pub const fn chain(chain_id: ChainId) -> Self {
        Self::new(chain_id, AccountOwner::CHAIN)
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.owner, self.chain_id)
    }
}

impl FromStr for Account {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let separator = '@';
        let parts = text.split_once(separator);
        let (owner, chain_id) = parts.ok_or(ParseIdError::MissingSeparator { separator })?;
        Ok(Self::new(chain_id.parse()?, owner.parse()?))
    }
}

/// An owner, and somebody else whom the owner allows to spend.
#[cfg_attr(
    feature = "graphql",
    derive(async_graphql::SimpleObject, async_graphql::InputObject),
    graphql(name = "OwnerSpenderOutput", input_name = "OwnerSpender")
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OwnerSpender {
    /// Whose tokens they are.
    pub owner: AccountOwner,
    /// Who may spend them.
    pub spender: AccountOwner,
}

impl OwnerSpender {
    /// Pairs an owner with a spender.
    ///
    /// Panics if they are the same: nobody needs an allowance for their own tokens.
    pub fn new(owner: AccountOwner, spender: AccountOwner) -> Self {
        assert!(owner != spender, "the owner and the spender must differ");
        Self { owner, spender }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_comes_back_for_each_kind() {
        let hash = CryptoHash::test_hash("owner");
        for owner in [AccountOwner::CHAIN, hash.into(), [7; 20].into()] {
            assert_eq!(owner.to_string().parse(), Ok(owner));
            let account = Account::new(ChainId(hash), owner);
            assert_eq!(account.to_string().parse(), Ok(account));
        }
        assert_eq!(AccountOwner::CHAIN.to_string(), "0x00");
    }

    #[test]
    fn parsing_errors_are_typed() {
        let parse = |text: &str| text.parse::<AccountOwner>().unwrap_err();
        assert_eq!(parse("00"), ParseIdError::MissingPrefix);
        assert_eq!(parse("0x"), ParseIdError::OwnerLength { found: 0 });
        assert_eq!(parse("0x000"), ParseIdError::OwnerLength { found: 3 });
        assert_eq!(parse("0xg0"), ParseIdError::Digits);
        let separator = '@';
        assert_eq!(
            "0x00".parse::<Account>(),
            Err(ParseIdError::MissingSeparator { separator })
        );
    }

    #[test]
    #[should_panic(expected = "must differ")]
    fn nobody_spends_for_themselves() {
        OwnerSpender::new(AccountOwner::CHAIN, AccountOwner::CHAIN);
    }
}
