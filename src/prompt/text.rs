//! Turns a [`Question`] into words. Everything that the user reads about a request is made here, once, so that
//! a notification, a dialog and a terminal say the same thing.
//!
//! Names come from the host. They lose what could act on a screen (control, direction and invisible characters),
//! are cut to a length, and are put in quotation marks unless they are plain, so that a name cannot continue
//! the sentence. Markup is not here: who shows text where markup works escapes it with [`escape_markup`].

use super::{Account, Demand, Modality, Offer, Purpose, Question};

/// Characters of a site's name that are shown; of longer ones the end, because that is who owns the name.
const SITE_CHARS_MAX: usize = 60;
/// Characters of an account's name that are shown.
const ACCOUNT_CHARS_MAX: usize = 60;

/// What the user reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Text {
    /// Two or three words of our own: nothing from the host is in here.
    pub(crate) title: &'static str,
    /// What happens, to which account of which site, and what the user has to do for it.
    pub(crate) sentence: String,
}

impl Text {
    /// The words for a question.
    pub(crate) fn for_question(question: &Question) -> Self {
        let (title, asked) = match question.purpose {
            Purpose::Register => register(question),
            Purpose::SignIn => sign_in(question),
            Purpose::AlreadyRegistered => already_registered(question),
            Purpose::Identify => (
                "Which key?",
                "A program wants to know which key you mean. Is it this one?".to_owned(),
            ),
            Purpose::Verify => unlock(question),
            Purpose::ChooseAccount => choose_account(question),
            Purpose::Reset => (
                "Reset this key",
                "Erase every passkey on this key? What is only here is lost. If it syncs, it stops: your other devices \
                 keep what they have."
                    .to_owned(),
            ),
            Purpose::Open => ("Unlock your passkeys", String::new()),
            Purpose::AdmitDevice => (
                "Add a device",
                "Let the device in that shows you a code? It gets all passkeys that sync.".to_owned(),
            ),
            Purpose::Unlock => (
                "Unlock your passkeys",
                "A program wants to use this key, which is locked.".to_owned(),
            ),
            Purpose::ConfirmReset => (
                "Reset this key",
                "Really erase every passkey on this key? This is the last question.".to_owned(),
            ),
        };
        let sentences = [
            question.note.map(str::to_owned),
            Some(asked).filter(|asked| !asked.is_empty()),
            demanded(question.demand),
        ];
        Self {
            title,
            sentence: sentences.into_iter().flatten().collect::<Vec<_>>().join(" "),
        }
    }
}

type Titled = (&'static str, String);

fn register(question: &Question) -> Titled {
    match question.rp_id.as_deref().map(site) {
        Some(Site::Ssh(name)) => (
            "New SSH key",
            format!("Make an SSH key named {name} on this key?"),
        ),
        Some(Site::Web(name)) => (
            "Register a passkey",
            format!("Register a passkey for {name}{}?", as_account(question)),
        ),
        None => (
            "Register this key",
            "Register this key with a site that does not give its name?".to_owned(),
        ),
    }
}

fn sign_in(question: &Question) -> Titled {
    match question.rp_id.as_deref().map(site) {
        Some(Site::Ssh(name)) => ("Use an SSH key", format!("Use the SSH key named {name}?")),
        Some(Site::Web(name)) => ("Sign in", format!("Sign in to {name}{}?", as_account(question))),
        None => (
            "Sign in",
            "Sign in to a site that does not give its name?".to_owned(),
        ),
    }
}

fn already_registered(question: &Question) -> Titled {
    let asked = match question.rp_id.as_deref().map(site) {
        Some(Site::Web(name) | Site::Ssh(name)) => {
            format!("There is already a passkey for {name} on this key. Tell the site?")
        }
        None => "This key is already registered with the site. Tell the site?".to_owned(),
    };
    ("Already registered", asked)
}

fn unlock(question: &Question) -> Titled {
    let asked = match question.rp_id.as_deref().map(site) {
        Some(Site::Web(name) | Site::Ssh(name)) => format!("Let a program use this key for {name}?"),
        None => "Let a program use and manage this key for a while?".to_owned(),
    };
    ("Unlock this key", asked)
}

fn choose_account(question: &Question) -> Titled {
    let asked = match question.rp_id.as_deref().map(site) {
        Some(Site::Web(name) | Site::Ssh(name)) => {
            format!("With which account do you want to sign in to {name}?")
        }
        None => "With which account do you want to sign in?".to_owned(),
    };
    ("Which account?", asked)
}

/// What the user has to do, unless a yes is enough.
fn demanded(demand: Demand) -> Option<String> {
    let (modality, attempts_left) = match demand {
        Demand::Presence => return None,
        Demand::VaultPin => return Some("To unlock your passkeys, enter the Vault PIN.".to_owned()),
        Demand::Verification {
            modality,
            attempts_left,
        } => (modality, attempts_left),
    };
    let wanted = match modality {
        Modality::Fingerprint => "To agree, put your finger on the reader.",
        Modality::Password => "To agree, enter the password of your account on this computer.",
        Modality::Pin => "To agree, enter the PIN of this key.",
    };
    Some(match attempts_left {
        1 => format!("{wanted} 1 attempt is left."),
        _ => format!("{wanted} {attempts_left} attempts are left."),
    })
}

/// `text` with what has a meaning in the markup of notifications and dialogs made harmless.
pub(crate) fn escape_markup(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(character),
        }
    }
    escaped
}

