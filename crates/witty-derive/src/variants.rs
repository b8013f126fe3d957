//! Enums: variants, and WIT's own `enum` if no case has a payload.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};

use crate::input::Case;

pub(crate) fn type_body(cases: &[Case]) -> TokenStream {
    let payloads: Vec<_> = cases.iter().map(Case::payload).collect();
    let shape = shape(cases);
    quote! {
        const PARTS: &'static [::resident_witty::Layout] =
            &[#(::resident_witty::Layout::of::<#payloads>()),*];
        const SIZE: u32 = ::resident_witty::derived::variant_size(Self::PARTS);
        const ALIGN: u32 = ::resident_witty::derived::variant_align(Self::PARTS);
        const FLAT_COUNT: usize = ::resident_witty::derived::variant_flat_count(Self::PARTS);

        fn flat_types(witty_out: &mut ::std::vec::Vec<::resident_witty::CoreType>) {
            witty_out.push(::resident_witty::CoreType::I32);
            let witty_start = witty_out.len();
            #(::resident_witty::derived::join_case::<#payloads>(witty_out, witty_start);)*
        }

        fn shape() -> ::std::string::String {
            #shape
        }
    }
}

pub(crate) fn load(cases: &[Case]) -> TokenStream {
    let count = cases.len();
    let payload = payload_start(cases);
    let arms = lifting_arms(cases, &quote!(load(witty_lift, witty_payload)));
    quote! {
        #payload
        let witty_case = witty_lift.load_discriminant(witty_address, #count)?;
        ::core::result::Result::Ok(match witty_case { #arms })
    }
}

pub(crate) fn lift(cases: &[Case]) -> TokenStream {
    let arms = lifting_arms(cases, &quote!(lift(witty_lift, witty_flats)));
    quote! {
        let witty_end = witty_flats.position() + <Self as ::resident_witty::WitType>::FLAT_COUNT;
        let witty_case = witty_flats.take_u32()?;
        let witty_value = match witty_case { #arms };
        witty_flats.skip_to(witty_end);
        ::core::result::Result::Ok(witty_value)
    }
}

pub(crate) fn store(cases: &[Case]) -> TokenStream {
    let count = cases.len();
    let payload = payload_start(cases);
    let discriminant = |case: u32| {
        quote!(::resident_witty::derived::store_discriminant(
            witty_guest, witty_address, #case, #count
        )?;)
    };
    let arms = lowering_arms(
        cases,
        discriminant,
        &quote!(store),
        &quote!(witty_guest, witty_payload),
    );
    quote! {
        #payload
        match self { #arms }
    }
}

pub(crate) fn lower(cases: &[Case]) -> TokenStream {
    let discriminant = |case: u32| quote!(witty_flats.push(u64::from(#case)););
    let arms = lowering_arms(
        cases,
        discriminant,
        &quote!(lower),
        &quote!(witty_guest, witty_flats),
    );
    quote! {
        let witty_end = witty_flats.len() + <Self as ::resident_witty::WitType>::FLAT_COUNT;
        match self { #arms }
        witty_flats.pad_to(witty_end);
    }
}

/// One arm for each discriminant; `call` names the method that takes a payload.
fn lifting_arms(cases: &[Case], call: &TokenStream) -> TokenStream {
    let count = cases.len();
    let arms = (0u32..).zip(cases).map(|(index, case)| {
        let name = &case.name;
        let fields = bindings(case);
        let payload = case.payload();
        match fields.len() {
            0 => quote!(#index => Self::#name {},),
            1 => quote!(#index => Self::#name(<#payload as ::resident_witty::WitLift>::#call?),),
            _ => quote!(#index => {
                let (#(#fields),*) = <#payload as ::resident_witty::WitLift>::#call?;
                Self::#name(#(#fields),*)
            }),
        }
    });
    quote! {
        #(#arms)*
        witty_other => return ::core::result::Result::Err(
            ::resident_witty::LiftError::invalid_discriminant(witty_other, #count)
        ),
    }
}

/// One arm for each case; `method` gives a payload. Several fields are given
/// as a tuple of references, which is laid out as the tuple of the fields.
fn lowering_arms(
    cases: &[Case],
    discriminant: impl Fn(u32) -> TokenStream,
    method: &TokenStream,
    arguments: &TokenStream,
) -> TokenStream {
    let arms = (0u32..).zip(cases).map(|(index, case)| {
        let name = &case.name;
        let fields = bindings(case);
        let discriminant = discriminant(index);
        let payload = match fields.as_slice() {
            [field] => quote!(#field),
            fields => quote!(&(#(#fields),*)),
        };
        match fields.len() {
            0 => quote!(Self::#name {} => { #discriminant }),
            _ => quote!(Self::#name(#(#fields),*) => {
                #discriminant
                ::resident_witty::WitLower::#method(#payload, #arguments)?;
            }),
        }
    });
    quote!(#(#arms)*)
}

fn bindings(case: &Case) -> Vec<Ident> {
    (0..case.fields.len())
        .map(|index| format_ident!("witty_field_{index}"))
        .collect()
}

/// Computes the address of the payload, if any case has one.
fn payload_start(cases: &[Case]) -> Option<TokenStream> {
    let has_payload = cases.iter().any(|case| !case.fields.is_empty());
    has_payload.then(|| {
        quote! {
            let witty_payload = ::resident_witty::derived::offset(
                witty_address,
                const {
                    ::resident_witty::derived::payload_offset(
                        <Self as ::resident_witty::WitType>::PARTS,
                    )
                },
            )?;
        }
    })
}

fn shape(cases: &[Case]) -> TokenStream {
    let is_enum = cases.iter().all(|case| case.fields.is_empty());
    let cases = cases.iter().map(|case| {
        let name = &case.wit_name;
        let payload = case.payload();
        if case.fields.is_empty() {
            quote!(::std::string::String::from(#name))
        } else {
            let shape = quote!(<#payload as ::resident_witty::WitType>::shape());
            quote!(::std::format!("{}({})", #name, #shape))
        }
    });
    let keyword = if is_enum { "enum" } else { "variant" };
    quote!(::std::format!("{}{{{}}}", #keyword, [#(#cases),*].join(", ")))
}
