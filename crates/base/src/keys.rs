//! Keys, and signatures of typed hashes.
//!
//! What gets signed is always a [`CryptoHash`] of a value of a named type, so a signature says of what kind
//! of value it is. Verification is strict: of the encodings that a lenient verifier would take for the same
//! signature only one passes, and keys of small order never do.

use std::{fmt, str::FromStr};

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    AccountOwner, BcsHashable, CryptoHash, ParseIdError,
    text::{hex_array, hex_bytes, write_hex},
};

/// Why a signature is refused.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum CryptoError {
    /// The signature was made with somebody else's key.
    #[error("signed by {signer} instead of {expected}; sign with the key of the expected owner")]
    WrongSigner {
        /// Who should have signed.
        expected: AccountOwner,
        /// Who signed.
        signer: AccountOwner,
    },
    /// The public key is not a point on the curve.
    #[error("the public key is not valid")]
    InvalidPublicKey,
    /// The signature does not belong to this value and this key.
    #[error("the signature does not match the value and the public key")]
    InvalidSignature,
}

/// A secret key. It is not serializable, its `Debug` shows nothing of it, and dropping it erases it.
pub enum AccountSecretKey {
    /// An Ed25519 key.
    Ed25519(Ed25519SecretKey),
}

/// A public key. As text it is the hexadecimal form of its BCS bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccountPublicKey {
    /// An Ed25519 key.
    Ed25519(Ed25519PublicKey),
}

/// A signature with the public key that it is to be verified by, which an owner is only a hash of.
///
/// As text it is the hexadecimal form of its BCS bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountSignature {
    /// A signature by an Ed25519 key.
    Ed25519 {
        /// The signature.
        signature: Ed25519Signature,
        /// The key.
        public_key: Ed25519PublicKey,
    },
}

impl AccountSecretKey {
    /// A new random Ed25519 key.
    ///
    /// Panics if the operating system has no randomness to give. Guests do not have this function.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn generate() -> Self {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).expect("the operating system provides randomness");
        Self::from_seed(seed)
    }

    /// The Ed25519 key with this seed. Whoever knows the seed has the key.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self::Ed25519(Ed25519SecretKey(SigningKey::from_bytes(&seed)))
    }

    /// The seed, to be stored where only the owner can read it.
    pub fn to_seed(&self) -> [u8; 32] {
        let Self::Ed25519(key) = self;
        key.0.to_bytes()
    }

    /// A second copy of the key. It is not `Clone`, so that copies are made on purpose.
    pub fn copy(&self) -> Self {
        let Self::Ed25519(key) = self;
        Self::Ed25519(Ed25519SecretKey(key.0.clone()))
    }

    /// The public key that belongs to this key.
    pub fn public(&self) -> AccountPublicKey {
        let Self::Ed25519(key) = self;
        AccountPublicKey::Ed25519(key.public())
    }

    /// Signs a value.
    pub fn sign<T: BcsHashable>(&self, value: &T) -> AccountSignature {
        self.sign_hash(CryptoHash::new(value))
    }

    /// Signs a value whose typed hash is already known.
    pub fn sign_hash(&self, hash: CryptoHash) -> AccountSignature {
        let Self::Ed25519(key) = self;
        let signature = Ed25519Signature(key.0.sign(hash.as_bytes()).to_bytes());
        AccountSignature::Ed25519 {
            signature,
            public_key: key.public(),
        }
    }
}

impl fmt::Debug for AccountSecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Ed25519(key) = self;
        f.debug_tuple("Ed25519").field(key).finish()
    }
}

impl AccountPublicKey {
    /// The owner that this key signs for.
    pub fn owner(self) -> AccountOwner {
        self.into()
    }
}

impl BcsHashable for AccountPublicKey {
    const NAME: &'static str = "AccountPublicKey";
}

impl AccountSignature {
    /// Checks that `owner` signed this value.
    pub fn verify<T: BcsHashable>(
        &self,
        value: &T,
        owner: AccountOwner,
    ) -> Result<(), CryptoError> {
        self.verify_hash(CryptoHash::new(value), owner)
    }

