//! The values that belong to the slots of a [`KeyIndex`](super::key_index::KeyIndex).

/// Values by slot number. A slot without a value is known to have one that was not read yet.
#[derive(Debug)]
pub(crate) struct Slots<V> {
    values: Vec<Option<V>>,
}

impl<V> Slots<V> {
    pub(crate) const fn new() -> Self {
        Slots { values: Vec::new() }
    }

    pub(crate) fn get(&self, slot: u32) -> Option<&V> {
        self.values.get(slot as usize)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, slot: u32) -> Option<&mut V> {
        self.values.get_mut(slot as usize)?.as_mut()
    }

    pub(crate) fn set(&mut self, slot: u32, value: V) {
        let slot = slot as usize;
        if slot >= self.values.len() {
            self.values.resize_with(slot + 1, || None);
        }
        self.values[slot] = Some(value);
    }

    pub(crate) fn unset(&mut self, slot: u32) {
        if let Some(value) = self.values.get_mut(slot as usize) {
            *value = None;
        }
    }

    pub(crate) fn clear(&mut self) {
        self.values.clear();
    }
}
