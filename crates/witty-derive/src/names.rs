//! Names in WIT.

use syn::{Attribute, Ident, LitStr, Result, ext::IdentExt};

/// The WIT name of a field or case: the one in its `#[witty(name = "...")]`, or its own name in
/// kebab-case.
pub(crate) fn wit_name(ident: &Ident, attributes: &[Attribute]) -> Result<String> {
    let mut name = None;
    for attribute in attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("witty"))
    {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("name") {
                return Err(meta.error("expected `name = \"...\"`"));
            }
            name = Some(meta.value()?.parse::<LitStr>()?.value());
            Ok(())
        })?;
    }
    Ok(name.unwrap_or_else(|| kebab_case(&ident.unraw().to_string())))
}

/// Words begin at an upper-case letter that follows a lower-case letter or digit, or that ends a
/// run of upper-case letters; underscores separate them too.
fn kebab_case(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut kebab = String::with_capacity(name.len() + 4);
    for (index, &letter) in letters.iter().enumerate() {
        let is_separator = letter == '_';
        if (is_separator || begins_word(&letters, index)) && !kebab.is_empty() {
            push_hyphen(&mut kebab);
        }
        if !is_separator {
            kebab.extend(letter.to_lowercase());
        }
    }
    kebab.trim_end_matches('-').into()
}

fn begins_word(letters: &[char], index: usize) -> bool {
    let Some(previous) = index.checked_sub(1).map(|before| letters[before]) else {
        return false;
    };
    let ends_acronym = previous.is_uppercase()
        && letters
            .get(index + 1)
            .is_some_and(|next| next.is_lowercase());
    letters[index].is_uppercase()
        && (previous.is_lowercase() || previous.is_ascii_digit() || ends_acronym)
}

fn push_hyphen(kebab: &mut String) {
    if !kebab.ends_with('-') {
        kebab.push('-');
    }
}

#[cfg(test)]
mod tests {
    use super::kebab_case;

    #[test]
    fn names_become_kebab_case() {
        for (name, expected) in [
            ("amount", "amount"),
            ("block_height", "block-height"),
            ("_unused__name_", "unused-name"),
            ("UserContract", "user-contract"),
            ("EVMContract", "evm-contract"),
            ("Ed25519Key", "ed25519-key"),
            ("A", "a"),
            ("X2Y", "x2-y"),
        ] {
            assert_eq!(kebab_case(name), expected, "{name}");
        }
    }
}
