//! Two ordered sequences seen as one: writes on top of committed entries.

use std::{cmp::Ordering, iter::from_fn};

use super::Value;

/// A key, and its value if it has one that is loaded.
pub(super) type Found<'a> = (&'a [u8], Option<&'a Value>);

/// All entries of `below` and `above`, both in key order, and so is the result. Of a key that is in both, the
/// entry of `above`.
pub(super) fn merge<'a>(
    below: impl Iterator<Item = Found<'a>>,
    above: impl Iterator<Item = Found<'a>>,
) -> impl Iterator<Item = Found<'a>> {
    let (mut below, mut above) = (below.peekable(), above.peekable());
    from_fn(move || {
        let order = match (below.peek(), above.peek()) {
            (_, None) => return below.next(),
            (None, Some(_)) => return above.next(),
            (Some((old, _)), Some((new, _))) => old.cmp(new),
        };
        match order {
            Ordering::Less => below.next(),
            Ordering::Greater => above.next(),
            Ordering::Equal => {
                below.next();
                above.next()
            }
        }
    })
}
