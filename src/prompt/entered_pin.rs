//! What the user typed as a PIN, on its way from the keyboard to whoever checks it.

use zeroize::Zeroizing;

/// Not empty. Wiped when dropped; cannot be printed or copied.
pub(crate) struct EnteredPin(Zeroizing<String>);

impl EnteredPin {
    /// Nothing when nothing was typed.
    pub(crate) fn new(typed: Zeroizing<String>) -> Option<Self> {
        (!typed.is_empty()).then_some(Self(typed))
    }

    /// The text, for whoever checks it.
    pub(crate) fn into_secret(self) -> Zeroizing<String> {
        self.0
    }
}
