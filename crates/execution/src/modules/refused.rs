//! Modules that were accepted when they were published, and that this node's engine does not compile.
//!
//! Nobody knows of one. But if there is one, what needs it must not stop the rest: it is missing here, as data is
//! that has not arrived, and not a fault. Trying costs a compilation, so it is not tried all the time.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use resident_base::BlobId;
use resident_wasm::EngineError;

use crate::{Fault, MissingData, Stop};

/// The engine may have lacked something that will be there later.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(600);

/// As many are remembered.
const MAX_REFUSED: usize = 1_000;

/// What the engine refused, and when.
#[derive(Debug, Default)]
pub(super) struct Refused(Mutex<BTreeMap<BlobId, (Instant, String)>>);

impl Refused {
    /// Passes if it is worth a try to compile this.
    pub(super) fn check(&self, code: BlobId) -> Result<(), MissingData> {
        let mut refused = self.lock();
        refused.retain(|_, (since, _)| since.elapsed() < TRY_AGAIN_AFTER);
        match refused.get(&code) {
            None => Ok(()),
            Some((_, reason)) => Err(MissingData::Compiled {
                code,
                reason: reason.clone(),
            }),
        }
    }

    /// Says what an engine's error means, and remembers it.
    pub(super) fn note(&self, code: BlobId, error: EngineError) -> Stop {
        if !matches!(error, EngineError::Compile { .. }) {
            return Fault::from(error).into();
        }
        let reason = error.to_string();
        log::warn!("{code} cannot be compiled here: {reason}");
        let mut refused = self.lock();
        if refused.len() >= MAX_REFUSED {
            refused.clear();
        }
        refused.insert(code, (Instant::now(), reason.clone()));
        MissingData::Compiled { code, reason }.into()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<BlobId, (Instant, String)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use resident_base::{BlobType, CryptoHash};

    use super::*;

    #[test]
    fn what_an_engine_refuses_is_missing_and_not_tried_again_at_once() {
        let refused = Refused::default();
        let [first, second] = [b"1", b"2"]
            .map(|name| BlobId::new(BlobType::ContractBytecode, CryptoHash::of_bytes(name)));
        assert_eq!(refused.check(first), Ok(()));
        let (engine, reason) = ("wasmtime", "it is too strange".to_owned());
        let stop = refused.note(first, EngineError::Compile { engine, reason });
        let Stop::Missing(missing) = stop else {
            panic!("it is missing, not {stop}");
        };
        assert!(missing.to_string().contains("too strange"), "{missing}");
        assert_eq!(refused.check(first), Err(missing));
        assert_eq!(refused.check(second), Ok(()));
        let reason = "no memory".to_owned();
        let stop = refused.note(second, EngineError::Instantiate { engine, reason });
        assert!(matches!(stop, Stop::Fault(Fault::Engine(_))), "{stop}");
        assert_eq!(refused.check(second), Ok(()));
    }
}
