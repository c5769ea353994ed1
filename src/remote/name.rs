//! The names of objects: segments of `0-9 a-z ~ . -` between slashes. Whatever else lies in a store (what a drive client
//! keeps beside a file, the copies that it makes of a conflict) is not ours.

use super::limits::NAME_LEN_MAX;
use super::trouble::Trouble;

/// Whether an object can have this name.
pub(super) fn is_object(name: &str) -> bool {
    name.len() <= NAME_LEN_MAX && name.split('/').all(is_segment)
}

/// Whether this is the name of a folder: it ends with a slash, or is empty for the whole store.
fn is_folder(name: &str) -> bool {
    name.is_empty() || name.strip_suffix('/').is_some_and(is_object)
}

/// Whether a file or a folder can have this name in ours.
pub(super) fn is_segment(segment: &str) -> bool {
    let is_ours = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'z' | b'~' | b'.' | b'-');
    !segment.is_empty() && !segment.starts_with('.') && segment.bytes().all(is_ours)
}

/// The name, if an object can have it.
pub(super) fn object(name: &str) -> Result<&str, Trouble> {
    check(name, is_object)
}

/// The name, if a folder can have it.
pub(super) fn folder(name: &str) -> Result<&str, Trouble> {
    check(name, is_folder)
}

fn check(name: &str, is_it: fn(&str) -> bool) -> Result<&str, Trouble> {
    if is_it(name) {
        Ok(name)
    } else {
        Err(Trouble::wrong("this is no name for what is in a store"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_of_few_characters_and_no_segment_begins_with_a_dot() {
        for name in [
            "hint",
            "pkv1/ab/t/00000001~ff.obj",
            "d/0a-1/1-00000001.obj",
            "a..b",
        ] {
            assert!(is_object(name), "{name}");
        }
        for name in [
            "",
            "/",
            "a/",
            "/a",
            "a//b",
            ".",
            "..",
            "a/../b",
            "a/./b",
            ".tmp",
            "A",
            "a b",
            "a\\b",
            "a\0",
            "ä",
            "t (conflicted copy)",
            "a_b",
            "a:b",
        ] {
            assert!(!is_object(name), "{name}");
        }
        assert!(is_object(&"a".repeat(NAME_LEN_MAX)));
        assert!(!is_object(&"a".repeat(NAME_LEN_MAX + 1)));
    }

    #[test]
    fn folders_end_with_a_slash() {
        for name in ["", "a/", "a/b/"] {
            assert!(folder(name).is_ok(), "{name}");
        }
        for name in ["/", "a", "a/../", "//", "./"] {
            assert!(folder(name).is_err(), "{name}");
        }
    }
}
