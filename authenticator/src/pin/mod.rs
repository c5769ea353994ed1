//! User verification: that it is the owner of the key who agrees. By PIN through the platform (`protocol`, `key_agreement`,
//! `token`, `entry`) or by this key itself (`built_in`). `CTAP 2.3 §6.5`.
//!
//! [`UserVerified`] is made in `token` and in `built_in`, and nowhere else.

pub(crate) mod built_in;
pub(crate) mod entry;
pub(crate) mod key_agreement;
pub(crate) mod permissions;
pub(crate) mod protocol;
pub(crate) mod token;

/// Evidence that the owner of the key was verified for one operation.
pub(crate) struct UserVerified(());

impl UserVerified {
    #[cfg(test)]
    pub(crate) fn in_test() -> Self {
        Self(())
    }
}
