//! Two ordered sequences seen as one: writes on top of committed entries.

use std::{cmp::Ordering, iter::from_fn};

use super::Value;

/// A key, and its value if that has been loaded.
pub(super) type Found<'a> = (&'a [u8], Option<&'a Value>);

/// The entries that exist once `writes`, where `None` is a deletion, lie over `committed`, where
/// `None` is a value that has not been loaded. Both in key order, and so is the result.
pub(super) fn merge<'a>(
    committed: impl Iterator<Item = Found<'a>>,
    writes: impl Iterator<Item = (&'a [u8], Option<&'a Value>)>,
) -> impl Iterator<Item = Found<'a>> {
    let (mut committed, mut writes) = (committed.peekable(), writes.peekable());
    from_fn(move || {
        loop {
            let order = match (committed.peek(), writes.peek()) {
                (_, None) => return committed.next(),
                (None, Some(_)) => Ordering::Greater,
                (Some((old, _)), Some((new, _))) => old.cmp(new),
            };
            if order == Ordering::Less {
                return committed.next();
            }
            if order == Ordering::Equal {
                committed.next();
            }
            if let Some((key, Some(value))) = writes.next() {
                return Some((key, Some(value)));
            }
        }
    })
}
