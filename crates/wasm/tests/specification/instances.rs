//! The instances of a script, by place, by name, and by the name under which others import them.

use std::collections::BTreeMap;

use crate::{adapt::imported_modules, machine::Machine};

/// An instance, or why there is none to speak of.
pub(crate) type Slot = Result<Box<Machine>, String>;

/// All instances of a script, those that could not be made too; the last is the current one.
#[derive(Default)]
pub(crate) struct Instances {
    slots: Vec<Slot>,
    named: BTreeMap<String, usize>,
    registered: BTreeMap<String, usize>,
}

impl Instances {
    pub(crate) fn add(&mut self, name: Option<String>, slot: Slot) {
        self.slots.push(slot);
        if let Some(name) = name {
            self.named.insert(name, self.slots.len() - 1);
        }
    }

    pub(crate) fn register(&mut self, importable: &str, name: Option<&str>) {
        let index = self.index(name);
        self.registered.insert(importable.to_owned(), index);
    }

    /// The instance of that name, or the current one.
    pub(crate) fn get(&mut self, name: Option<&str>) -> &mut Slot {
        let index = self.index(name);
        &mut self.slots[index]
    }

    /// A module that was left out would have changed those that it imports from: they are not what
    /// the suite expects any more.
    pub(crate) fn spoil_imported(&mut self, code: &[u8]) {
        let imported = imported_modules(code);
        for (name, index) in &self.registered {
            let slot = &mut self.slots[*index];
            let is_imported = imported.as_ref().map_or(true, |names| names.contains(name));
            if is_imported && slot.is_ok() {
                *slot = Err("its module is shared with one that was left out".to_owned());
            }
        }
    }

    fn index(&self, name: Option<&str>) -> usize {
        match name {
            Some(name) => self.named[name],
            None => self.slots.len() - 1,
        }
    }
}
