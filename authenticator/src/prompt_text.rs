//! Makes texts that a host sent fit to be shown: bounded, one line, and without characters that hide, reorder or
//! move other text. In: any text. Out: a text of at most [`CHARS_MAX`] characters, `None` for an empty one.
//!
//! Not here: escaping for the markup of a particular display; the shell does that where it shows the text.

/// The longest text a prompt shows, in characters, the ellipsis counted.
pub(crate) const CHARS_MAX: usize = 64;

const REPLACEMENT: char = '\u{FFFD}';
const ELLIPSIS: char = '…';

/// A name of an account, a person or a site. The beginning is kept when it is too long.
pub(crate) fn name(text: &str) -> Option<String> {
    let shown: String = text
        .chars()
        .take(CHARS_MAX + 1)
        .map(|c| if is_deceptive(c) { REPLACEMENT } else { c })
        .collect();
    let mut shown = shown;
    if shown.chars().nth(CHARS_MAX).is_some() {
        shown = shown.chars().take(CHARS_MAX - 1).chain([ELLIPSIS]).collect();
    }
    (!shown.is_empty()).then_some(shown)
}

/// A relying party id. The end is kept when it is too long, because the end says whose it is. Everything but
/// printable ASCII is replaced: domains are sent in their ASCII form, and letters that only look alike name others.
pub(crate) fn rp_id(text: &str) -> Option<String> {
    let neutral = |c: char| {
        if c == ' ' || c.is_ascii_graphic() {
            c
        } else {
            REPLACEMENT
        }
    };
    let mut reversed: Vec<char> = text.chars().rev().take(CHARS_MAX + 1).map(neutral).collect();
    if reversed.len() > CHARS_MAX {
        reversed.truncate(CHARS_MAX - 1);
        reversed.push(ELLIPSIS);
    }
    (!reversed.is_empty()).then(|| reversed.into_iter().rev().collect())
}

/// Whether a character changes how others are shown instead of being shown.
fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00AD}'                      // soft hyphen
            | '\u{034F}'                    // combining grapheme joiner
            | '\u{061C}'                    // Arabic letter mark
            | '\u{115F}' | '\u{1160}'       // Hangul fillers
            | '\u{17B4}' | '\u{17B5}'       // Khmer inherent vowels
            | '\u{180B}'..='\u{180F}'       // Mongolian selectors and separator
            | '\u{200B}' | '\u{200E}' | '\u{200F}' // zero width space, direction marks
            | '\u{2028}'..='\u{202E}'       // line and paragraph separators, embeddings, overrides
            | '\u{2060}'..='\u{206F}'       // word joiner, isolates, invisible operators
            | '\u{3164}' | '\u{FFA0}'       // Hangul fillers
            | '\u{FE00}'..='\u{FE0E}'       // variation selectors, all but the one of emoji
            | '\u{FEFF}'                    // zero width no-break space
            | '\u{FFF0}'..='\u{FFFB}'       // unassigned, interlinear annotation
            | '\u{1D173}'..='\u{1D17A}'     // musical formatting
            | '\u{E0000}'..='\u{E0FFF}') // tags, further selectors
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ordinary_text_is_unchanged() {
        assert_eq!(
            name("Zoë O'Hara 👩‍🚀 – ali@example.org").as_deref(),
            Some("Zoë O'Hara 👩‍🚀 – ali@example.org")
        );
        assert_eq!(rp_id("login.example.org").as_deref(), Some("login.example.org"));
        assert_eq!(rp_id("ssh:my keys").as_deref(), Some("ssh:my keys"));
    }

    #[test]
    fn an_empty_text_is_none() {
        assert_eq!(name(""), None);
        assert_eq!(rp_id(""), None);
    }

    #[test]
    fn control_and_bidirectional_characters_are_replaced() {
        for c in [
            '\n',
            '\r',
            '\0',
            '\u{1B}',
            '\u{7F}',
            '\u{9B}',
            '\u{200F}',
            '\u{202E}',
            '\u{2066}',
            '\u{2028}',
            '\u{E0041}',
        ] {
            assert_eq!(name(&format!("a{c}b")).as_deref(), Some("a\u{FFFD}b"), "{:?}", c);
            assert_eq!(rp_id(&format!("a{c}b")).as_deref(), Some("a\u{FFFD}b"), "{:?}", c);
        }
    }

    #[test]
    fn a_letter_that_looks_like_another_is_replaced_in_an_rp_id() {
        assert_eq!(rp_id("ex\u{0430}mple.org").as_deref(), Some("ex\u{FFFD}mple.org"));
    }

    #[test]
    fn a_long_name_keeps_its_beginning() {
        let exact = "x".repeat(CHARS_MAX);
        assert_eq!(name(&exact).as_deref(), Some(exact.as_str()));
        let shown = name(&"ä".repeat(CHARS_MAX + 1)).unwrap();
        assert_eq!(shown, "ä".repeat(CHARS_MAX - 1) + "…");
    }

    #[test]
    fn a_long_rp_id_keeps_its_end() {
        let long = format!("{}.evil.example", "accounts.google.com.".repeat(10));
        let shown = rp_id(&long).unwrap();
        assert_eq!(shown.chars().count(), CHARS_MAX);
        assert!(shown.starts_with('…') && shown.ends_with(".evil.example"));
    }
}
