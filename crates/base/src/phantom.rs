//! The traits that `derive` would needlessly restrict on identifiers with type parameters.

/// Implements copying, comparing and hashing through a key, whatever the type parameters are.
///
/// `derive` would ask the parameters, which are only markers for the compiler, for the same traits.
macro_rules! impl_by_key {
    (params($($param:ident),+), $type:ty, |$id:ident| $key:expr) => {
        impl<$($param),+> Clone for $type {
            fn clone(&self) -> Self {
                *self
            }
        }

        impl<$($param),+> Copy for $type {}

        impl<$($param),+> PartialEq for $type {
            fn eq(&self, other: &Self) -> bool {
                self.cmp(other).is_eq()
            }
        }

        impl<$($param),+> Eq for $type {}

        impl<$($param),+> PartialOrd for $type {
            fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
                Some(self.cmp(other))
            }
        }

        impl<$($param),+> Ord for $type {
            fn cmp(&self, other: &Self) -> std::cmp::Ordering {
                fn key<$($param),+>($id: &$type) -> impl Ord {
                    $key
                }
                key(self).cmp(&key(other))
            }
        }

        impl<$($param),+> std::hash::Hash for $type {
            fn hash<Hasher: std::hash::Hasher>(&self, state: &mut Hasher) {
                let $id = self;
                std::hash::Hash::hash(&$key, state);
            }
        }
    };
}
