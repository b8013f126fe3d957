//! Prepared modules, executed beside the originals.

mod compilers;
mod control;
mod differential;
mod exhaustion;
mod fuel;
mod harness;
mod nan;
mod outputs;
mod refusals;
