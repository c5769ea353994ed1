//! temp
use std::path::{Path, PathBuf};
use crate::error::Failure;
use wardkey_vault::{Vault, Secret};
pub(crate) struct State(PathBuf);
impl State {
    pub(crate) fn open(p: Option<&Path>) -> Result<Self, Failure> { let p = p.unwrap(); std::fs::create_dir_all(p).unwrap(); Ok(Self(p.to_owned())) }
    pub(crate) fn control_socket(&self) -> PathBuf { self.0.join("control.sock") }
    pub(crate) fn into_vault(self) -> (Vault, ()) {
        let f = std::fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(self.0.join("v.redb")).unwrap();
        let b = redb::backends::FileBackend::new(f).unwrap();
        (Vault::open(b, &Secret::from_slice(&[3;32]).unwrap(), &mut crate::host::rng()).unwrap(), ())
    }
}
