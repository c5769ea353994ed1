//! Apache's mod_dav, as Debian has it in `apache2-bin`, with a configuration of our own.

use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::{Process, free_address, wait_for};

pub(crate) const USER: &str = "ann";
pub(crate) const PASSWORD: &str = "a password that is in no message";
/// The password as Apache keeps it: base64 of SHA-1.
const PASSWORD_HASH: &str = "{SHA}5jOiASgwNshC2a6170C9Dmyw+Bk=";
const MODULES: &str = "/usr/lib/apache2/modules";

/// A server with one WebDAV folder, at the top.
pub(crate) struct Apache {
    pub(crate) address: SocketAddr,
    folder: TempDir,
    _process: Process,
}

impl Apache {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Apache's workers give up root.
        fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
        for name in ["www", "locks"] {
            fs::create_dir(folder.path().join(name)).unwrap();
            fs::set_permissions(folder.path().join(name), Permissions::from_mode(0o777)).unwrap();
        }
        let address = free_address();
        fs::write(folder.path().join("users"), format!("{USER}:{PASSWORD_HASH}\n")).unwrap();
        fs::write(folder.path().join("httpd.conf"), configuration(&folder, address)).unwrap();
        let process = Command::new("/usr/sbin/apache2")
            .args(["-X", "-f"])
            .arg(folder.path().join("httpd.conf"))
            .stdin(Stdio::null())
            .spawn()
            .expect("apache2 is installed: apt-get install apache2-bin");
        let process = Process(process);
        wait_for(address);
        Self {
            address,
            folder,
            _process: process,
        }
    }

    /// The folder that is served.
    pub(crate) fn served(&self) -> PathBuf {
        self.folder.path().join("www")
    }

    pub(crate) fn url(&self) -> String {
        url(self.address)
    }
}

/// The folder, as seen through `address`.
pub(crate) fn url(address: SocketAddr) -> String {
    format!("webdav://{address}/")
}

fn configuration(folder: &TempDir, address: SocketAddr) -> String {
    let top = folder.path().display();
    let modules: String = [
        "mpm_event",
        "authn_core",
        "authn_file",
        "auth_basic",
        "authz_core",
        "authz_user",
        "dav",
        "dav_fs",
    ]
    .map(|name| format!("LoadModule {name}_module {MODULES}/mod_{name}.so\n"))
    .concat();
    format!(
        "ServerRoot {top}
ServerName localhost
Listen {address}
User nobody
Group nogroup
PidFile {top}/pid
ErrorLog {top}/error.log
{modules}DocumentRoot {top}/www
DavLockDB {top}/locks/db
<Directory {top}/www>
    Dav On
    AuthType Basic
    AuthName keys
    AuthUserFile {top}/users
    Require valid-user
</Directory>
"
    )
}
