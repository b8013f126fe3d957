//! Segments by the thousand, and everything at its limit at once. The attacker wants an instance that is
//! dear to make, or a module that is accepted and that an engine has no room for.

use resident_wasm::prepare::Limits;

use crate::{
    arena::{is_past, survives},
    raw::Raw,
};

const LIMITS: Limits = Limits::PROTOCOL;

/// One byte in each of 4,096 segments, spread over all of the largest memory: 4 KiB that an engine could
/// keep as an image of 16 MiB.
#[test]
fn data_spread_over_memory() {
    let spread = |segments: u64, pages: u64| Raw {
        data: (0..segments)
            .map(|index| ((index * (pages << 16) / segments) as i32 + 4_000, vec![7]))
            .collect(),
        pages,
        ..Raw::default()
    };
    let pages = u64::from(LIMITS.memory_initial_pages);
    let ran = survives(
        "data spread over memory",
        &spread(LIMITS.data_segments, pages),
    );
    assert_eq!(
        ran.snapshot
            .memory()
            .iter()
            .filter(|byte| **byte == 7)
            .count(),
        4_096
    );
    is_past(
        "segments",
        &spread(LIMITS.data_segments + 1, pages),
        "number of data segments",
    );
    is_past("segments", &spread(1, pages + 1), "initial memory in pages");
}

/// Segments that all write the same place again. The last one wins, on every engine.
#[test]
fn data_over_data() {
    let data = (0..4_000)
        .map(|index| (5_000, vec![index as u8; 1_000]))
        .collect();
    let ran = survives(
        "data over data",
        &Raw {
            data,
            pages: 1,
            ..Raw::default()
        },
    );
    assert_eq!(
        ran.snapshot.memory()[5_000..6_000],
        [3_999_u32 as u8; 1_000]
    );
    let data = vec![(0, vec![1; 65_536]); 65];
    is_past(
        "segments",
        &Raw {
            data,
            pages: 1,
            ..Raw::default()
        },
        "size of data in bytes",
    );
}

#[test]
fn elements_over_elements() {
    let elements = |segments: usize, items: u32| Raw {
        elements: vec![(0, 0..items); segments],
        bodies: vec![(vec![], vec![]); 32],
        table: 16_384,
        pages: 1,
        ..Raw::default()
    };
    survives("elements over elements", &elements(1_024, 32));
    is_past(
        "segments",
        &elements(1_025, 1),
        "number of element segments",
    );
    is_past(
        "segments",
        &elements(1_024, 33),
        "number of table entries in segments",
    );
}

/// As many of everything as the limits allow: an engine keeps a record per function that can be called
/// indirectly, per global, per table entry, and its pool of instances has a size for each.
#[test]
fn an_instance_of_the_largest_size() {
    let functions = LIMITS.functions as usize - 7;
    let raw = Raw {
        bodies: vec![(vec![], vec![]); functions],
        globals: LIMITS.globals as u32,
        table: LIMITS.table_elements,
        elements: vec![(0, 0..16_384), (0, 3_616..20_000)],
        data: vec![(4_000, vec![1; 60_000])],
        pages: LIMITS.memory_initial_pages.into(),
    };
    let ran = survives("an instance of the largest size", &raw);
    assert_eq!(ran.snapshot.globals().len(), LIMITS.globals as usize);
}
