//! Scenarios with real contracts, on every engine and session.

mod harness;
