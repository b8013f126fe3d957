//! Guests that pass, or answer, what no honest guest would.

use resident_witty::{
    GuestAllocator, LIFT_LIMIT_BYTES, Lift, LiftError, MemoryError, WitLift, WitLower, WitType,
    lift_params, lift_params_within, lift_results, lower_params,
};

use crate::guest::{Guest, MEMORY_BYTES};

#[derive(Debug, PartialEq, WitType, WitLift, WitLower)]
enum Sign {
    Plus,
    Other(u8),
    Minus,
}

fn out_of_range<T: std::fmt::Debug>(result: &Result<T, LiftError>) -> bool {
    matches!(
        result,
        Err(LiftError::Memory(MemoryError::OutOfRange { .. }))
    )
}

#[test]
fn lists_past_the_memory_are_refused_before_they_are_allocated() {
    let guest = Guest::new();
    let end = MEMORY_BYTES as u64;
    for slots in [
        [0, u64::from(u32::MAX)],
        [end, 1],
        [end - 1, 2],
        [u64::from(u32::MAX), 1],
    ] {
        assert!(
            out_of_range(&lift_params::<(Vec<u8>,), _>(&guest, &slots)),
            "{slots:?}"
        );
        assert!(
            out_of_range(&lift_params::<(String,), _>(&guest, &slots)),
            "{slots:?}"
        );
    }
    // The size of the list wraps to nothing in 32 bits.
    assert!(out_of_range(&lift_params::<(Vec<u64>,), _>(
        &guest,
        &[0, 1 << 29]
    )));
    // A list may end where the memory does.
    assert_eq!(
        lift_params::<(Vec<u8>,), _>(&guest, &[end, 0]),
        Ok((vec![],))
    );
    assert_eq!(
        lift_params::<(Vec<u8>,), _>(&guest, &[end - 1, 1]),
        Ok((vec![0xa5],))
    );
}

#[test]
fn the_upper_half_of_an_address_is_ignored() {
    let guest = Guest::new();
    assert_eq!(
        lift_params::<(Vec<u8>, bool, bool), _>(&guest, &[1 << 32, 7 << 32 | 1, 2, 1 << 40]),
        Ok((vec![0xa5], true, false))
    );
}

#[test]
fn misaligned_addresses_are_refused() {
    let guest = Guest::new();
    let misaligned = |address, align| LiftError::Memory(MemoryError::Misaligned { address, align });
    assert_eq!(
        lift_params::<(Vec<u32>,), _>(&guest, &[66, 1]),
        Err(misaligned(66, 4))
    );
    assert_eq!(
        lift_params::<(Vec<u64>,), _>(&guest, &[4, 0]),
        Err(misaligned(4, 8))
    );
    assert_eq!(
        lift_results::<(u64, u64), _>(&guest, &[12]),
        Err(misaligned(12, 8))
    );
}

#[test]
fn addresses_at_the_end_of_the_address_space_do_not_wrap() {
    let guest = Guest::new();
    let last = u32::MAX - 7;
    assert!(out_of_range(&lift_results::<(u64, u64), _>(
        &guest,
        &[last.into()]
    )));
    assert!(out_of_range(&<(u64, u64)>::load(
        &mut Lift::new(&guest),
        last
    )));
    assert!(out_of_range(&Vec::<u8>::load(
        &mut Lift::new(&guest),
        u32::MAX - 3
    )));
    assert!(out_of_range(&Sign::load(&mut Lift::new(&guest), u32::MAX)));
    assert!((1u64, 2u64).store(&mut Guest::new(), last).is_err());
    assert!(Sign::Other(1).store(&mut Guest::new(), u32::MAX).is_err());
}

