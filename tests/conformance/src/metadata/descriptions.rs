//! Texts for people, in their languages.

use serde_json::Value;

use super::Statement;
use crate::case::{Outcome, ensure, present};

const DESCRIPTION_LEN_MAX: usize = 200;
const FRIENDLY_NAME_LEN_MAX: usize = 63;

/// `description`.
pub(crate) fn description(statement: &Statement) -> Outcome {
    let length = statement.text("description")?.chars().count();
    ensure!(
        length <= DESCRIPTION_LEN_MAX,
        "description has {length} characters"
    );
    Ok(())
}

/// `alternativeDescriptions`.
pub(crate) fn alternative_descriptions(statement: &Statement) -> Outcome {
    texts_by_language(statement, "alternativeDescriptions", DESCRIPTION_LEN_MAX)
}

/// `friendlyNames`, one of them English.
pub(crate) fn friendly_names(statement: &Statement) -> Outcome {
    texts_by_language(statement, "friendlyNames", FRIENDLY_NAME_LEN_MAX)?;
    if let Some(names) = statement.get("friendlyNames").and_then(Value::as_object) {
        let is_english = |tag: &String| tag == "en" || tag.starts_with("en-");
        ensure!(names.keys().any(is_english), "friendlyNames has no English name");
    }
    Ok(())
}

fn texts_by_language(statement: &Statement, name: &str, longest: usize) -> Outcome {
    let Some(texts) = statement.get(name) else {
        return Ok(());
    };
    for (tag, text) in present(texts.as_object(), &format!("{name}, a dictionary,"))? {
        ensure!(is_language(tag), "{name}: {tag} is not a language");
        let length = text.as_str().map_or(0, |text| text.chars().count());
        ensure!(
            (1..=longest).contains(&length),
            "{name}: the text for {tag} has {length} characters"
        );
    }
    Ok(())
}

/// A language, and perhaps a country: `de`, `de-AT`.
fn is_language(tag: &str) -> bool {
    let (language, country) = match tag.split_once('-') {
        Some((language, country)) => (language, Some(country)),
        None => (tag, None),
    };
    matches!(language.len(), 2 | 3)
        && language.bytes().all(|letter| letter.is_ascii_lowercase())
        && country.is_none_or(|country| {
            country.len() == 2 && country.bytes().all(|letter| letter.is_ascii_uppercase())
        })
}
