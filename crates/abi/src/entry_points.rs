//! What the node may call in a contract, and in a service.

use resident_witty::{WitLift, WitLower};

use crate::wire::StreamUpdate;

/// The interface that every contract exports.
pub const CONTRACT_ENTRY_POINTS: &str = "resident:app/contract-entrypoints";

/// The interface that every service exports.
pub const SERVICE_ENTRY_POINTS: &str = "resident:app/service-entrypoints";

/// A function that a contract or a service exports.
pub trait EntryPoint {
    /// The interface that it belongs to.
    const INTERFACE: &'static str;
    /// The function's own name, without its interface.
    const NAME: &'static str;
    /// Where the function stands in [`EntryPointIndex::ALL`].
    const INDEX: EntryPointIndex;
    /// What goes in, a tuple.
    type Parameters: WitLower + 'static;
    /// What comes out.
    type Results: WitLift + 'static;
}

/// Something that wants to see every entry point with its types.
pub trait EntryPointVisitor {
    /// Called once per entry point, in the order of [`EntryPointIndex::ALL`].
    fn visit<E: EntryPoint>(&mut self);
}

macro_rules! entry_points {
    ($(
        interface $interface:ident {
            $(
                $(#[$doc:meta])*
                $name:literal => $entry:ident($($type:ty),*) -> $result:ty;
            )*
        }
    )*) => {
        /// The entry points as an index, to look resolved functions up by. A module has those of one
        /// interface.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum EntryPointIndex {
            $($($(#[$doc])* $entry,)*)*
        }

        impl EntryPointIndex {
            /// All entry points in the order of the lists.
            pub const ALL: &'static [Self] = &[$($(Self::$entry,)*)*];

            /// The interface that the function belongs to.
            pub fn interface(self) -> &'static str {
                match self {
                    $($(Self::$entry => $interface,)*)*
                }
            }

            /// The function's own name, without its interface.
            pub fn name(self) -> &'static str {
                match self {
                    $($(Self::$entry => $name,)*)*
                }
            }

            /// The name that the guest's module exports the function by.
            pub fn export_name(self) -> String {
                format!("{}#{}", self.interface(), self.name())
            }

            /// The name of the function that frees the result, which not every entry point has.
            pub fn post_return_name(self) -> String {
                format!("cabi_post_{}", self.export_name())
            }
        }

        $($(
            $(#[$doc])*
            pub struct $entry;

            impl EntryPoint for $entry {
                const INTERFACE: &'static str = $interface;
                const NAME: &'static str = $name;
                const INDEX: EntryPointIndex = EntryPointIndex::$entry;
                type Parameters = ($($type,)*);
                type Results = $result;
            }
        )*)*

        /// Shows every entry point of contracts and of services to `visitor`.
        pub fn visit_entry_points(visitor: &mut impl EntryPointVisitor) {
            $($(visitor.visit::<$entry>();)*)*
        }
    };
}

entry_points! {
    interface CONTRACT_ENTRY_POINTS {
        /// Sets the application up, once, on the chain that it is created on.
        "instantiate" => Instantiate(Vec<u8>) -> ();
        /// Runs an operation, and gives the response.
        "execute-operation" => ExecuteOperation(Vec<u8>) -> Vec<u8>;
        /// Runs a message.
        "execute-message" => ExecuteMessage(Vec<u8>) -> ();
        /// Looks at new events on followed streams.
        "process-streams" => ProcessStreams(Vec<StreamUpdate>) -> ();
        /// Replaces events by a summary.
        "summarize-events" => SummarizeEvents(Vec<StreamUpdate>) -> ();
        /// Ends the block: check, settle, store.
        "finalize" => Finalize() -> ();
    }

    interface SERVICE_ENTRY_POINTS {
        /// Answers a query, and changes nothing.
        "handle-query" => HandleQuery(Vec<u8>) -> Vec<u8>;
    }
}
