//! Expansion of the view derives.

use proc_macro_crate::{FoundCrate, crate_name};
use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{Data, DeriveInput, Error, Fields, Ident, LitInt, Result, Type};

/// One byte of the key tells the fields of a struct apart.
const MAX_FIELDS: usize = 256;

/// The `View` and `RootView` implementations.
pub(crate) fn expand_root_view(input: &DeriveInput) -> Result<TokenStream> {
    let view = expand_view(input)?;
    let views = views_path();
    let name = &input.ident;
    let (impl_generics, type_generics, where_clause) = input.generics.split_for_impl();
    Ok(quote! {
        #view
        #[automatically_derived]
        impl #impl_generics #views::RootView for #name #type_generics #where_clause {}
    })
}

/// The `View` implementation.
pub(crate) fn expand_view(input: &DeriveInput) -> Result<TokenStream> {
    let fields = named_fields(input)?;
    let context = context_type(input)?;
    let views = views_path();
    let name = &input.ident;
    let (impl_generics, type_generics, where_clause) = input.generics.split_for_impl();
    let names: Vec<&Ident> = fields.iter().map(|field| field.name).collect();
    let types: Vec<&Type> = fields.iter().map(|field| field.ty).collect();
    let first = names[0];
    let first_type = types[0];
    let context = context.map_or_else(
        || quote!(<#first_type as #views::View>::Context),
        |context| quote!(#context),
    );
    let indices =
        (0..names.len()).map(|index| LitInt::new(&format!("{index}u8"), Span::call_site()));
    let indices: Vec<LitInt> = indices.collect();
    Ok(quote! {
        #[automatically_derived]
        impl #impl_generics #views::View for #name #type_generics #where_clause {
            type Context = #context;

            fn context(&self) -> Self::Context {
                #views::derive_support::parent_context(&#views::View::context(&self.#first))
            }

            fn pre_load(base_key: &[u8], keys: &mut Vec<Vec<u8>>) {
                #(<#types as #views::View>::pre_load(&#views::derive_support::field_key(base_key, #indices), keys);)*
            }

            fn post_load(
                context: Self::Context,
                loaded: &mut #views::Loaded,
            ) -> ::core::result::Result<Self, #views::ViewError> {
                ::core::result::Result::Ok(Self {
                    #(#names: #views::View::post_load(
                        #views::derive_support::field_context(&context, #indices),
                        loaded,
                    )?,)*
                })
            }

            fn clear(&mut self) {
                #(#views::View::clear(&mut self.#names);)*
            }

            fn flush(&mut self, batch: &mut #views::Batch) -> ::core::result::Result<(), #views::ViewError> {
                #(#views::View::flush(&mut self.#names, batch)?;)*
                ::core::result::Result::Ok(())
            }
        }
    })
}

struct ViewField<'a> {
    name: &'a Ident,
    ty: &'a Type,
}

fn named_fields(input: &DeriveInput) -> Result<Vec<ViewField<'_>>> {
    let refuse = |message: &str| Err(Error::new_spanned(&input.ident, message));
    let Data::Struct(data) = &input.data else {
        return refuse("a view is a struct whose named fields are views");
    };
    let Fields::Named(fields) = &data.fields else {
        return refuse("the fields of a view must be named");
    };
    let fields: Vec<ViewField<'_>> = fields
        .named
        .iter()
        .filter_map(|field| {
            field.ident.as_ref().map(|name| ViewField {
                name,
                ty: &field.ty,
            })
        })
        .collect();
    match fields.len() {
        0 => refuse("a view needs at least one field"),
        count if count > MAX_FIELDS => {
            refuse("a view can have at most 256 fields; group some in a nested view")
        }
        _ => Ok(fields),
    }
}

/// The type in `#[view(context = Type)]`, if it is given.
fn context_type(input: &DeriveInput) -> Result<Option<Type>> {
    let mut context = None;
    for attribute in input
        .attrs
        .iter()
        .filter(|attribute| attribute.path().is_ident("view"))
    {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("context") {
                return Err(meta.error("the only option is `context = Type`"));
            }
            context = Some(meta.value()?.parse()?);
            Ok(())
        })?;
    }
    Ok(context)
}

/// `resident_sdk::views` under the name that the deriving crate gives to its dependency.
fn views_path() -> TokenStream {
    let sdk = sdk_path();
    quote!(#sdk::views)
}

/// The SDK as the application calls it.
pub(crate) fn sdk_path() -> TokenStream {
    let name = match crate_name("resident-sdk") {
        Ok(FoundCrate::Name(name)) => name,
        // The SDK itself, and its tests, know it by its own name.
        Ok(FoundCrate::Itself) | Err(_) => "resident_sdk".to_owned(),
    };
    let name = Ident::new(&name, Span::call_site());
    quote!(::#name)
}
