//! Structs: records, tuples and aliases. All three are laid out field after field.

use proc_macro2::TokenStream;
use quote::quote;

use crate::input::{Field, Record, RecordKind};

pub(crate) fn type_body(record: &Record) -> TokenStream {
    let types: Vec<_> = record
        .fields
        .iter()
        .map(|field| &field.field_type)
        .collect();
    let shape = shape(record);
    quote! {
        const PARTS: &'static [::resident_witty::Layout] =
            &[#(::resident_witty::Layout::of::<#types>()),*];
        const SIZE: u32 = ::resident_witty::derived::record_size(Self::PARTS);
        const ALIGN: u32 = ::resident_witty::derived::record_align(Self::PARTS);
        const FLAT_COUNT: usize = ::resident_witty::derived::record_flat_count(Self::PARTS);

        fn flat_types(witty_out: &mut ::std::vec::Vec<::resident_witty::CoreType>) {
            #(<#types as ::resident_witty::WitType>::flat_types(witty_out);)*
        }

        fn shape() -> ::std::string::String {
            #shape
        }
    }
}

pub(crate) fn load(record: &Record) -> TokenStream {
    let fields = record.fields.iter().enumerate().map(|(index, field)| {
        let Field {
            member, field_type, ..
        } = field;
        let start = start(index);
        quote!(#member: <#field_type as ::resident_witty::WitLift>::load(witty_lift, #start)?)
    });
    quote!(::core::result::Result::Ok(Self { #(#fields),* }))
}

pub(crate) fn lift(record: &Record) -> TokenStream {
    let fields = record.fields.iter().map(|Field { member, field_type, .. }| {
        quote!(#member: <#field_type as ::resident_witty::WitLift>::lift(witty_lift, witty_flats)?)
    });
    quote!(::core::result::Result::Ok(Self { #(#fields),* }))
}

pub(crate) fn store(record: &Record) -> TokenStream {
    let fields = record
        .fields
        .iter()
        .enumerate()
        .map(|(index, Field { member, .. })| {
            let start = start(index);
            quote!(::resident_witty::WitLower::store(&self.#member, witty_guest, #start)?;)
        });
    quote!(#(#fields)*)
}

pub(crate) fn lower(record: &Record) -> TokenStream {
    let members = record.fields.iter().map(|field| &field.member);
    quote!(#(::resident_witty::WitLower::lower(&self.#members, witty_guest, witty_flats)?;)*)
}

/// The address of the field at `index`.
fn start(index: usize) -> TokenStream {
    quote! {
        ::resident_witty::derived::offset(
            witty_address,
            const {
                ::resident_witty::derived::field_offset(
                    <Self as ::resident_witty::WitType>::PARTS,
                    #index,
                )
            },
        )?
    }
}

fn shape(record: &Record) -> TokenStream {
    let types: Vec<_> = record
        .fields
        .iter()
        .map(|field| &field.field_type)
        .collect();
    let names: Vec<_> = record.fields.iter().map(|field| &field.wit_name).collect();
    let shapes = quote!(#(<#types as ::resident_witty::WitType>::shape()),*);
    match record.kind {
        RecordKind::Alias => shapes,
        RecordKind::Tuple if types.is_empty() => quote!("_".into()),
        RecordKind::Tuple => quote!(::std::format!("tuple<{}>", [#shapes].join(", "))),
        RecordKind::Record => quote! {{
            let fields: &[::std::string::String] = &[#(::std::format!(
                "{}: {}", #names, <#types as ::resident_witty::WitType>::shape()
            )),*];
            ::std::format!("record{{{}}}", fields.join(", "))
        }},
    }
}