#[test]
fn lists_that_share_memory_exceed_the_budget() {
    // A list of 1,000 lists, each of which is the same half of the memory.
    let mut guest = Guest::new();
    let half = (MEMORY_BYTES / 2) as u32;
    for index in 0..1000 {
        (0u32, half).store(&mut guest, half + index * 8).unwrap();
    }
    let slots = [u64::from(half), 1000];
    let too_large = |limit| Err(LiftError::TooLarge { limit });
    assert_eq!(
        lift_params::<(Vec<Vec<u8>>,), _>(&guest, &slots),
        too_large(LIFT_LIMIT_BYTES)
    );
    let few = lift_params::<(Vec<Vec<u8>>,), _>(&guest, &[slots[0], 10]).unwrap();
    assert_eq!(few.0.len(), 10);
    assert_eq!(
        lift_params_within::<(Vec<Vec<u8>>,), _>(&guest, &[slots[0], 10], 1 << 20),
        too_large(1 << 20)
    );
}

#[test]
fn the_budget_is_shared_by_all_parameters() {
    let guest = Guest::new();
    let slots = [0, 60, 0, 41];
    assert_eq!(
        lift_params_within::<(String, Vec<u8>), _>(&b"a".repeat(60).as_slice(), &slots, 100),
        Err(LiftError::TooLarge { limit: 100 })
    );
    assert!(lift_params_within::<(Vec<u8>, Vec<u8>), _>(&guest, &slots, 101).is_ok());
}

#[test]
fn elements_without_a_size_are_charged() {
    let guest = Guest::new();
    assert_eq!(
        lift_params::<(Vec<()>,), _>(&guest, &[0, u64::from(u32::MAX)]),
        Err(LiftError::TooLarge {
            limit: LIFT_LIMIT_BYTES
        })
    );
}

#[test]
fn discriminants_past_the_last_case_are_refused() {
    let invalid = |value, cases| LiftError::InvalidDiscriminant { value, cases };
    let memory: &[u8] = &[3, 0, 2, 0];
    assert_eq!(Sign::load(&mut Lift::new(&memory), 0), Err(invalid(3, 3)));
    assert_eq!(
        Option::<u8>::load(&mut Lift::new(&memory), 2),
        Err(invalid(2, 2))
    );
    assert_eq!(
        lift_params::<(Sign,), _>(&memory, &[9, 0]),
        Err(invalid(9, 3))
    );
    assert_eq!(
        lift_params::<(Option<u8>,), _>(&memory, &[2, 0]),
        Err(invalid(2, 2))
    );
    let result = lift_params::<(Result<u8, ()>,), _>(&memory, &[u64::MAX, 0]);
    assert_eq!(result, Err(invalid(u32::MAX, 2)));
}

#[test]
fn characters_and_strings_must_be_unicode() {
    let memory: &[u8] = b"ok\xff\0";
    for value in [0xd800u32, 0xdfff, 0x11_0000] {
        assert_eq!(
            lift_params::<(char,), _>(&memory, &[value.into()]),
            Err(LiftError::InvalidChar { value })
        );
        let bytes = value.to_le_bytes();
        assert!(lift_params::<(Vec<char>,), _>(&bytes.as_slice(), &[0, 1]).is_err());
    }
    assert_eq!(
        lift_params::<(String,), _>(&memory, &[0, 3]),
        Err(LiftError::InvalidUtf8 { valid_bytes: 2 })
    );
}

#[test]
fn an_allocator_that_lies_is_found_out() {
    let lower = |address| {
        let mut guest = Guest::new();
        guest.forged_address = Some(address);
        lower_params(&mut guest, &(vec![1u32, 2],)).map(|flats| flats.to_vec())
    };
    assert_eq!(lower(128), Ok(vec![128, 2]));
    assert_eq!(
        lower(130),
        Err(MemoryError::Misaligned {
            address: 130,
            align: 4
        })
    );
    for address in [MEMORY_BYTES as u32, MEMORY_BYTES as u32 - 4, u32::MAX - 3] {
        assert!(
            matches!(lower(address), Err(MemoryError::OutOfRange { .. })),
            "{address}"
        );
    }
}

#[test]
fn a_failing_allocation_ends_the_call() {
    let mut guest = Guest::new();
    assert!(guest.allocate(u32::MAX, 1).is_err());
    let lists = vec![vec![0u8; MEMORY_BYTES / 4]; 5];
    assert!(lower_params(&mut guest, &(lists,)).is_err());
}
