//! Expansion of the derive `GraphQLMutationRoot`.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use syn::{Data, DeriveInput, Error, Fields, Result, Variant, ext::IdentExt};

use crate::view::sdk_path;

/// An object with one mutation per variant, and the trait that gives it.
pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let Data::Enum(data) = &input.data else {
        return Err(Error::new_spanned(
            &input.ident,
            "only an enum of operations can be mutations",
        ));
    };
    if !input.generics.params.is_empty() {
        return Err(Error::new_spanned(
            &input.generics,
            "operations with parameters are not supported",
        ));
    }
    let (operation, sdk) = (&input.ident, sdk_path());
    let root = format_ident!("{operation}MutationRoot");
    let mutations = data
        .variants
        .iter()
        .map(|variant| mutation(operation, variant));
    let service = quote! {
        Application: #sdk::Service + #sdk::ContractAbi<Operation = #operation> + 'static
    };
    Ok(quote! {
        /// The operations as mutations.
        pub struct #root<Application>
        where
            #service,
        {
            runtime: ::std::sync::Arc<#sdk::ServiceRuntime<Application>>,
        }

        #[::async_graphql::Object]
        impl<Application> #root<Application>
        where
            #service,
        {
            #(#mutations)*
        }

        #[automatically_derived]
        impl<Application> #sdk::graphql::GraphQLMutationRoot<Application> for #operation
        where
            #service,
        {
            type MutationRoot = #root<Application>;

            fn mutation_root(
                runtime: ::std::sync::Arc<#sdk::ServiceRuntime<Application>>,
            ) -> Self::MutationRoot {
                #root { runtime }
            }
        }
    })
}

fn mutation(operation: &Ident, variant: &Variant) -> TokenStream {
    let name = &variant.ident;
    let function = format_ident!("{}", snake_case(&name.unraw().to_string()));
    let types = variant.fields.iter().map(|field| &field.ty);
    let names = variant
        .fields
        .iter()
        .enumerate()
        .map(|(index, field)| match &field.ident {
            Some(name) => name.clone(),
            None => format_ident!("field{index}"),
        });
    let names: Vec<Ident> = names.collect();
    let value = match &variant.fields {
        Fields::Named(_) => quote!(#operation::#name { #(#names),* }),
        Fields::Unnamed(_) => quote!(#operation::#name(#(#names),*)),
        Fields::Unit => quote!(#operation::#name),
    };
    let docs = variant
        .attrs
        .iter()
        .filter(|attribute| attribute.path().is_ident("doc"));
    quote! {
        #(#docs)*
        async fn #function(&self, #(#names: #types),*) -> [u8; 0] {
            self.runtime.schedule_operation(&#value);
            []
        }
    }
}

/// `TransferFrom` as `transfer_from`.
fn snake_case(name: &str) -> String {
    let mut result = String::with_capacity(name.len() + 4);
    let mut before = '_';
    let mut letters = name.chars().peekable();
    while let Some(letter) = letters.next() {
        let ends_acronym = letters.peek().is_some_and(|next| next.is_lowercase());
        let begins_word = letter.is_uppercase() && (!before.is_uppercase() || ends_acronym);
        if begins_word && before != '_' {
            result.push('_');
        }
        result.extend(letter.to_lowercase());
        before = letter;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::snake_case;

    #[test]
    fn variants_become_functions() {
        for (variant, function) in [
            ("Transfer", "transfer"),
            ("TransferFrom", "transfer_from"),
            ("HTTPRequest", "http_request"),
            ("A", "a"),
            ("already_so", "already_so"),
        ] {
            assert_eq!(snake_case(variant), function);
        }
    }
}
