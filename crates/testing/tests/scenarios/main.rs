//! The workspace's scenarios, each on every engine and session of
//! [`PAIRS`](resident_testing::PAIRS): whole outcomes are compared between all of them, built and as
//! committed.

mod accounting;
mod archive;
mod asking_servers;
mod bad_blocks;
mod bad_input;
mod bad_stores;
mod bounds;
mod bundles;
mod creation;
mod data_blobs;
mod failing;
mod failing_at_random;
mod failing_orders;
mod gadget;
mod limits;
mod maker;
mod market;
mod model;
mod modules;
mod oracles;
mod order_book;
mod parallel;
mod random;
mod reentrance;
mod scene;
mod snapshots;
mod stores;