    /// Checks that `owner` signed the value with this typed hash.
    pub fn verify_hash(&self, hash: CryptoHash, owner: AccountOwner) -> Result<(), CryptoError> {
        let signer = self.public_key().owner();
        if signer != owner {
            return Err(CryptoError::WrongSigner {
                expected: owner,
                signer,
            });
        }
        let Self::Ed25519 {
            signature,
            public_key,
        } = self;
        let key = VerifyingKey::from_bytes(&public_key.0);
        let key = key.map_err(|_| CryptoError::InvalidPublicKey)?;
        let signature = Signature::from_bytes(&signature.0);
        let verified = key.verify_strict(hash.as_bytes(), &signature);
        verified.map_err(|_| CryptoError::InvalidSignature)
    }

    /// The key that the signature claims to be made with.
    pub const fn public_key(&self) -> AccountPublicKey {
        let Self::Ed25519 { public_key, .. } = self;
        AccountPublicKey::Ed25519(*public_key)
    }
}

/// A secret Ed25519 key.
pub struct Ed25519SecretKey(SigningKey);

impl Ed25519SecretKey {
    fn public(&self) -> Ed25519PublicKey {
        Ed25519PublicKey(self.0.verifying_key().to_bytes())
    }
}

impl fmt::Debug for Ed25519SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

/// A public Ed25519 key, as its 32 bytes; whether they are a key at all shows when a signature is verified.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ed25519PublicKey(pub [u8; 32]);

/// An Ed25519 signature, as its 64 bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Ed25519Signature(pub [u8; 64]);

/// Implements text as the hexadecimal digits of `N` bytes.
macro_rules! impl_hex_text {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_hex(f, &self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_hex(f, &self.0[..8])
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                hex_array(text).map(Self)
            }
        }
    };
}

impl_hex_text!(Ed25519PublicKey);
impl_hex_text!(Ed25519Signature);

/// Implements text as the hexadecimal digits of the BCS bytes.
macro_rules! impl_bcs_text {
    ($name:ident, $type_name:literal) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let bytes = bcs::to_bytes(self).expect("fixed-size values have a BCS encoding");
                write_hex(f, &bytes)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                let value = bcs::from_bytes(&hex_bytes(text)?);
                value.map_err(|_| ParseIdError::Encoding {
                    type_name: $type_name,
                })
            }
        }
    };
}

impl_bcs_text!(AccountPublicKey, "public key");
impl_bcs_text!(AccountSignature, "signature");

#[derive(Serialize, Deserialize)]
#[serde(rename = "Ed25519PublicKey")]
struct BinaryEd25519PublicKey([u8; 32]);

/// Two halves encode as one array of 64 bytes would, for which serde has no implementation.
#[derive(Serialize, Deserialize)]
#[serde(rename = "Ed25519Signature")]
struct BinaryEd25519Signature([[u8; 32]; 2]);

#[derive(Serialize, Deserialize)]
#[serde(rename = "AccountPublicKey")]
enum BinaryPublicKey {
    Ed25519(Ed25519PublicKey),
}

#[derive(Serialize, Deserialize)]
#[serde(rename = "AccountSignature")]
enum BinarySignature {
    Ed25519 {
        signature: Ed25519Signature,
        public_key: Ed25519PublicKey,
    },
}

impl_serde_as_text!(
    Ed25519PublicKey,
    BinaryEd25519PublicKey,
    |key| BinaryEd25519PublicKey(key.0),
    |binary| Ed25519PublicKey(binary.0)
);

impl_serde_as_text!(
    Ed25519Signature,
    BinaryEd25519Signature,
    |signature| {
        let (halves, _) = signature.0.as_chunks();
        BinaryEd25519Signature([halves[0], halves[1]])
    },
    |binary| {
        let mut bytes = [0; 64];
        bytes.copy_from_slice(binary.0.as_flattened());
        Ed25519Signature(bytes)
    }
);

impl_serde_as_text!(
    AccountPublicKey,
    BinaryPublicKey,
    |AccountPublicKey::Ed25519(key)| BinaryPublicKey::Ed25519(*key),
    |BinaryPublicKey::Ed25519(key)| AccountPublicKey::Ed25519(key)
);

