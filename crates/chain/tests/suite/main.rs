//! Blocks of the system's own operations on a real executor, from staging to delivery.

mod blocks;
mod common;
mod encodings;
