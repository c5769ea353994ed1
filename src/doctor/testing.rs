//! A machine that a test makes up.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use tempfile::TempDir;

use super::{Finding, Level, Machine, UsbId};

pub(super) struct MadeUp {
    pub(super) machine: Machine,
    _root: TempDir,
}

impl MadeUp {
    /// A machine of a user in a terminal, with nothing on it.
    pub(super) fn empty() -> Self {
        let root = tempfile::tempdir().unwrap();
        let machine = Machine {
            root: root.path().to_owned(),
            kernel_release: "6.1.0-30-amd64".to_owned(),
            user: 1000,
            home: Some(root.path().join("home/alice")),
            search_path: Some(root.path().join("usr/bin").into()),
            has_terminal: true,
            is_remote_login: false,
            may_lock_memory: false,
            program: "/usr/bin/wardkey".into(),
            state: root.path().join("home/alice/.local/state/wardkey"),
            usb_id: UsbId {
                vendor: 0x1209,
                product: 0x3a7d,
            },
        };
        Self { machine, _root: root }
    }

    /// With a file.
    pub(super) fn with(self, path: &str, text: impl AsRef<[u8]>) -> Self {
        let path = self.machine.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        self
    }

    /// With a folder.
    pub(super) fn with_folder(self, path: &str) -> Self {
        fs::create_dir_all(self.machine.path(path)).unwrap();
        self
    }

    /// With a program.
    pub(super) fn with_program(self, name: &str) -> Self {
        let path = format!("/usr/bin/{name}");
        let made = self.with(&path, "");
        fs::set_permissions(made.machine.path(&path), fs::Permissions::from_mode(0o755)).unwrap();
        made
    }
}

/// Checks the level and what was found, and gives the mend.
#[track_caller]
pub(super) fn expect(finding: &Finding, level: Level, found: &str) -> String {
    assert_eq!((finding.level, finding.found.as_str()), (level, found));
    assert_eq!(
        finding.mend.is_none(),
        level == Level::Ok,
        "a mend exactly where something is wrong"
    );
    finding.mend.clone().unwrap_or_default()
}
