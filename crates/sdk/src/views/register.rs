//! One value.

use serde::{Serialize, de::DeserializeOwned};

use super::{
    Loaded, View, ViewError,
    generic::{context::Context, store::Batch},
};

/// One value, which is the default until it is set.
#[derive(Debug)]
pub struct RegisterView<C, T> {
    context: C,
    value: T,
    stored: bool,
    change: Change,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    None,
    Put,
    Delete,
}

impl<C, T> RegisterView<C, T> {
    /// The value.
    pub fn get(&self) -> &T {
        &self.value
    }

    /// The value, to be changed. It counts as changed from now on.
    pub fn get_mut(&mut self) -> &mut T {
        self.change = Change::Put;
        &mut self.value
    }

    /// Replaces the value.
    pub fn set(&mut self, value: T) {
        self.change = Change::Put;
        self.value = value;
    }
}

impl<C, T> View for RegisterView<C, T>
where
    C: Context,
    T: Default + Serialize + DeserializeOwned + Send + Sync,
{
    type Context = C;

    fn context(&self) -> C {
        self.context.clone()
    }

    fn pre_load(base_key: &[u8], keys: &mut Vec<Vec<u8>>) {
        keys.push(base_key.to_vec());
    }

    fn post_load(context: C, loaded: &mut Loaded) -> Result<Self, ViewError> {
        let value = loaded.next_value();
        let stored = value.is_some();
        let value = value.map_or_else(|| Ok(T::default()), |bytes| bcs::from_bytes(&bytes))?;
        Ok(RegisterView {
            context,
            value,
            stored,
            change: Change::None,
        })
    }

    fn clear(&mut self) {
        self.value = T::default();
        self.change = if self.stored {
            Change::Delete
        } else {
            Change::None
        };
    }

    fn flush(&mut self, batch: &mut Batch) -> Result<(), ViewError> {
        match std::mem::replace(&mut self.change, Change::None) {
            Change::None => {}
            Change::Put => {
                batch.put(
                    self.context.base_key().to_vec(),
                    bcs::to_bytes(&self.value)?,
                );
                self.stored = true;
            }
            Change::Delete => {
                batch.delete(self.context.base_key().to_vec());
                self.stored = false;
            }
        }
        Ok(())
    }
}
