//! ABIs that several applications share.

pub mod fungible;
