//! Blocks, bundles, inbox and outboxes, staging policy, BlockExecutionTracker: turn transactions into an outcome.
