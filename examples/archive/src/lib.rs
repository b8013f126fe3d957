//! Keeps pages of the web as data blobs, on shelves that it creates.
//!
//! Shows what a contract can do beyond its own state: ask a server outside, publish what it answers so that every
//! chain can read it, create applications and call them although nothing in the block named them, and open
//! chains. There are no parameters, no argument and no messages.

#![forbid(unsafe_code)]

use resident_sdk::{
    ContractAbi,
    base_types::{AccountOwner, ApplicationId, ChainId, DataBlobHash, ModuleId},
};
use serde::{Deserialize, Serialize};

/// The types by which an archive is called.
#[derive(Clone, Copy, Debug)]
pub struct ArchiveAbi;

impl ContractAbi for ArchiveAbi {
    type Operation = Operation;
    type Response = Response;
}

/// What can be asked of an archive.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Operation {
    /// Fetches a page and keeps it. Fails unless the server answers with status 200.
    Fetch {
        /// Where the page is.
        url: String,
    },
    /// Reads a page as it was when it was last fetched.
    Read {
        /// Where it was.
        url: String,
    },
    /// Creates a shelf: an archive of its own, on the same chain.
    AddShelf {
        /// What the shelf is called here; a name in use is an error.
        name: String,
        /// The code of archives.
        module_id: ModuleId,
    },
    /// Lets a shelf do something, and gives its response.
    OnShelf {
        /// What the shelf is called.
        name: String,
        /// What it does.
        operation: Box<Operation>,
    },
    /// Opens a chain without tokens for somebody.
    OpenBranch {
        /// Who will own it.
        owner: AccountOwner,
    },
}

/// What an archive answers.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Response {
    /// The page is kept in this blob.
    Fetched(DataBlobHash),
    /// The content of the page.
    Page(Vec<u8>),
    /// The shelf is this application.
    Shelf(ApplicationId<ArchiveAbi>),
    /// The chain that was opened.
    Branch(ChainId),
}
