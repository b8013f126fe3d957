//! What applications see of the SDK, on the native target with its mock host.

mod contract;
mod creation;
mod host_calls;
mod models;
mod views;
