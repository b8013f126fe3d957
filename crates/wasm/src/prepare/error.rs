//! Why a module is refused.

use wasmparser::WasmFeatures;

/// A module was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("module refused at byte {offset}: {reason}")]
pub struct PrepareError {
    /// Where in the published bytes, counted from their start.
    pub offset: usize,
    /// What was found there.
    pub reason: RefusalReason,
}

/// What was found in a refused module; the message also says what the author can do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RefusalReason {
    /// The bytes are not a valid module.
    #[error("invalid module: {message}; build it again and publish the file unchanged")]
    Invalid {
        /// What the validator said.
        message: String,
    },
    /// The module uses a proposal that is not accepted.
    #[error("the {feature} proposal is not accepted ({message}); disable it in the compiler")]
    Feature {
        /// Name of the proposal.
        feature: &'static str,
        /// What the validator said.
        message: String,
    },
    /// An instruction changes state that a snapshot cannot capture.
    #[error(
        "`{instruction}` is not accepted because snapshots could not capture its effect; \
             build without it"
    )]
    Instruction {
        /// The instruction's name.
        instruction: &'static str,
    },
    /// A size is past its limit.
    #[error("{what}: {found} found, at most {limit} accepted; make it smaller")]
    Limit {
        /// What was counted.
        what: &'static str,
        /// How much was found.
        found: u64,
        /// How much is accepted.
        limit: u64,
    },
    /// The import is no function of the ABI.
    #[error("unknown import `{name}` of `{module}`; import only functions of the application ABI")]
    UnknownImport {
        /// Module name of the import.
        module: String,
        /// Name of the import.
        name: String,
    },
    /// The function of the ABI is imported already.
    #[error("`{name}` of `{module}` is imported twice; import it once and call that")]
    DuplicateImport {
        /// Module name of the import.
        module: String,
        /// Name of the import.
        name: String,
    },
    /// A block has parameters, or several results.
    #[error(
        "a block with {parameters} parameters and {results} results is not accepted; \
             use locals, and one result at most"
    )]
    BlockType {
        /// Number of its parameters.
        parameters: usize,
        /// Number of its results.
        results: usize,
    },
    /// The import is a function of the ABI, but with another type.
    #[error(
        "import `{name}` of `{module}` has type {found} instead of {expected}; \
             build against the current SDK"
    )]
    ImportType {
        /// Module name of the import.
        module: String,
        /// Name of the import.
        name: String,
        /// The type in the module.
        found: String,
        /// The type in the ABI.
        expected: String,
    },
    /// The import is not a function.
    #[error(
        "import `{name}` of `{module}` is a {kind}; only functions can be imported, \
             define it in the module"
    )]
    ImportKind {
        /// Module name of the import.
        module: String,
        /// Name of the import.
        name: String,
        /// What it is instead.
        kind: &'static str,
    },
    /// A required export is missing.
    #[error("no {kind} is exported as `{name}`; use the SDK's entry-point macros")]
    MissingExport {
        /// Name of the export.
        name: String,
        /// What it must be.
        kind: &'static str,
    },
    /// A required export has another type.
    #[error(
        "export `{name}` has type {found} instead of {expected}; \
             build against the current SDK"
    )]
    ExportType {
        /// Name of the export.
        name: String,
        /// The type in the module.
        found: String,
        /// The type in the ABI.
        expected: String,
    },
    /// An export has a name that preparation keeps for itself.
    #[error("export `{name}` begins with the reserved prefix `resident:`; rename it")]
    ReservedExport {
        /// Name of the export.
        name: String,
    },
    /// A mutable global holds something that a snapshot cannot capture.
    #[error(
        "mutable global {index} has type {ty}, which snapshots cannot capture; \
             use a number instead"
    )]
    GlobalType {
        /// Index of the global.
        index: u32,
        /// Type of the global.
        ty: String,
    },
    /// The table does not hold functions.
    #[error("a table of {ty} is not accepted; only a table of functions is")]
    TableType {
        /// Type of the elements.
        ty: String,
    },
    /// A data or element segment is passive.
    #[error("passive {kind} segment; build without shared memory so that segments are active")]
    PassiveSegment {
        /// `data` or `element`.
        kind: &'static str,
    },
    /// An active segment's offset is not a plain constant.
    #[error(
        "the offset of a {kind} segment is not a single `i32.const`; \
             build without position-independent code"
    )]
    SegmentOffset {
        /// `data` or `element`.
        kind: &'static str,
    },
    /// An active segment does not fit what it initialises.
    #[error(
        "a {kind} segment ends at {end}, past the initial size {size}; \
             declare a larger initial size"
    )]
    SegmentBounds {
        /// `data` or `element`.
        kind: &'static str,
        /// Where the segment ends, in bytes or elements.
        end: u64,
        /// How large the memory or table is, in bytes or elements.
        size: u64,
    },
}

