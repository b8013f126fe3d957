//! What all views have in common.

use std::future::Future;

use super::{
    ViewError,
    generic::{
        context::Context,
        store::{Batch, Store},
    },
};

/// State in memory, with storage behind it.
///
/// Implemented by the views of this module and, by derive, by structs of views. Loading has two halves, so that all
/// parts of a view read what they need in one host call: [`pre_load`](Self::pre_load) says which keys, and
/// [`post_load`](Self::post_load) takes the values in the same order.
pub trait View: Sized + Send {
    /// The storage behind the view and where in it the view lives.
    type Context: Context;

    /// The view's context.
    fn context(&self) -> Self::Context;

    /// Adds the keys to read before a view at `base_key` can be made.
    fn pre_load(base_key: &[u8], keys: &mut Vec<Vec<u8>>);

    /// Makes the view, taking as many values as [`pre_load`](Self::pre_load) added keys.
    fn post_load(context: Self::Context, loaded: &mut Loaded) -> Result<Self, ViewError>;

    /// Makes the view empty, as if nothing had ever been stored.
    fn clear(&mut self);

    /// Moves pending changes to the batch. The view counts them as stored from then on.
    fn flush(&mut self, batch: &mut Batch) -> Result<(), ViewError>;

    /// Reads the view from storage, with at most one host call.
    fn load(context: Self::Context) -> impl Future<Output = Result<Self, ViewError>> + Send {
        std::future::ready(load_now(context))
    }
}

/// A view that is the whole state of an application.
pub trait RootView: View {
    /// Writes all pending changes as one batch, or nothing if there are none.
    fn save(&mut self) -> impl Future<Output = Result<(), ViewError>> + Send {
        std::future::ready(save_now(self))
    }

    /// Saves the view at the end of its life.
    fn save_and_drop(mut self) -> impl Future<Output = Result<(), ViewError>> + Send {
        std::future::ready(save_now(&mut self))
    }
}

/// The values that a view asked for in [`View::pre_load`].
#[derive(Debug)]
pub struct Loaded {
    values: Option<std::vec::IntoIter<Option<Vec<u8>>>>,
}

impl Loaded {
    /// Values as storage returned them.
    pub(crate) fn stored(values: std::vec::IntoIter<Option<Vec<u8>>>) -> Self {
        Loaded {
            values: Some(values),
        }
    }

    /// The state of a view that storage is known to hold nothing of.
    pub(crate) fn nothing() -> Self {
        Loaded { values: None }
    }

    /// Whether nothing is stored of the view, so that it never has to ask.
    pub fn is_nothing(&self) -> bool {
        self.values.is_none()
    }

    /// The value of the next key.
    pub fn next_value(&mut self) -> Option<Vec<u8>> {
        self.values.as_mut()?.next().flatten()
    }
}

/// Reads a view from storage.
pub(crate) fn load_now<W: View>(context: W::Context) -> Result<W, ViewError> {
    let mut keys = Vec::new();
    W::pre_load(context.base_key(), &mut keys);
    let values = if keys.is_empty() {
        Vec::new()
    } else {
        context.store().read_values(&keys)
    };
    W::post_load(context, &mut Loaded::stored(values.into_iter()))
}

fn save_now<W: View>(view: &mut W) -> Result<(), ViewError> {
    let mut batch = Batch::default();
    view.flush(&mut batch)?;
    if !batch.is_empty() {
        view.context().store().write_batch(batch);
    }
    Ok(())
}
