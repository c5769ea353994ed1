//! What the user typed as the key's PIN, on its way from the keyboard to the authenticator.

use zeroize::Zeroizing;

/// Not empty. Wiped when dropped; cannot be printed or copied.
pub(crate) struct EnteredPin(Zeroizing<String>);

impl EnteredPin {
    /// Nothing when nothing was typed.
    pub(super) fn new(typed: Zeroizing<String>) -> Option<Self> {
        (!typed.is_empty()).then_some(Self(typed))
    }

    /// The text, for the authenticator alone.
    pub(crate) fn into_secret(self) -> Zeroizing<String> {
        self.0
    }
}
