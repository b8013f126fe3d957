//! Modules of strangers who mean harm, each with its story: what the attacker wants and what stops it.
//!
//! A hostile module is either *refused*, at a known byte and for a reason its author can read, or it is
//! accepted, and then it ends as [`arena::run`] demands: alike on both engines in its result, in what is
//! left of fuel and call stack, and in the snapshot of what it left behind.
//!
//! With `--nocapture` every accepted module prints what it cost to prepare and to compile. Times never
//! decide a test. The largest modules under the limits take minutes and are ignored by default.

mod allocation;
mod arena;
mod boundary;
mod bytes;
mod compile;
mod cost;
mod encodings;
mod frames;
#[path = "../engines/host.rs"]
mod host;
mod loops;
mod memory;
#[path = "../common/mutate.rs"]
mod mutate;
mod raw;
mod segments;
mod shapes;
mod sizes;
mod snapshots;
mod stack;
mod surface;
mod unpaid;
