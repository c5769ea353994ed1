//! What went wrong and what to do about it, in two lines.

use std::fmt;

/// A chore cannot go on.
#[derive(Debug)]
pub(crate) struct Failure {
    what: String,
    hint: Option<String>,
}

impl Failure {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            hint: None,
        }
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.what)?;
        match &self.hint {
            Some(hint) => write!(formatter, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

/// Names the file or folder that an I/O error is about.
pub(crate) fn about(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Failure {
    move |error| Failure::new(format!("{}: {error}", path.display()))
}
