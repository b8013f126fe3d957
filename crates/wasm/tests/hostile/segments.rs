//! Segments by the thousand, and everything at its limit at once. The attacker wants an instance that is
//! dear to make, or a module that is accepted and that an engine has no room for.

use resident_wasm::{prepare::Limits, prepare_contract};

use crate::{
    arena::{is_past, survives},
    host::{TestHost, contract},
    raw::Raw,
};

const LIMITS: Limits = Limits::PROTOCOL;

/// One byte in each of as many segments as can be, spread over all of the largest memory: a few bytes that an engine
/// could keep as an image of 16 MiB. Each instance writes each of them, so there may be few that lie far apart.
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
        &spread(LIMITS.data_pieces, pages),
    );
    let written = ran.snapshot.memory().iter().filter(|byte| **byte == 7);
    assert_eq!(written.count() as u64, LIMITS.data_pieces);
    is_past(
        "segments",
        &spread(LIMITS.data_pieces + 1, pages),
        "number of data segments far from each other",
    );
    is_past(
        "segments",
        &spread(LIMITS.data_segments + 1, pages),
        "number of data segments",
    );
    is_past("segments", &spread(1, pages + 1), "initial memory in pages");
}

/// Thousands of segments that lie close together, as some compilers write them, are one in the prepared module.
#[test]
fn data_that_lies_close_together() {
    let data = (0..LIMITS.data_segments as i32).map(|index| (4_000 + index * 8, vec![7; 7]));
    let raw = Raw {
        data: data.collect(),
        pages: 2,
        ..Raw::default()
    };
    let ran = survives("data close together", &raw);
    let written = ran.snapshot.memory().iter().filter(|byte| **byte == 7);
    assert_eq!(written.count() as u64, 7 * LIMITS.data_segments);
    let prepared = prepare_contract::<TestHost>(&raw.build()).expect("it is accepted");
    assert!(
        prepared.bytes.len() < 34_000,
        "{} bytes",
        prepared.bytes.len()
    );
}

/// Exports by the thousand, which every instance would look at: the host asks for a few, and has no other.
#[test]
fn exports_that_nobody_asks_for() {
    let plain = contract("(i32.const 32)", "");
    let exports: String = (0..3_900)
        .map(|index| format!(r#"(export "{}{index}" (func $allocate))"#, "n".repeat(900)))
        .collect();
    let loud = contract("(i32.const 32)", &exports);
    let [plain, loud] =
        [plain, loud].map(|code| prepare_contract::<TestHost>(&code).expect("it is accepted"));
    assert_eq!(loud.bytes, plain.bytes);
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
        bodies: vec![(vec![], vec![]); 300],
        table: 16_384,
        pages: 1,
        ..Raw::default()
    };
    survives("elements over elements", &elements(64, 32));
    is_past("segments", &elements(65, 1), "number of element segments");
    is_past(
        "segments",
        &elements(64, 300),
        "number of table entries in segments",
    );
}

/// As many of everything as the limits allow: an engine keeps a record per function that can be called
/// indirectly, per global, per table entry, and its pool of instances has a size for each.
#[test]
fn an_instance_of_the_largest_size() {
    // A fifth of the functions that the limit on their number allows, or compiling them would take too long.
    let functions = LIMITS.functions as usize / 5;
    let raw = Raw {
        bodies: vec![(vec![], vec![]); functions],
        globals: LIMITS.globals as u32,
        table: LIMITS.table_elements,
        elements: (0..4).map(|part| (part * 4_000, 0..4_000)).collect(),
        data: vec![(4_000, vec![1; 60_000])],
        pages: LIMITS.memory_initial_pages.into(),
    };
    let ran = survives("an instance of the largest size", &raw);
    assert_eq!(ran.snapshot.globals().len(), LIMITS.globals as usize);
}
