//! The workspace's scenarios, each on every engine and session of
//! [`PAIRS`](resident_testing::PAIRS): whole outcomes are compared between all of them, built and as
//! committed.

mod accounting;
mod bad_input;
mod bundles;
mod failing;
mod failing_orders;
mod gadget;
mod limits;
mod market;
mod model;
mod order_book;
mod parallel;
mod random;
mod reentrance;
mod stores;
