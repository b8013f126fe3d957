//! Derive macros for resident-sdk.
//!
//! `View` composes views that are the named fields of a struct; `RootView` is the same plus the right to be saved.
//! Both are re-exported beside the traits of the same names in `resident_sdk::views`.

#![forbid(unsafe_code)]

#[cfg(feature = "graphql")]
mod mutations;
mod view;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Implements `View` for a struct whose named fields are all views.
///
/// `#[view(context = ViewStorageContext)]` names the context of the fields; without it the context of the first
/// field is taken. Field number `i` lives below the struct's key plus the byte `i`, so fields may be appended but not
/// reordered once state exists.
#[proc_macro_derive(View, attributes(view))]
pub fn derive_view(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    view::expand_view(&input)
        .unwrap_or_else(|error| error.to_compile_error())
        .into()
}

/// Implements `View` (see there) and `RootView`: the struct is the whole state of an application.
#[proc_macro_derive(RootView, attributes(view))]
pub fn derive_root_view(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    view::expand_root_view(&input)
        .unwrap_or_else(|error| error.to_compile_error())
        .into()
}

/// Makes GraphQL mutations of an enum of operations; see the trait of the same name in `resident_sdk::graphql`.
#[cfg(feature = "graphql")]
#[proc_macro_derive(GraphQLMutationRoot)]
pub fn derive_graphql_mutation_root(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    mutations::expand(&input)
        .unwrap_or_else(|error| error.to_compile_error())
        .into()
}
