//! Views in GraphQL.
//!
//! A register is its value. The others are objects whose names are made of those of what they hold.

mod input;

use std::borrow::Cow;

use async_graphql::{
    ContextSelectionSet, Error, InputType, Object, OutputType, Positioned, ServerResult,
    SimpleObject, TypeName, Value, parser::types::Field, registry::Registry,
};
use serde::{Serialize, de::DeserializeOwned};

use self::input::MapInput;
use super::{
    CustomSerialize, ReadGuardedView, View,
    collection::{CollectionView, CustomCollectionView},
    generic::context::Context,
    log::LogView,
    map::{CustomMapView, MapView},
    queue::QueueView,
    register::RegisterView,
    set::SetView,
};

impl<C: Send + Sync, T: OutputType> OutputType for RegisterView<C, T> {
    fn type_name() -> Cow<'static, str> {
        T::type_name()
    }

    fn qualified_type_name() -> String {
        T::qualified_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        T::create_type_info(registry)
    }

    async fn resolve(
        &self,
        context: &ContextSelectionSet<'_>,
        field: &Positioned<Field>,
    ) -> ServerResult<Value> {
        self.get().resolve(context, field).await
    }
}

impl<W: OutputType> OutputType for ReadGuardedView<'_, W> {
    fn type_name() -> Cow<'static, str> {
        W::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        W::create_type_info(registry)
    }

    async fn resolve(
        &self,
        context: &ContextSelectionSet<'_>,
        field: &Positioned<Field>,
    ) -> ServerResult<Value> {
        (**self).resolve(context, field).await
    }
}

/// A key and what belongs to it, if there is something.
#[derive(SimpleObject)]
#[graphql(name_type)]
struct Entry<K: OutputType, V: OutputType> {
    key: K,
    value: Option<V>,
}

impl<K: OutputType, V: OutputType> TypeName for Entry<K, V> {
    fn type_name() -> Cow<'static, str> {
        name("Entry", &[K::type_name(), V::type_name()])
    }
}

/// Defines the objects of views by key. Maps and collections differ in how an entry is looked up.
macro_rules! keyed_object {
    ($view:ident, [$($key_bound:tt)*], [$($value_bound:tt)*], $lookup:ident, $value:ty) => {
        impl<C, K, V> TypeName for $view<C, K, V>
        where
            C: Context,
            K: InputType + OutputType + $($key_bound)*,
            V: OutputType + $($value_bound)*,
        {
            fn type_name() -> Cow<'static, str> {
                let key = <K as OutputType>::type_name();
                name(stringify!($view), &[key, V::type_name()])
            }
        }

        #[Object(name_type)]
        impl<C, K, V> $view<C, K, V>
        where
            C: Context,
            K: InputType + OutputType + $($key_bound)*,
            V: OutputType + $($value_bound)*,
        {
            #[graphql(name = "keys")]
            async fn graphql_keys(&self, count: Option<usize>) -> Result<Vec<K>, Error> {
                let mut keys = self.indices().await?;
                keys.truncate(count.unwrap_or(usize::MAX));
                Ok(keys)
            }

            #[graphql(name = "count")]
            async fn graphql_count(&self) -> Result<usize, Error> {
                Ok(self.count().await?)
            }

            #[graphql(name = "entry")]
            async fn graphql_entry(&self, key: K) -> Result<Entry<K, $value>, Error> {
                let value = self.$lookup(&key).await?;
                Ok(Entry { key, value })
            }

            #[graphql(name = "entries")]
            async fn graphql_entries(
                &self,
                input: Option<MapInput<K>>,
            ) -> Result<Vec<Entry<K, $value>>, Error> {
                let keys = match input.and_then(MapInput::keys) {
                    Some(keys) => keys,
                    None => self.indices().await?,
                };
                let mut entries = Vec::with_capacity(keys.len());
                for key in keys {
                    let value = self.$lookup(&key).await?;
                    entries.push(Entry { key, value });
                }
                Ok(entries)
            }
        }
    };
}

keyed_object!(
    MapView,
    [Serialize + DeserializeOwned],
    [Serialize + DeserializeOwned + Clone],
    get,
    V
);
keyed_object!(
    CustomMapView,
    [CustomSerialize],
    [Serialize + DeserializeOwned + Clone],
    get,
    V
);
keyed_object!(
    CollectionView,
    [Serialize + DeserializeOwned],
    [View<Context = C>],
    try_load_entry,
    ReadGuardedView<'_, V>
);
keyed_object!(
    CustomCollectionView,
    [CustomSerialize],
    [View<Context = C>],
    try_load_entry,
    ReadGuardedView<'_, V>
);

impl<C, K> TypeName for SetView<C, K>
where
    C: Context,
    K: OutputType + Serialize + DeserializeOwned,
{
    fn type_name() -> Cow<'static, str> {
        name("SetView", &[K::type_name()])
    }
}

#[Object(name_type)]
impl<C, K> SetView<C, K>
where
    C: Context,
    K: OutputType + Serialize + DeserializeOwned,
{
    #[graphql(name = "elements")]
    async fn graphql_elements(&self, count: Option<usize>) -> Result<Vec<K>, Error> {
        let mut elements = self.indices().await?;
        elements.truncate(count.unwrap_or(usize::MAX));
        Ok(elements)
    }

    #[graphql(name = "count")]
    async fn graphql_count(&self) -> Result<usize, Error> {
        Ok(self.count().await?)
    }
}

impl<C, T> TypeName for LogView<C, T>
where
    C: Context,
    T: OutputType + Serialize + DeserializeOwned + Clone,
{
    fn type_name() -> Cow<'static, str> {
        name("LogView", &[T::type_name()])
    }
}

#[Object(name_type)]
impl<C, T> LogView<C, T>
where
    C: Context,
    T: OutputType + Serialize + DeserializeOwned + Clone,
{
    #[graphql(name = "count")]
    async fn graphql_count(&self) -> usize {
        self.count()
    }

    #[graphql(name = "entries")]
    async fn graphql_entries(
        &self,
        start: Option<usize>,
        end: Option<usize>,
    ) -> Result<Vec<T>, Error> {
        let range = start.unwrap_or_default()..end.unwrap_or_else(|| self.count());
        Ok(self.read(range).await?)
    }
}

impl<C, T> TypeName for QueueView<C, T>
where
    C: Context,
    T: OutputType + Serialize + DeserializeOwned + Clone,
{
    fn type_name() -> Cow<'static, str> {
        name("QueueView", &[T::type_name()])
    }
}

#[Object(name_type)]
impl<C, T> QueueView<C, T>
where
    C: Context,
    T: OutputType + Serialize + DeserializeOwned + Clone,
{
    #[graphql(name = "count")]
    async fn graphql_count(&self) -> usize {
        self.count()
    }

    #[graphql(name = "entries")]
    async fn graphql_entries(&self, count: Option<usize>) -> Result<Vec<T>, Error> {
        let count = count.unwrap_or_else(|| self.count());
        Ok(self.read_front(count).await?)
    }
}

/// The name of an object that holds others. Names of lists have characters that a name may not have.
fn name(what: &str, parts: &[Cow<'static, str>]) -> Cow<'static, str> {
    let parts = parts.iter().map(|part| part.replace(['[', ']', '!'], "_"));
    let parts = parts.map(|part| format!("_{part}"));
    Cow::Owned(what.to_owned() + &parts.collect::<String>())
}
