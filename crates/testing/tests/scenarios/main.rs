//! The workspace's scenarios, each on every engine and session of
//! [`PAIRS`](resident_testing::PAIRS): whole outcomes are compared between all of them, built and as
//! committed.

mod accounting;
mod bad_blocks;
mod bad_input;
mod bad_stores;
mod bounds;
mod bundles;
mod failing;
mod failing_at_random;
mod failing_orders;
mod gadget;
mod graphql;
mod limits;
mod market;
mod model;
mod modules;
mod node_queries;
mod order_book;
mod parallel;
mod probe;
mod query_service;
mod random;
mod reentrance;
mod scene;
mod services;
mod snapshots;
mod stores;
