//! UserContract, sessions, host functions, resources: apply one action to state.
