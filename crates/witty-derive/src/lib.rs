//! Derive macros for resident-witty.
//!
//! A struct with named fields is a record, a tuple struct a tuple, and a tuple struct with one
//! field is laid out as that field. An enum is a variant; if no case has a payload, an `enum`. A
//! case with several unnamed fields carries a tuple. Names become kebab-case, unless
//! `#[witty(name = "...")]` on the field or case says otherwise.

#![forbid(unsafe_code)]

mod input;
mod names;
mod records;
mod variants;

use proc_macro::TokenStream;
use quote::quote;
use syn::{DeriveInput, parse_macro_input};

use crate::input::{Body, Input};

/// Derives `WitType`: how the type is laid out.
#[proc_macro_derive(WitType, attributes(witty))]
pub fn derive_wit_type(tokens: TokenStream) -> TokenStream {
    derive(parse_macro_input!(tokens), Trait::Type)
}

/// Derives `WitLift`: taking the type from a guest.
#[proc_macro_derive(WitLift, attributes(witty))]
pub fn derive_wit_lift(tokens: TokenStream) -> TokenStream {
    derive(parse_macro_input!(tokens), Trait::Lift)
}

/// Derives `WitLower`: giving the type to a guest.
#[proc_macro_derive(WitLower, attributes(witty))]
pub fn derive_wit_lower(tokens: TokenStream) -> TokenStream {
    derive(parse_macro_input!(tokens), Trait::Lower)
}

#[derive(Clone, Copy)]
enum Trait {
    Type,
    Lift,
    Lower,
}

fn derive(tokens: DeriveInput, derived: Trait) -> TokenStream {
    match Input::parse(tokens) {
        Ok(input) => implementation(&input, derived).into(),
        Err(error) => error.into_compile_error().into(),
    }
}

fn implementation(input: &Input, derived: Trait) -> proc_macro2::TokenStream {
    let name = &input.name;
    let (path, body) = match derived {
        Trait::Type => (quote!(::resident_witty::WitType), type_body(input)),
        Trait::Lift => (quote!(::resident_witty::WitLift), lift_body(input)),
        Trait::Lower => (quote!(::resident_witty::WitLower), lower_body(input)),
    };
    let generics = input.generics_bounded_by(&path);
    let (parameters, arguments, conditions) = generics.split_for_impl();
    quote! {
        #[automatically_derived]
        impl #parameters #path for #name #arguments #conditions {
            #body
        }
    }
}

fn type_body(input: &Input) -> proc_macro2::TokenStream {
    match &input.body {
        Body::Record(record) => records::type_body(record),
        Body::Variant(cases) => variants::type_body(cases),
    }
}

fn lift_body(input: &Input) -> proc_macro2::TokenStream {
    let (load, lift) = match &input.body {
        Body::Record(record) => (records::load(record), records::lift(record)),
        Body::Variant(cases) => (variants::load(cases), variants::lift(cases)),
    };
    quote! {
        fn load<WittyMemory: ::resident_witty::GuestMemory>(
            witty_lift: &mut ::resident_witty::Lift<'_, WittyMemory>,
            witty_address: u32,
        ) -> ::core::result::Result<Self, ::resident_witty::LiftError> {
            #load
        }

        fn lift<WittyMemory: ::resident_witty::GuestMemory>(
            witty_lift: &mut ::resident_witty::Lift<'_, WittyMemory>,
            witty_flats: &mut ::resident_witty::Flats<'_>,
        ) -> ::core::result::Result<Self, ::resident_witty::LiftError> {
            #lift
        }
    }
}

fn lower_body(input: &Input) -> proc_macro2::TokenStream {
    let (store, lower) = match &input.body {
        Body::Record(record) => (records::store(record), records::lower(record)),
        Body::Variant(cases) => (variants::store(cases), variants::lower(cases)),
    };
    quote! {
        fn store<WittyGuest: ::resident_witty::GuestAllocator>(
            &self,
            witty_guest: &mut WittyGuest,
            witty_address: u32,
        ) -> ::core::result::Result<(), WittyGuest::Error> {
            #store
            ::core::result::Result::Ok(())
        }

        fn lower<WittyGuest: ::resident_witty::GuestAllocator>(
            &self,
            witty_guest: &mut WittyGuest,
            witty_flats: &mut ::resident_witty::FlatBuffer,
        ) -> ::core::result::Result<(), WittyGuest::Error> {
            #lower
            ::core::result::Result::Ok(())
        }
    }
}
