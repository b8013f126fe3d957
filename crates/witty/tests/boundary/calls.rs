//! Parameters and results of whole functions.

use resident_witty::{
    LiftError, MemoryError, WitType, lift_params, lift_results, lower_params, lower_results,
    return_pointer,
};

use crate::guest::Guest;

type Many = (
    u64,
    String,
    u64,
    String,
    u64,
    String,
    u64,
    String,
    u64,
    Vec<u32>,
    u64,
);

fn many() -> Many {
    let text = |text: &str| text.to_string();
    (
        1,
        text("one"),
        2,
        text(""),
        3,
        text("drei"),
        4,
        text("4"),
        5,
        vec![6, 7],
        8,
    )
}

#[test]
fn too_many_parameters_travel_as_one_record() {
    assert_eq!(Many::FLAT_COUNT, 16);
    let mut guest = Guest::new();
    let flats = lower_params(&mut guest, &many()).unwrap();
    assert_eq!(flats.len(), 16);
    assert_eq!(lift_params::<Many, _>(&guest, &flats), Ok(many()));

    let mut guest = Guest::new();
    let flats = lower_params(&mut guest, &(many(), true)).unwrap();
    assert_eq!(*flats, [64], "the record is what the guest allocated first");
    assert_eq!(
        lift_params::<(Many, bool), _>(&guest, &flats),
        Ok((many(), true))
    );
}

#[test]
fn references_lower_as_what_they_refer_to() {
    let mut guest = Guest::new();
    let bytes = vec![1, 2, 3];
    let flats = lower_params(&mut guest, &("text", bytes.as_slice(), &bytes, &7u64)).unwrap();
    let expected = ("text".to_string(), bytes.clone(), bytes, 7);
    assert_eq!(
        lift_params::<(String, Vec<u8>, Vec<u8>, u64), _>(&guest, &flats),
        Ok(expected)
    );
}

#[test]
fn empty_lists_do_not_call_the_guest() {
    let mut guest = Guest::new();
    let flats = lower_params(&mut guest, &("", Vec::<u64>::new(), vec![(); 3])).unwrap();
    assert_eq!(*flats, [1, 0, 8, 0, 1, 3]);
    assert_eq!(guest.allocations, 0);
}

#[test]
fn a_small_result_is_returned_and_a_large_one_stored() {
    let mut guest = Guest::new();
    assert_eq!(*lower_results(&mut guest, &(), None).unwrap(), []);
    assert_eq!(*lower_results(&mut guest, &7u64, None).unwrap(), [7]);
    assert_eq!(lift_results::<u64, _>(&guest, &[7]), Ok(7));
    assert_eq!(lift_results::<(), _>(&guest, &[]), Ok(()));

    let value: Result<Vec<u8>, String> = Ok(vec![1, 2, 3]);
    assert_eq!(*lower_results(&mut guest, &value, Some(16)).unwrap(), []);
    assert_eq!(
        lift_results::<Result<Vec<u8>, String>, _>(&guest, &[16]),
        Ok(value)
    );
}

#[test]
fn the_return_pointer_follows_the_parameters() {
    assert_eq!(return_pointer::<(u64, u8), String>(&[1, 2, 96]), Some(96));
    assert_eq!(return_pointer::<(Many, bool), String>(&[1, 96]), Some(96));
    assert_eq!(return_pointer::<(u64, u8), u64>(&[1, 2]), None);
    assert_eq!(
        lift_params::<(u64, u8), _>(&Guest::new(), &[1, 2, 96]),
        Ok((1, 2))
    );
}

#[test]
fn a_bad_return_pointer_is_an_error() {
    let mut guest = Guest::new();
    let value = Some(1u64);
    assert_eq!(
        lower_results(&mut guest, &value, None).unwrap_err(),
        MemoryError::NoReturnPointer
    );
    assert_eq!(
        lower_results(&mut guest, &value, Some(12)).unwrap_err(),
        MemoryError::Misaligned {
            address: 12,
            align: 8
        }
    );
    let error = lower_results(&mut guest, &value, Some(u32::MAX - 7)).unwrap_err();
    assert!(matches!(error, MemoryError::OutOfRange { .. }), "{error}");
}

#[test]
fn too_few_slots_are_an_error() {
    let guest = Guest::new();
    assert_eq!(
        lift_params::<(u8, String), _>(&guest, &[1, 64]),
        Err(LiftError::MissingFlat)
    );
    assert_eq!(
        lift_params::<(Many, bool), _>(&guest, &[]),
        Err(LiftError::MissingFlat)
    );
    assert_eq!(
        lift_results::<u8, _>(&guest, &[]),
        Err(LiftError::MissingFlat)
    );
    // The unused slots of a variant are missing.
    assert_eq!(
        lift_params::<(Option<u8>, u8), _>(&guest, &[0]),
        Err(LiftError::MissingFlat)
    );
}
