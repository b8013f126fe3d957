//! Sizes, alignments, offsets and flat types of composite values, as the canonical ABI has them.
//!
//! A record lays its fields out in order, each at its alignment. A variant is a discriminant of
//! the smallest sufficient width, followed by the payload at the strictest alignment of any case.
//! The functions are `const`, so that a derived type's layout costs nothing at run time.

use crate::WitType;

/// The type of one flat value: a parameter or a result of a core Wasm function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CoreType {
    /// A 32-bit integer.
    I32,
    /// A 64-bit integer.
    I64,
    /// A 32-bit float.
    F32,
    /// A 64-bit float.
    F64,
}

impl CoreType {
    /// The type of a slot that holds either a `self` or an `other`, by the case of a variant.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        match (self, other) {
            (left, right) if left == right => left,
            (Self::I32, Self::F32) | (Self::F32, Self::I32) => Self::I32,
            _ => Self::I64,
        }
    }
}

/// The layout of one part of a composite type: a field of a record or the payload of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Size in memory, in bytes.
    pub size: u32,
    /// Alignment in memory, in bytes: a power of two.
    pub align: u32,
    /// Number of flat slots.
    pub flat_count: usize,
}

impl Layout {
    /// The layout of `T`.
    #[must_use]
    pub const fn of<T: WitType>() -> Self {
        Self {
            size: T::SIZE,
            align: T::ALIGN,
            flat_count: T::FLAT_COUNT,
        }
    }
}

/// Where the field at `index` starts in a record.
#[must_use]
pub const fn field_offset(fields: &[Layout], index: usize) -> u32 {
    let mut end = 0;
    let mut field = 0;
    while field < index {
        end = align_up(end, fields[field].align) + fields[field].size;
        field += 1;
    }
    if index < fields.len() {
        align_up(end, fields[index].align)
    } else {
        end
    }
}

/// The size of a record, padded to its alignment.
#[must_use]
pub const fn record_size(fields: &[Layout]) -> u32 {
    align_up(field_offset(fields, fields.len()), record_align(fields))
}

/// The alignment of a record: the strictest of its fields.
#[must_use]
pub const fn record_align(fields: &[Layout]) -> u32 {
    let mut align = 1;
    let mut field = 0;
    while field < fields.len() {
        if fields[field].align > align {
            align = fields[field].align;
        }
        field += 1;
    }
    align
}

/// The number of flat slots of a record.
#[must_use]
pub const fn record_flat_count(fields: &[Layout]) -> usize {
    let mut count: usize = 0;
    let mut field = 0;
    while field < fields.len() {
        count = count.saturating_add(fields[field].flat_count);
        field += 1;
    }
    count
}

/// The size, and alignment, of the discriminant of a variant with so many cases.
#[must_use]
pub(crate) const fn discriminant_size(cases: usize) -> u32 {
    match cases {
        0..=0x100 => 1,
        0x101..=0x1_0000 => 2,
        _ => 4,
    }
}

/// Where the payload of a variant starts.
#[must_use]
pub const fn payload_offset(cases: &[Layout]) -> u32 {
    align_up(discriminant_size(cases.len()), record_align(cases))
}

/// The size of a variant, padded to its alignment.
#[must_use]
pub const fn variant_size(cases: &[Layout]) -> u32 {
    let mut payload = 0;
    let mut case = 0;
    while case < cases.len() {
        if cases[case].size > payload {
            payload = cases[case].size;
        }
        case += 1;
    }
    align_up(payload_offset(cases) + payload, variant_align(cases))
}

/// The alignment of a variant.
#[must_use]
pub const fn variant_align(cases: &[Layout]) -> u32 {
    let discriminant = discriminant_size(cases.len());
    let payload = record_align(cases);
    if discriminant > payload {
        discriminant
    } else {
        payload
    }
}

/// The number of flat slots of a variant, with its discriminant.
#[must_use]
pub const fn variant_flat_count(cases: &[Layout]) -> usize {
    let mut payload = 0;
    let mut case = 0;
    while case < cases.len() {
        if cases[case].flat_count > payload {
            payload = cases[case].flat_count;
        }
        case += 1;
    }
    payload.saturating_add(1)
}

/// Joins the flat types of a case with payload `T` into those of its variant's payload, which
/// begin at `start` in `joined`.
pub fn join_case<T: WitType>(joined: &mut Vec<CoreType>, start: usize) {
    let mut case = Vec::new();
    T::flat_types(&mut case);
    for (index, core_type) in case.into_iter().enumerate() {
        match joined.get_mut(start + index) {
            Some(slot) => *slot = slot.join(core_type),
            None => joined.push(core_type),
        }
    }
}

const fn align_up(offset: u32, align: u32) -> u32 {
    (offset + (align - 1)) & !(align - 1)
}
