//! What is lowered into a guest is lifted from it unchanged, through memory and through slots.

use std::fmt::Debug;

use proptest::{collection::vec, option, prelude::*};
use resident_witty::{
    FlatBuffer, Flats, Lift, WitLift, WitLower, WitType, lift_params, lower_params,
};

use crate::guest::Guest;

#[derive(Clone, Debug, PartialEq, WitType, WitLift, WitLower)]
struct Account {
    owner: Owner,
    balances: Vec<(u8, u64)>,
    memo: Option<String>,
    flags: Vec<bool>,
    height: Height,
    nothing: Empty,
}

#[derive(Clone, Copy, Debug, PartialEq, WitType, WitLift, WitLower)]
struct Height(u64);

#[derive(Clone, Copy, Debug, PartialEq, WitType, WitLift, WitLower)]
struct Empty;

#[derive(Clone, Copy, Debug, PartialEq, WitType, WitLift, WitLower)]
enum Level {
    Low,
    High,
}

#[derive(Clone, Debug, PartialEq, WitType, WitLift, WitLower)]
enum Owner {
    Nobody,
    Code(i16),
    Share(f32, f64),
    Named(String, Vec<Vec<u8>>, Level),
    Nested(Result<Option<char>, Vec<i64>>),
}

/// Stores, loads, passes as a parameter, and compares.
fn round_trip<T: WitLift + WitLower + PartialEq + Debug>(value: &T) {
    let mut guest = Guest::new();
    let address = 8;
    guest.next = address + T::SIZE;
    value.store(&mut guest, address).unwrap();
    let memory = guest.slice();
    assert_eq!(
        T::load(&mut Lift::new(&memory), address).as_ref(),
        Ok(value)
    );

    let mut guest = Guest::new();
    let flats = lower_params(&mut guest, &(value,)).unwrap();
    let (lifted,) = lift_params::<(T,), _>(&guest, &flats).unwrap();
    assert_eq!(&lifted, value);
}

/// Also round-trips through slots that hold something else after the value.
fn round_trip_flat<T: WitLift + WitLower + PartialEq + Debug>(value: &T) {
    round_trip(value);
    let mut guest = Guest::new();
    let mut slots = FlatBuffer::new();
    value.lower(&mut guest, &mut slots).unwrap();
    assert_eq!(slots.len(), T::FLAT_COUNT);
    slots.push(77);
    let mut flats = Flats::new(&slots);
    let lifted = T::lift(&mut Lift::new(&guest), &mut flats);
    assert_eq!(lifted.as_ref(), Ok(value));
    assert_eq!(flats.take(), Ok(77), "exactly the value's slots were taken");
}

fn owners() -> impl Strategy<Value = Owner> {
    let bytes = vec(vec(any::<u8>(), 0..20), 0..5);
    let level = prop_oneof![Just(Level::Low), Just(Level::High)];
    prop_oneof![
        Just(Owner::Nobody),
        any::<i16>().prop_map(Owner::Code),
        (any::<f32>(), any::<f64>()).prop_map(|(left, right)| Owner::Share(left, right)),
        (any::<String>(), bytes, level).prop_map(|(a, b, c)| Owner::Named(a, b, c)),
        option::of(any::<char>()).prop_map(|letter| Owner::Nested(Ok(letter))),
        vec(any::<i64>(), 0..9).prop_map(|numbers| Owner::Nested(Err(numbers))),
    ]
}

prop_compose! {
    fn accounts()(
        owner in owners(),
        balances in vec(any::<(u8, u64)>(), 0..9),
        memo in option::of(any::<String>()),
        flags in vec(any::<bool>(), 0..9),
        height in any::<u64>(),
    ) -> Account {
        Account { owner, balances, memo, flags, height: Height(height), nothing: Empty }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn nested_types_survive(account in accounts(), owner in owners()) {
        round_trip_flat(&account);
        round_trip_flat(&owner);
        round_trip(&vec![account.clone(), account]);
    }

    #[test]
    fn scalars_survive(
        unsigned in any::<(u8, u16, u32, u64)>(),
        signed in any::<(i8, i16, i32, i64)>(),
        others in any::<(bool, char, f32, f64)>(),
    ) {
        round_trip_flat(&unsigned);
        round_trip_flat(&signed);
        round_trip_flat(&others);
    }

    #[test]
    fn lists_of_scalars_survive(
        unsigned in (vec(any::<u8>(), 0..50), vec(any::<u16>(), 0..50), vec(any::<u64>(), 0..50)),
        signed in (vec(any::<i8>(), 0..50), vec(any::<i32>(), 0..50)),
        others in (vec(any::<char>(), 0..50), vec(any::<f64>(), 0..50), vec(any::<()>(), 0..50)),
    ) {
        round_trip_flat(&unsigned);
        round_trip_flat(&signed);
        round_trip_flat(&others);
    }

    /// No content of memory or slots makes lifting panic.
    #[test]
    fn arbitrary_memory_lifts_or_fails(memory in vec(any::<u8>(), 0..200), address in 0u32..200) {
        let memory = memory.as_slice();
        let _ = Account::load(&mut Lift::new(&memory), address);
        let _ = Owner::load(&mut Lift::new(&memory), address);
        let _ = lift_params::<(Account, Account), _>(&memory, &[address.into()]);
    }

    #[test]
    fn arbitrary_slots_lift_or_fail(slots in vec(any::<u64>(), 0..14), case in 0u64..6) {
        let slots: Vec<u64> = std::iter::once(case).chain(slots).collect();
        let memory: &[u8] = &[0; 64];
        let _ = lift_params::<(Owner,), _>(&memory, &slots);
        let _ = lift_params::<(Account,), _>(&memory, &slots);
    }
}

#[test]
fn negative_integers_are_extended_to_their_core_type_only() {
    let mut guest = Guest::new();
    let flats = lower_params(&mut guest, &(-1i8, -2i16, -3i32, -4i64)).unwrap();
    assert_eq!(
        *flats,
        [0xffff_ffff, 0xffff_fffe, 0xffff_fffd, 0xffff_ffff_ffff_fffc]
    );
}

#[test]
fn unused_slots_of_a_variant_are_zero() {
    let mut guest = Guest::new();
    let flats = lower_params(&mut guest, &(Owner::Code(9), 5u8)).unwrap();
    assert_eq!(*flats, [1, 9, 0, 0, 0, 0, 5]);
}

#[test]
fn every_nan_becomes_the_canonical_one() {
    let memory: &[u8] = &[0x01, 0, 0xff, 0xff];
    let lifted = f32::load(&mut Lift::new(&memory), 0).unwrap();
    assert_eq!(lifted.to_bits(), 0x7fc0_0000);
    let flats = lower_params(&mut Guest::new(), &(-f64::NAN, -f32::NAN)).unwrap();
    assert_eq!(*flats, [0x7ff8_0000_0000_0000, 0x7fc0_0000]);
    let (lifted,) = lift_params::<(f64,), _>(&memory, &[u64::MAX]).unwrap();
    assert_eq!(lifted.to_bits(), 0x7ff8_0000_0000_0000);
}
