//! Where a vault is exchanged, as the vault keeps it.

use wardkey_vault::{Document, Vault};
use zeroize::Zeroizing;

use super::broken;
use crate::error::Failure;
use crate::remote::{Account, Capabilities};

const EXCLUSIVE_CREATE: u8 = 1;
const CONDITIONAL_READ: u8 = 2;
const READ_AFTER_WRITE: u8 = 4;
const LIST_AFTER_WRITE: u8 = 8;

/// A store, what opens it, and what it was seen to do.
pub(crate) struct Storage {
    pub(crate) account: Account,
    pub(crate) capabilities: Capabilities,
}

impl Storage {
    /// What `vault` keeps; `None` where it is not exchanged.
    pub(crate) fn of(vault: &Vault) -> Result<Option<Self>, Failure> {
        let Some(kept) = vault.document(Document::Storage).map_err(broken)? else {
            return Ok(None);
        };
        match Self::from_bytes(&kept) {
            Some(storage) => Ok(Some(storage)),
            None => Err(Failure::new(
                "the vault keeps the address of a store in a form that this version does not know",
                "set it up again: wardkey sync setup URL",
            )),
        }
    }

    /// One byte for what the store can do, then the account.
    pub(crate) fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let Capabilities {
            exclusive_create,
            conditional_read,
            read_after_write,
            list_after_write,
        } = self.capabilities;
        let flags = [
            (exclusive_create, EXCLUSIVE_CREATE),
            (conditional_read, CONDITIONAL_READ),
            (read_after_write, READ_AFTER_WRITE),
            (list_after_write, LIST_AFTER_WRITE),
        ];
        let flags = flags.iter().filter(|(can, _)| *can).map(|(_, flag)| flag).sum();
        let account = self.account.to_bytes();
        let mut bytes = Zeroizing::new(Vec::with_capacity(2 * account.len() + 1024));
        bytes.push(flags);
        bytes.extend_from_slice(&account);
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (flags, account) = bytes.split_first()?;
        let can = |flag| flags & flag != 0;
        Some(Self {
            account: Account::from_bytes(account)?,
            capabilities: Capabilities {
                exclusive_create: can(EXCLUSIVE_CREATE),
                conditional_read: can(CONDITIONAL_READ),
                read_after_write: can(READ_AFTER_WRITE),
                list_after_write: can(LIST_AFTER_WRITE),
            },
        })
    }
}
