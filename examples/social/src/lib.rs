//! Posts on one's own chain, and followers on other chains who receive them.
//!
//! A post is an event in the stream [`POSTS`] of the author's chain: writing one costs the same however
//! many follow. Who follows an author has the author's chain in the subscriptions of the own chain, is told of
//! new posts in the order in which they were written, and keeps them in a timeline.
//!
//! At the end of a block with posts the application emits one more event, to the stream [`DIGESTS`]: how
//! many there were. There are neither parameters nor an instantiation argument.

#![forbid(unsafe_code)]

use resident_sdk::{
    ContractAbi,
    base_types::{ChainId, Timestamp},
};
use serde::{Deserialize, Serialize};

/// The stream with the posts of a chain.
pub const POSTS: &str = "posts";

/// The stream that tells how many posts each block had.
pub const DIGESTS: &str = "digests";

/// The longest text of a post, in bytes.
pub const MAX_TEXT_BYTES: usize = 1_000;

/// The most posts that one question for the timeline is answered with.
pub const MAX_TIMELINE_PAGE: u32 = 100;

/// The types by which the application is called.
#[derive(Clone, Copy, Debug)]
pub struct SocialAbi;

impl ContractAbi for SocialAbi {
    type Operation = Operation;
    type Response = Response;
}

/// What can be asked of the application.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Operation {
    /// Write a post on this chain. Answers with its index.
    Post {
        /// What it says.
        text: String,
    },
    /// Write a post on another chain, which accepts it if it follows this one.
    PostAt {
        /// Where.
        chain: ChainId,
        /// What it says.
        text: String,
    },
    /// Write somebody else's post again on this chain, whether it has been received or not. Answers with
    /// the new index.
    Share {
        /// Whose post.
        author: ChainId,
        /// Which one.
        index: u32,
    },
    /// Receive the posts of a chain, the ones before included.
    Follow {
        /// Whose posts.
        author: ChainId,
    },
    /// Receive no more of them.
    Unfollow {
        /// Whose posts.
        author: ChainId,
    },
    /// Read what was received, in the order of its arrival: at most [`MAX_TIMELINE_PAGE`] posts.
    Timeline {
        /// How many to leave out.
        skip: u32,
    },
}

/// What the application answers.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Response {
    /// It is done.
    Done,
    /// The index of a new post.
    Posted(u32),
    /// A part of the timeline.
    Timeline(Vec<Received>),
}

/// What the application sends to itself on another chain.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Message {
    /// A post for the receiving chain.
    Post {
        /// What it says.
        text: String,
    },
}

/// What the application emits.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Event {
    /// To [`POSTS`].
    Post(Post),
    /// To [`DIGESTS`].
    Digest {
        /// How many posts a block had.
        posts: u32,
    },
}

/// A post.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Post {
    /// What it says.
    pub text: String,
    /// When it was written.
    pub timestamp: Timestamp,
    /// Whose words these are, if not those of the chain that has the post.
    pub by: Option<ChainId>,
}

/// A post in a follower's timeline.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Received {
    /// The chain that it was written on.
    pub author: ChainId,
    /// Its position among the posts of that chain.
    pub index: u32,
    /// What was written.
    pub post: Post,
}
