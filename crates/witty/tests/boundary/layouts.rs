//! Layouts computed by hand from the canonical ABI.

use resident_witty::{
    CoreType::{self, F32, F64, I32, I64},
    Signature, WitLift, WitLower, WitType,
};

use crate::guest::Guest;

#[derive(WitType, WitLower)]
struct Mixed {
    flag: bool,
    amount: u64,
    short_code: u16,
    name: String,
}

#[derive(WitType)]
#[allow(dead_code)]
enum Joined {
    Nothing,
    Number(u32),
    Ratio(f32),
    Both(f32, f64),
    Text(String),
}

#[derive(WitType)]
#[allow(dead_code)]
enum Color {
    DarkRed,
    #[witty(name = "sea")]
    Blue,
}

#[derive(WitType)]
struct Height(#[allow(dead_code)] u64);

#[derive(WitType)]
struct Pair(#[allow(dead_code)] u8, #[allow(dead_code)] Height);

#[derive(WitType, WitLift, WitLower)]
struct Generic<T> {
    r#type: T,
    #[witty(name = "list-of-it")]
    many: Vec<T>,
}

fn flat_types<T: WitType>() -> Vec<CoreType> {
    let mut types = Vec::new();
    T::flat_types(&mut types);
    assert_eq!(types.len(), T::FLAT_COUNT);
    types
}

#[test]
fn scalars_are_as_wide_as_their_names() {
    assert_eq!(
        (bool::SIZE, u8::SIZE, i16::SIZE, char::SIZE, f64::SIZE),
        (1, 1, 2, 4, 8)
    );
    assert_eq!(
        flat_types::<(i8, u32, i64, f32, f64)>(),
        [I32, I32, I64, F32, F64]
    );
    assert_eq!(
        <(bool, i8, i16, i32, i64, f32, f64, char)>::shape(),
        "tuple<bool, s8, s16, s32, s64, f32, f64, char>"
    );
    assert_eq!(
        <(u8, u16, u32, u64, String)>::shape(),
        "tuple<u8, u16, u32, u64, string>"
    );
}

#[test]
fn records_place_fields_at_their_alignment() {
    assert_eq!((Mixed::SIZE, Mixed::ALIGN), (32, 8));
    assert_eq!(flat_types::<Mixed>(), [I32, I64, I32, I32, I32]);
    assert_eq!(
        Mixed::shape(),
        "record{flag: bool, amount: u64, short-code: u16, name: string}"
    );

    let mut guest = Guest::new();
    let value = Mixed {
        flag: true,
        amount: 2,
        short_code: 3,
        name: "four".into(),
    };
    value.store(&mut guest, 0).unwrap();
    let mut expected = [0xa5; 32];
    expected[0] = 1;
    expected[8..16].copy_from_slice(&2u64.to_le_bytes());
    expected[16..18].copy_from_slice(&3u16.to_le_bytes());
    expected[20..24].copy_from_slice(&64u32.to_le_bytes());
    expected[24..28].copy_from_slice(&4u32.to_le_bytes());
    assert_eq!(guest.memory[..32], expected);
    assert_eq!(&guest.memory[64..68], b"four");
}

#[test]
fn variants_join_the_flat_types_of_their_cases() {
    // Cases by slot: u32 | f32 | f32, f64 | i32, i32.
    assert_eq!(flat_types::<Joined>(), [I32, I32, I64]);
    assert_eq!((Joined::SIZE, Joined::ALIGN), (24, 8));
    assert_eq!(
        Joined::shape(),
        "variant{nothing, number(u32), ratio(f32), both(tuple<f32, f64>), text(string)}"
    );
    assert_eq!(flat_types::<Result<f32, f32>>(), [I32, F32]);
    assert_eq!(flat_types::<Result<u64, f64>>(), [I32, I64]);
    assert_eq!(flat_types::<Result<f32, f64>>(), [I32, I64]);
}

#[test]
fn options_and_results_are_variants_of_two_cases() {
    assert_eq!((Option::<u8>::SIZE, Option::<u8>::ALIGN), (2, 1));
    assert_eq!((Option::<u64>::SIZE, Option::<u64>::ALIGN), (16, 8));
    assert_eq!(
        (Result::<(), ()>::SIZE, Result::<(), ()>::FLAT_COUNT),
        (1, 1)
    );
    assert_eq!(
        (Result::<u16, String>::SIZE, Result::<u16, String>::ALIGN),
        (12, 4)
    );
    assert_eq!(Option::<u32>::shape(), "option<u32>");
    assert_eq!(Result::<(), ()>::shape(), "result");
    assert_eq!(Result::<u8, ()>::shape(), "result<u8>");
    assert_eq!(Result::<(), String>::shape(), "result<_, string>");
    assert_eq!(Result::<u8, String>::shape(), "result<u8, string>");
}

#[test]
fn structs_and_enums_have_the_shape_of_their_kind() {
    assert_eq!(Color::shape(), "enum{dark-red, sea}");
    assert_eq!((Color::SIZE, Color::ALIGN), (1, 1));
    assert_eq!(Height::shape(), "u64");
    assert_eq!(Pair::shape(), "tuple<u8, u64>");
    assert_eq!((Pair::SIZE, Pair::ALIGN), (16, 8));
    assert_eq!(
        Generic::<u8>::shape(),
        "record{type: u8, list-of-it: list<u8>}"
    );
    assert_eq!(Generic::<u8>::SIZE, 12);
    assert_eq!(<()>::shape(), "_");
}

#[test]
fn signatures_pass_what_does_not_fit_through_memory() {
    let small = Signature::import::<(u64, bool), u32>();
    assert_eq!((small.params, small.results), (vec![I64, I32], vec![I32]));

    let import = Signature::import::<(u64,), String>();
    assert_eq!((import.params, import.results), (vec![I64, I32], vec![]));
    assert!(import.indirect_results && !import.indirect_params);

    let export = Signature::export::<(u64,), String>();
    assert_eq!((export.params, export.results), (vec![I64], vec![I32]));

    // Sixteen slots still fit, seventeen do not.
    assert!(
        !Signature::export::<(String, String, String, String, Mixed, Height, u8, u8), ()>()
            .indirect_params
    );
    let large =
        Signature::import::<(String, String, String, String, Mixed, Height, u8, Pair), Mixed>();
    assert_eq!((large.params, large.results), (vec![I32, I32], vec![]));
    assert!(large.indirect_params && large.indirect_results);
}
