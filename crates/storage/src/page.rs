//! Scans answer in pages, so that no answer is larger than a stated bound.

/// A page of a scan ends once its keys and values together reach this many bytes. It always has room
/// for one entry, so a scan makes progress whatever the sizes.
pub const MAX_PAGE_BYTES: usize = 4 << 20;

/// Part of a scan's answer, in key-byte order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// What was found.
    pub entries: Vec<T>,
    /// Whether the scan ends here. Otherwise ask again with `start_after` set to the last key.
    pub is_last: bool,
}

impl<T> Page<T> {
    /// The same page with each entry changed.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Page<U> {
        let entries = self.entries.into_iter().map(change).collect();
        Page {
            entries,
            is_last: self.is_last,
        }
    }
}

/// Fills one page from an ordered iterator, and stops reading it when the page is full.
///
/// A limit of zero entries counts as one, for the sake of progress.
pub(crate) fn fill_page<T, E>(
    entries: impl Iterator<Item = Result<T, E>>,
    limit: usize,
    size_bytes: impl Fn(&T) -> usize,
) -> Result<Page<T>, E> {
    let mut page = Page {
        entries: Vec::new(),
        is_last: true,
    };
    let mut bytes = 0;
    for entry in entries {
        let entry = entry?;
        if page.entries.len() >= limit.max(1) || bytes >= MAX_PAGE_BYTES {
            page.is_last = false;
            break;
        }
        bytes += size_bytes(&entry);
        page.entries.push(entry);
    }
    Ok(page)
}
