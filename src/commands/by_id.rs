//! The passkey that a person means by the first characters of its id.

use super::show;
use crate::control::Listed;
use crate::error::Failure;

/// The most ids that are named when a beginning fits several.
const NAMED_MAX: usize = 5;

/// Where it is looked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Among {
    /// What is on the key.
    Passkeys,
    /// What was deleted.
    Trash,
}

impl Among {
    fn place(self) -> &'static str {
        match self {
            Self::Passkeys => "",
            Self::Trash => " in the trash",
        }
    }

    fn command(self) -> &'static str {
        match self {
            Self::Passkeys => "wardkey list",
            Self::Trash => "wardkey trash list",
        }
    }

    /// The only one of `passkeys` whose id begins so.
    pub(super) fn find(self, passkeys: Vec<Listed>, id: &str) -> Result<Listed, Failure> {
        let mut found: Vec<Listed> = passkeys
            .into_iter()
            .filter(|passkey| !id.is_empty() && passkey.id.starts_with(id))
            .collect();
        // A whole id may be the beginning of a longer one.
        if let Some(exact) = found.iter().position(|passkey| passkey.id == id) {
            return Ok(found.swap_remove(exact));
        }
        match found.pop() {
            None => Err(self.none(id)),
            Some(only) if found.is_empty() => Ok(only),
            Some(last) => Err(self.several(id, &[found, vec![last]].concat())),
        }
    }

    pub(super) fn none(self, id: &str) -> Failure {
        Failure::new(
            format!("no passkey{} has an id that begins with {id:?}", self.place()),
            format!("see the ids with: {}", self.command()),
        )
    }

    fn several(self, id: &str, found: &[Listed]) -> Failure {
        let named: Vec<String> = found
            .iter()
            .zip(show::short_ids(found))
            .take(NAMED_MAX)
            .map(|(passkey, id)| format!("{id} ({})", whose(passkey)))
            .collect();
        Failure::new(
            format!(
                "{} passkeys{} have an id that begins with {id:?}",
                found.len(),
                self.place()
            ),
            format!("give more of the id, for example: {}", named.join(", ")),
        )
    }
}

/// Whose passkey it is, fit to be part of a sentence.
pub(super) fn whose(passkey: &Listed) -> String {
    format!("{} at {}", show::account(passkey), show::site(passkey))
}

#[cfg(test)]
mod tests {
    use super::super::tests::listed;
    use super::*;

    fn found(ids: &[&str], id: &str) -> Result<String, Failure> {
        let passkeys = ids.iter().map(|id| listed(id)).collect();
        Among::Passkeys.find(passkeys, id).map(|passkey| passkey.id)
    }

    #[test]
    fn a_beginning_finds_the_only_id_that_has_it() {
        assert_eq!(found(&["abcd", "abef", "xyzw"], "abc").unwrap(), "abcd");
        assert_eq!(found(&["abcd", "abef", "xyzw"], "xyzw").unwrap(), "xyzw");
    }

    #[test]
    fn a_whole_id_that_begins_another_one_is_found() {
        assert_eq!(found(&["abcd", "abcdef"], "abcd").unwrap(), "abcd");
    }

    #[test]
    fn no_beginning_and_none_that_fits_are_refused() {
        assert!(found(&["abcd"], "").is_err());
        assert!(found(&["abcd"], "b").is_err());
        assert!(found(&[], "a").is_err());
    }

    #[test]
    fn a_beginning_of_several_is_refused_with_their_names() {
        let failure = found(&["abcdefghijkl", "abcdefghixyz"], "ab").unwrap_err();
        assert_eq!(
            failure.to_string(),
            "2 passkeys have an id that begins with \"ab\""
        );
    }
}
