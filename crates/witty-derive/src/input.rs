//! What the derives need to know of a type.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{
    Data, DeriveInput, Error, Fields, Generics, Ident, Index, Member, Result, Type, Variant,
    parse_quote,
};

use crate::names::wit_name;

/// A type to derive for.
pub(crate) struct Input {
    pub(crate) name: Ident,
    pub(crate) body: Body,
    generics: Generics,
}

/// The structure of the type.
pub(crate) enum Body {
    Record(Record),
    Variant(Vec<Case>),
}

/// A struct.
pub(crate) struct Record {
    pub(crate) kind: RecordKind,
    pub(crate) fields: Vec<Field>,
}

/// What a struct is in WIT.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum RecordKind {
    /// Named fields.
    Record,
    /// Several unnamed fields, or none.
    Tuple,
    /// One unnamed field: an alias for its type.
    Alias,
}

/// A field of a struct. For an unnamed one, the WIT name is not used.
pub(crate) struct Field {
    pub(crate) member: Member,
    pub(crate) wit_name: String,
    pub(crate) field_type: Type,
}

/// A case of an enum, with the types of its unnamed fields.
pub(crate) struct Case {
    pub(crate) name: Ident,
    pub(crate) wit_name: String,
    pub(crate) fields: Vec<Type>,
}

impl Case {
    /// The type of the payload: nothing, the one field, or a tuple.
    pub(crate) fn payload(&self) -> TokenStream {
        match self.fields.as_slice() {
            [field] => quote!(#field),
            fields => quote!((#(#fields),*)),
        }
    }
}

impl Input {
    pub(crate) fn parse(tokens: DeriveInput) -> Result<Self> {
        let body = match tokens.data {
            Data::Struct(data) => Body::Record(parse_record(data.fields)?),
            Data::Enum(data) if data.variants.is_empty() => {
                return Err(Error::new_spanned(
                    tokens.ident,
                    "a WIT type needs at least one case",
                ));
            }
            Data::Enum(data) => Body::Variant(
                data.variants
                    .into_iter()
                    .map(parse_case)
                    .collect::<Result<_>>()?,
            ),
            Data::Union(_) => {
                return Err(Error::new_spanned(tokens.ident, "a union has no WIT type"));
            }
        };
        Ok(Self {
            name: tokens.ident,
            body,
            generics: tokens.generics,
        })
    }

    /// The type's generics, with every type parameter bounded by the derived trait.
    pub(crate) fn generics_bounded_by(&self, path: &TokenStream) -> Generics {
        let mut generics = self.generics.clone();
        for parameter in generics.type_params_mut() {
            parameter.bounds.push(parse_quote!(#path));
        }
        generics
    }
}

fn parse_record(fields: Fields) -> Result<Record> {
    let kind = match &fields {
        Fields::Named(_) => RecordKind::Record,
        Fields::Unnamed(unnamed) if unnamed.unnamed.len() == 1 => RecordKind::Alias,
        Fields::Unnamed(_) | Fields::Unit => RecordKind::Tuple,
    };
    let fields = fields
        .into_iter()
        .enumerate()
        .map(|(index, field)| parse_field(index, field));
    Ok(Record {
        kind,
        fields: fields.collect::<Result<_>>()?,
    })
}

fn parse_field(index: usize, field: syn::Field) -> Result<Field> {
    let (member, wit_name) = match field.ident {
        Some(ident) => {
            let name = wit_name(&ident, &field.attrs)?;
            (Member::Named(ident), name)
        }
        None => (Member::Unnamed(Index::from(index)), String::new()),
    };
    Ok(Field {
        member,
        wit_name,
        field_type: field.ty,
    })
}

fn parse_case(case: Variant) -> Result<Case> {
    if let Fields::Named(_) = case.fields {
        let message = "a case has no named fields in WIT: give it one unnamed field, a struct";
        return Err(Error::new_spanned(case, message));
    }
    Ok(Case {
        wit_name: wit_name(&case.ident, &case.attrs)?,
        name: case.ident,
        fields: case.fields.into_iter().map(|field| field.ty).collect(),
    })
}
