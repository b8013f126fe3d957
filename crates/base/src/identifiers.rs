//! What chains and applications are called.

use std::{fmt, marker::PhantomData, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{CryptoHash, ParseIdError};

/// Names a chain: the hash of the blob with its [`ChainDescription`](crate::ChainDescription).
#[cfg_attr(any(test, feature = "test"), derive(Default))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ChainId(pub CryptoHash);

impl fmt::Display for ChainId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for ChainId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        text.parse().map(Self)
    }
}

/// Names an application: the hash of the blob with its
/// [`ApplicationDescription`](crate::ApplicationDescription).
///
/// `A` is the application's ABI, known to the compiler only: it changes neither encodings nor comparisons.
pub struct ApplicationId<A = ()> {
    /// The hash of the blob that describes the application.
    pub application_description_hash: CryptoHash,
    // A function that returns `A`: an identifier can be sent to another thread whatever `A` is.
    abi: PhantomData<fn() -> A>,
}

impl_by_key!(params(A), ApplicationId<A>, |id| id
    .application_description_hash);

impl<A> ApplicationId<A> {
    /// The application whose description's blob has this hash.
    pub const fn new(application_description_hash: CryptoHash) -> Self {
        let abi = PhantomData;
        Self {
            application_description_hash,
            abi,
        }
    }

    /// The same application, of an unspecified ABI.
    pub const fn forget_abi(self) -> ApplicationId {
        ApplicationId::new(self.application_description_hash)
    }
}

impl ApplicationId {
    /// The same application; the caller vouches for its ABI.
    pub const fn with_abi<A>(self) -> ApplicationId<A> {
        ApplicationId::new(self.application_description_hash)
    }
}

impl<A> fmt::Debug for ApplicationId<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ApplicationId")
            .field(&self.application_description_hash)
            .finish()
    }
}

impl<A> fmt::Display for ApplicationId<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.application_description_hash.fmt(f)
    }
}

impl<A> FromStr for ApplicationId<A> {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        text.parse().map(Self::new)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename = "ApplicationId")]
struct BinaryApplicationId {
    application_description_hash: CryptoHash,
}

impl_serde_as_text!(
    params(A),
    ApplicationId<A>,
    BinaryApplicationId,
    |id| BinaryApplicationId {
        application_description_hash: id.application_description_hash
    },
    |binary| Self::new(binary.application_description_hash),
    crate::text::parse
);

#[cfg(any(test, feature = "test"))]
impl<A> Default for ApplicationId<A> {
    fn default() -> Self {
        Self::new(CryptoHash::default())
    }
}

/// Either the system itself or an application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum GenericApplicationId {
    /// The system, which every chain has.
    System,
    /// An application.
    User(ApplicationId),
}

impl<A> From<ApplicationId<A>> for GenericApplicationId {
    fn from(id: ApplicationId<A>) -> Self {
        Self::User(id.forget_abi())
    }
}

impl fmt::Display for GenericApplicationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System => f.write_str("System"),
            Self::User(id) => write!(f, "User:{id}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;

    /// An ABI that implements no trait at all, and could not be sent to another thread.
    struct Abi(#[expect(dead_code, reason = "only its type matters")] Rc<()>);

    fn assert_plain<T: Copy + Ord + std::hash::Hash + Send + Sync>(_: T) {}

    #[test]
    fn the_abi_matters_to_the_compiler_only() {
        let plain = ApplicationId::new(CryptoHash::test_hash("application"));
        let typed = plain.with_abi::<Abi>();
        assert_plain(typed);
        assert_eq!(typed.forget_abi(), plain);
        assert_eq!(
            bcs::to_bytes(&typed).unwrap(),
            bcs::to_bytes(&plain).unwrap()
        );
        assert_eq!(
            serde_json::to_value(typed).unwrap(),
            serde_json::to_value(plain).unwrap()
        );
        assert_eq!(typed.to_string().parse(), Ok(typed));
    }
}
