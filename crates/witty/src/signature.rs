//! The core signature of a whole function.

use crate::{CoreType, WitType};

/// With more flat parameters than this, they travel as one record in memory.
pub const MAX_FLAT_PARAMS: usize = 16;

/// With more flat results than this, the result travels in memory.
pub const MAX_FLAT_RESULTS: usize = 1;

/// The core signature of a function with parameters and a result of WIT types.
///
/// Parameters are a tuple with one element for each; a function without a result returns `()`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The core parameters, in order.
    pub params: Vec<CoreType>,
    /// The core results: none or one.
    pub results: Vec<CoreType>,
    /// Whether the parameters are stored in memory, and only their address is passed.
    pub indirect_params: bool,
    /// Whether the result is stored in memory. For an import its address is the last parameter,
    /// chosen by the guest; for an export it is the core result.
    pub indirect_results: bool,
}

impl Signature {
    /// The signature of a function that the guest imports: the guest calls the host.
    #[must_use]
    pub fn import<P: WitType, R: WitType>() -> Self {
        let mut signature = Self::direct_or_indirect::<P, R>();
        if signature.indirect_results {
            signature.params.push(CoreType::I32);
        }
        signature
    }

    /// The signature of a function that the guest exports: the host calls the guest.
    #[must_use]
    pub fn export<P: WitType, R: WitType>() -> Self {
        let mut signature = Self::direct_or_indirect::<P, R>();
        if signature.indirect_results {
            signature.results.push(CoreType::I32);
        }
        signature
    }

    /// The signature without the address of an indirect result.
    fn direct_or_indirect<P: WitType, R: WitType>() -> Self {
        let indirect_params = P::FLAT_COUNT > MAX_FLAT_PARAMS;
        let indirect_results = R::FLAT_COUNT > MAX_FLAT_RESULTS;
        let params = if indirect_params {
            vec![CoreType::I32]
        } else {
            flat_types::<P>()
        };
        let results = if indirect_results {
            Vec::new()
        } else {
            flat_types::<R>()
        };
        Self {
            params,
            results,
            indirect_params,
            indirect_results,
        }
    }
}

fn flat_types<T: WitType>() -> Vec<CoreType> {
    let mut types = Vec::new();
    T::flat_types(&mut types);
    types
}
