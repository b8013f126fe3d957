//! Saying what differs.

use std::fmt::Debug;

use resident_wasm::InstanceSnapshot;

/// What went wrong in a case.
pub(crate) type Difference = String;

/// Two values that have to be equal.
pub(crate) fn same<T: PartialEq + Debug>(
    what: &str,
    expected: &T,
    found: &T,
) -> Result<(), Difference> {
    if expected == found {
        return Ok(());
    }
    let (expected, found) = (shorten(expected), shorten(found));
    Err(format!(
        "{what}: {expected} on one side, {found} on the other"
    ))
}

/// Something that has to be.
pub(crate) fn ensure(holds: bool, what: impl FnOnce() -> String) -> Result<(), Difference> {
    if holds { Ok(()) } else { Err(what()) }
}

/// Two states that have to be equal.
pub(crate) fn same_state(
    what: &str,
    expected: &InstanceSnapshot,
    found: &InstanceSnapshot,
) -> Result<(), Difference> {
    if expected == found {
        return Ok(());
    }
    let lengths = (expected.memory().len(), found.memory().len());
    if lengths.0 != lengths.1 {
        return Err(format!("{what}: memories of {lengths:?} bytes"));
    }
    let mut globals = expected.globals().iter().zip(found.globals()).enumerate();
    if let Some((index, values)) = globals.find(|(_, (one, other))| one != other) {
        return Err(format!("{what}: captured global {index} is {values:x?}"));
    }
    let mut bytes = expected.memory().iter().zip(found.memory()).enumerate();
    match bytes.find(|(_, (one, other))| one != other) {
        Some((address, values)) => Err(format!("{what}: the byte at {address:#x} is {values:x?}")),
        None => Err(format!("{what}: other modules, or only one has started")),
    }
}

/// The name of an enum's variant, with that of what it is about, if that is another variant.
pub(crate) fn kind(value: &impl Debug) -> String {
    let text = format!("{value:?}");
    let mut words = text.split(|it: char| !it.is_alphanumeric());
    let first = words.next().unwrap_or_default();
    let inner = text[first.len()..].strip_prefix('(');
    let second = inner.and_then(|_| words.find(|word| !word.is_empty()));
    match second {
        Some(second) => format!("{first} {second}"),
        None => first.to_owned(),
    }
}

/// What is shown of a value.
const SHOWN: usize = 400;

fn shorten(value: &impl Debug) -> String {
    cut(format!("{value:?}"), SHOWN)
}

/// No more than so many characters of a text.
pub(crate) fn cut(text: String, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
