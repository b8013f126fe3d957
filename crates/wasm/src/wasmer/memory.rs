//! A memory as a slice of bytes.
//!
//! Wasmer's safe accessors copy byte by byte, because a memory could be shared between threads.
//! Prepared modules have no shared memory, so plain slices do.

#![allow(unsafe_code)]

use wasmer::{AsStoreMut, AsStoreRef, Memory};

/// The memory's bytes, while the store is borrowed.
pub(super) fn bytes<'a>(memory: &Memory, store: &'a impl AsStoreRef) -> &'a [u8] {
    let view = memory.view(store);
    // SAFETY: the pointer and the size are those of the live memory. Everything that could write
    // to it or move it (guest code, `grow`) needs the store mutably, which `'a` keeps borrowed.
    // Preparation refuses shared memories, so no other thread has access.
    unsafe { std::slice::from_raw_parts(view.data_ptr(), view.data_size() as usize) }
}

/// The memory's bytes to write to, while the store is borrowed.
pub(super) fn bytes_mut<'a>(memory: &Memory, store: &'a mut impl AsStoreMut) -> &'a mut [u8] {
    let (pointer, len) = {
        let view = memory.view(store);
        (view.data_ptr(), view.data_size() as usize)
    };
    // SAFETY: as above, and the store is borrowed mutably for `'a`, so this is the only access.
    unsafe { std::slice::from_raw_parts_mut(pointer, len) }
}
