//! What derived views call, so that the generated code stays small.

use super::generic::context::Context;

/// The key of field `index` of a struct at `base_key`.
pub fn field_key(base_key: &[u8], index: u8) -> Vec<u8> {
    let mut key = Vec::with_capacity(base_key.len() + 1);
    key.extend_from_slice(base_key);
    key.push(index);
    key
}

/// The context of field `index` of a struct.
pub fn field_context<C: Context>(context: &C, index: u8) -> C {
    context.clone_with_base_key(field_key(context.base_key(), index))
}

/// The context of a struct, from that of one of its fields.
pub fn parent_context<C: Context>(context: &C) -> C {
    let key = context.base_key();
    context.clone_with_base_key(key[..key.len() - 1].to_vec())
}
