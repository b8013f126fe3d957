//! In-process chains for applications' tests and for the workspace's own suite.
