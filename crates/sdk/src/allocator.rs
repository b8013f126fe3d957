//! The global allocator of guests.
//!
//! Every page of memory is copied by checkpoints, so the heap begins right behind the stack and the data, in the
//! unused rest of the module's first pages, and grows by no more pages than an allocation needs. Its state is in
//! memory, hence in snapshots, and nothing in it depends on anything but the sequence of calls.

use std::{alloc::Layout, ptr::NonNull};

use talc::{
    base::{CHUNK_UNIT, Talc, binning::Binning},
    cell::TalcSyncCell,
    source::Source,
    wasm::WasmBinning,
};

#[global_allocator]
static ALLOCATOR: TalcSyncCell<GuestMemory, WasmBinning> =
    TalcSyncCell::new_wasm(GuestMemory { heap_end: None });

const PAGE_BYTES: usize = 0x1_0000;

unsafe extern "C" {
    /// Placed by the linker behind all data.
    static __heap_base: u8;
}

/// The linear memory behind `__heap_base`.
#[derive(Debug)]
struct GuestMemory {
    heap_end: Option<NonNull<u8>>,
}

// SAFETY: nothing here allocates.
unsafe impl Source for GuestMemory {
    fn acquire<B: Binning>(talc: &mut Talc<Self, B>, layout: Layout) -> Result<(), ()> {
        match talc.source.heap_end {
            None => claim_first_pages(talc),
            Some(heap_end) => grow(talc, heap_end, layout),
        }
    }
}

/// Takes what is left of the memory that the module starts with; grows it first if that is too little to begin with.
fn claim_first_pages<B: Binning>(talc: &mut Talc<GuestMemory, B>) -> Result<(), ()> {
    let base = &raw const __heap_base as usize;
    let mut end = core::arch::wasm32::memory_size::<0>() * PAGE_BYTES;
    if end < base + talc::min_first_heap_size::<B>() + CHUNK_UNIT {
        end = grow_memory(1)? + PAGE_BYTES;
    }
    // SAFETY: nothing else uses the memory from the heap base to the end: `__heap_base` is behind the stack and the
    // data, and this allocator is the only one in the guest.
    talc.source.heap_end = unsafe { talc.claim(base as *mut u8, end - base) };
    talc.source.heap_end.map(|_| ()).ok_or(())
}

/// Adds as many pages as the allocation needs at most.
fn grow<B: Binning>(
    talc: &mut Talc<GuestMemory, B>,
    heap_end: NonNull<u8>,
    layout: Layout,
) -> Result<(), ()> {
    let needed = layout.size() + layout.align() + 4 * CHUNK_UNIT;
    let pages = needed.div_ceil(PAGE_BYTES);
    let new_end = (grow_memory(pages)? + pages * PAGE_BYTES) as *mut u8;
    // SAFETY: the heap ended where memory ended, since nobody else grows it; the new pages follow directly.
    talc.source.heap_end = Some(unsafe { talc.extend(heap_end, new_end) });
    Ok(())
}

/// Grows the memory. Returns the address of the new pages.
fn grow_memory(pages: usize) -> Result<usize, ()> {
    match core::arch::wasm32::memory_grow::<0>(pages) {
        usize::MAX => Err(()),
        previous => Ok(previous * PAGE_BYTES),
    }
}