impl PrepareError {
    pub(super) fn new(offset: u64, reason: RefusalReason) -> Self {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        Self { offset, reason }
    }

    pub(super) fn limit(offset: u64, what: &'static str, found: u64, limit: u64) -> Self {
        Self::new(offset, RefusalReason::Limit { what, found, limit })
    }
}

impl From<wasmparser::Error> for PrepareError {
    fn from(error: wasmparser::Error) -> Self {
        let message = error.message().to_owned();
        let feature = error
            .missing_wasm_feature()
            .map(feature_name)
            .or_else(|| feature_in_message(&message));
        let reason = match feature {
            Some(feature) => RefusalReason::Feature { feature, message },
            None => RefusalReason::Invalid { message },
        };
        Self::new(error.offset(), reason)
    }
}

/// The proposal that an error is about although the validator does not mark it as such: without this,
/// an author would be told to build the same module again.
fn feature_in_message(message: &str) -> Option<&'static str> {
    match message {
        "gc proposal must be enabled to use subtypes" => Some("garbage-collection"),
        "multiple memories" => Some("multi-memory"),
        _ => None,
    }
}

/// Refuses a count that is past its limit.
pub(super) fn within(
    offset: u64,
    what: &'static str,
    found: u64,
    limit: u64,
) -> Result<(), PrepareError> {
    if found > limit {
        return Err(PrepareError::limit(offset, what, found, limit));
    }
    Ok(())
}

fn feature_name(features: WasmFeatures) -> &'static str {
    const NAMES: [(WasmFeatures, &str); 17] = [
        (WasmFeatures::THREADS, "threads"),
        (
            WasmFeatures::SHARED_EVERYTHING_THREADS,
            "shared-everything-threads",
        ),
        (WasmFeatures::MEMORY64, "memory64"),
        (WasmFeatures::MULTI_MEMORY, "multi-memory"),
        (WasmFeatures::EXCEPTIONS, "exception-handling"),
        (WasmFeatures::LEGACY_EXCEPTIONS, "legacy exception-handling"),
        (WasmFeatures::GC, "garbage-collection"),
        (WasmFeatures::GC_TYPES, "external-reference"),
        (WasmFeatures::FUNCTION_REFERENCES, "function-references"),
        (WasmFeatures::SIMD, "simd"),
        (WasmFeatures::RELAXED_SIMD, "relaxed-simd"),
        (WasmFeatures::TAIL_CALL, "tail-call"),
        (WasmFeatures::EXTENDED_CONST, "extended-const"),
        (WasmFeatures::CUSTOM_PAGE_SIZES, "custom-page-sizes"),
        (WasmFeatures::CUSTOM_DESCRIPTORS, "custom-descriptors"),
        (WasmFeatures::STACK_SWITCHING, "stack-switching"),
        (WasmFeatures::WIDE_ARITHMETIC, "wide-arithmetic"),
    ];
    NAMES
        .iter()
        .find(|(flag, _)| features.intersects(*flag))
        .map_or("requested", |(_, name)| *name)
}