impl_serde_as_text!(
    AccountSignature,
    BinarySignature,
    |AccountSignature::Ed25519 {
         signature,
         public_key,
     }| BinarySignature::Ed25519 {
        signature: *signature,
        public_key: *public_key,
    },
    |BinarySignature::Ed25519 {
         signature,
         public_key,
     }| AccountSignature::Ed25519 {
        signature,
        public_key,
    }
);

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Order(u64);

    #[derive(Serialize)]
    struct Offer(u64);

    impl BcsHashable for Order {
        const NAME: &'static str = "Order";
    }

    impl BcsHashable for Offer {
        const NAME: &'static str = "Offer";
    }

    #[test]
    fn the_owner_of_the_key_signs() {
        let secret = AccountSecretKey::generate();
        let owner = secret.public().owner();
        let signature = secret.copy().sign(&Order(1));
        assert_eq!(signature.verify(&Order(1), owner), Ok(()));
        assert_eq!(
            signature.verify(&Order(2), owner),
            Err(CryptoError::InvalidSignature)
        );
        assert_eq!(
            signature.verify(&Offer(1), owner),
            Err(CryptoError::InvalidSignature)
        );
    }

    #[test]
    fn another_key_is_refused() {
        let (alice, bob) = (
            AccountSecretKey::from_seed([1; 32]),
            AccountSecretKey::generate(),
        );
        let (expected, signer) = (alice.public().owner(), bob.public().owner());
        let signature = bob.sign(&Order(1));
        let refusal = Err(CryptoError::WrongSigner { expected, signer });
        assert_eq!(signature.verify(&Order(1), expected), refusal);
        // Claiming Alice's key for Bob's signature does not help.
        let AccountSignature::Ed25519 { signature, .. } = signature;
        let AccountPublicKey::Ed25519(public_key) = alice.public();
        let forged = AccountSignature::Ed25519 {
            signature,
            public_key,
        };
        assert_eq!(
            forged.verify(&Order(1), expected),
            Err(CryptoError::InvalidSignature)
        );
    }

    #[test]
    fn keys_of_small_order_and_keys_off_the_curve_are_refused() {
        let verify = |key: [u8; 32], signature| {
            let public_key = Ed25519PublicKey(key);
            let signature = AccountSignature::Ed25519 {
                signature,
                public_key,
            };
            signature.verify(&Order(1), signature.public_key().owner())
        };
        // The neutral element as key and commitment, with a zero scalar, satisfies the lenient equation
        // for every message.
        let neutral = std::array::from_fn(|index| u8::from(index == 0));
        let lenient = Ed25519Signature(std::array::from_fn(|index| u8::from(index == 0)));
        assert_eq!(verify(neutral, lenient), Err(CryptoError::InvalidSignature));
        let off_curve = std::array::from_fn(|index| if index == 0 { 2 } else { 0 });
        assert_eq!(
            verify(off_curve, lenient),
            Err(CryptoError::InvalidPublicKey)
        );
    }

    #[test]
    fn secrets_stay_secret() {
        let secret = AccountSecretKey::from_seed([0xab; 32]);
        assert_eq!(format!("{secret:?}"), "Ed25519(<secret>)");
        assert_eq!(
            AccountSecretKey::from_seed(secret.to_seed()).public(),
            secret.public()
        );
    }

    #[test]
    fn text_comes_back_and_errors_are_typed() {
        let secret = AccountSecretKey::from_seed([1; 32]);
        let (key, signature) = (secret.public(), secret.sign(&Order(1)));
        assert_eq!(key.to_string().parse(), Ok(key));
        assert_eq!(signature.to_string().parse(), Ok(signature));
        assert_eq!("0".parse::<AccountPublicKey>(), Err(ParseIdError::Digits));
        let type_name = "public key";
        let unknown_scheme = format!("07{}", &key.to_string()[2..]).parse::<AccountPublicKey>();
        assert_eq!(unknown_scheme, Err(ParseIdError::Encoding { type_name }));
    }
}
