//! What contracts say, made fit for a line that people read.

use std::fmt;

use crate::MAX_MESSAGE_BYTES;

/// Shows what a contract said in one line: whatever could begin another line, steer a terminal, or change the
/// order in which text is shown is escaped as in a Rust string.
pub(crate) struct Printable<'a>(pub(crate) &'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                // These are harmless, and frequent.
                '"' | '\'' => fmt::Write::write_char(formatter, character)?,
                character => write!(formatter, "{}", character.escape_debug())?,
            }
        }
        Ok(())
    }
}

/// What an error says, in one line.
pub(crate) fn printable(error: &impl fmt::Display) -> String {
    Printable(&error.to_string()).to_string()
}

/// At most [`MAX_MESSAGE_BYTES`] of a message, cut between characters.
pub(crate) fn shortened(mut message: String) -> String {
    if message.len() > MAX_MESSAGE_BYTES {
        let end = (0..=MAX_MESSAGE_BYTES)
            .rev()
            .find(|end| message.is_char_boundary(*end));
        message.truncate(end.unwrap_or_default());
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_the_line() {
        let said =
            "a\nb\r\u{1b}[2J\u{0}\u{85}\u{2028}\u{202e}\u{2066}\u{200b}\u{feff}\u{9b}\u{7f}\\";
        let shown = Printable(said).to_string();
        assert!(
            shown.chars().all(|character| character.is_ascii_graphic()),
            "{shown}"
        );
        assert!(shown.starts_with(r"a\nb\r\u{1b}[2J\0"), "{shown}");
        assert!(shown.ends_with(r"\u{7f}\\"), "{shown}");
    }

    #[test]
    fn ordinary_text_stays_as_it_is() {
        for said in ["", "it's \"fine\": 7 > 3, [ok]", "Grüße, 世界 🙂"] {
            assert_eq!(Printable(said).to_string(), said);
        }
    }

    #[test]
    fn long_messages_are_cut_between_characters() {
        assert_eq!(
            shortened("é".repeat(MAX_MESSAGE_BYTES)).len(),
            MAX_MESSAGE_BYTES
        );
        let uneven = format!("a{}", "é".repeat(MAX_MESSAGE_BYTES));
        assert_eq!(shortened(uneven).len(), MAX_MESSAGE_BYTES - 1);
        assert_eq!(shortened("short".to_owned()), "short");
    }
}