/// `text` for a place that may or may not understand markup: looks alike, means nothing.
pub(crate) fn without_markup(text: &str) -> String {
    text.chars()
        .map(|character| match character {
            '<' => '‹',
            '>' => '›',
            '&' => '＆',
            _ => character,
        })
        .collect()
}

/// `text` in one line, without characters that act instead of being seen.
pub(crate) fn visible(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_whitespace() {
            if !line.is_empty() && !line.ends_with(' ') {
                line.push(' ');
            }
        } else if acts(character) {
            line.push(char::REPLACEMENT_CHARACTER);
        } else {
            line.push(character);
        }
    }
    line.truncate(line.trim_end().len());
    line
}

/// Control characters, and those of Unicode's format characters that hide or reorder text.
fn acts(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}'
            | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}'
            | '\u{FFF9}'..='\u{FFFB}' | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}

/// Who asks, fit to be part of a sentence.
enum Site {
    Web(String),
    Ssh(String),
}

/// OpenSSH's applications start with `ssh:` (PROTOCOL.u2f); everything else is a domain.
fn site(rp_id: &str) -> Site {
    let name = quoted_unless(&last_chars(&visible(rp_id), SITE_CHARS_MAX), |character| {
        character.is_ascii_alphanumeric() || ".-:…".contains(character)
    });
    if rp_id.starts_with("ssh:") {
        Site::Ssh(name)
    } else {
        Site::Web(name)
    }
}

/// ` as NAME`, or nothing, as where the user has to choose.
fn as_account(question: &Question) -> String {
    if let Offer::Choice(_) = question.offer() {
        return String::new();
    }
    let names = [&question.user_name, &question.user_display_name];
    first_name(names).map_or_else(String::new, |name| format!(" as {name}"))
}

/// The name of an account in a list to choose from.
pub(crate) fn account_name(account: &Account) -> String {
    first_name([&account.user_name, &account.user_display_name])
        .unwrap_or_else(|| "an account without a name".to_owned())
}

/// The first of the names that there is, fit to be part of a sentence.
fn first_name(names: [&Option<String>; 2]) -> Option<String> {
    let mut names = names.into_iter().flatten().map(|name| visible(name));
    let name = names.find(|name| !name.is_empty())?;
    Some(quoted_unless(
        &first_chars(&name, ACCOUNT_CHARS_MAX),
        |character| character.is_ascii_alphanumeric() || "@._+-…".contains(character),
    ))
}

fn quoted_unless(name: &str, is_plain: impl Fn(char) -> bool) -> String {
    if !name.is_empty() && name.chars().all(is_plain) {
        return name.to_owned();
    }
    let inside: String = name
        .chars()
        .map(|character| {
            if "“”„‟\"".contains(character) {
                '\''
            } else {
                character
            }
        })
        .collect();
    format!("“{inside}”")
}

fn first_chars(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    text.chars().take(max.saturating_sub(1)).chain(['…']).collect()
}

fn last_chars(text: &str, max: usize) -> String {
    let count = text.chars().count();
    if count <= max {
        return text.to_owned();
    }
    let skipped = count.saturating_sub(max).saturating_add(1);
    ['…'].into_iter().chain(text.chars().skip(skipped)).collect()
}

#[cfg(test)]
mod tests;
