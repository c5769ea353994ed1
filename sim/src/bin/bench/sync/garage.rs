//! Garage, an S3 store: one node on this computer.

use std::env;
use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use wardkey_sim::clock;

use crate::failure::Failure;
use crate::process::Process;

/// Keys that open nothing but this node.
pub(super) const ACCESS_KEY: &str = "GK00112233445566778899aabb";
pub(super) const SECRET_KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const BUCKET: &str = "keys";
const REGION: &str = "garage";
/// How often it is tried, in tenths of a second.
const TRIES: usize = 300;

/// A node with one bucket and one access key.
pub(super) struct Garage {
    configuration: PathBuf,
    pub(super) s3: SocketAddr,
    _process: Process,
}

impl Garage {
    /// Starts one that keeps its files in `folder`.
    pub(super) fn start(folder: &Path) -> Result<Self, Failure> {
        fs::create_dir_all(folder)?;
        let configuration = folder.join("garage.toml");
        let (s3, rpc) = (free_address()?, free_address()?);
        fs::write(&configuration, configured(folder, s3, rpc))?;
        let mut server = garage(&configuration);
        let log = File::create(folder.join("log"))?;
        let process = Process::start(server.arg("server").stdin(Stdio::null()).stderr(log))?;
        let node = Self {
            configuration,
            s3,
            _process: process,
        };
        let id = node.run(&["node", "id", "-q"])?;
        let id = id.split('@').next().unwrap_or_default();
        node.run(&["layout", "assign", id, "-z", "here", "-c", "10G"])?;
        node.run(&["layout", "apply", "--version", "1"])?;
        node.run(&["key", "import", "--yes", "-n", "bench", ACCESS_KEY, SECRET_KEY])?;
        node.run(&["bucket", "create", BUCKET])?;
        node.run(&[
            "bucket", "allow", "--read", "--write", BUCKET, "--key", ACCESS_KEY,
        ])?;
        repeat("garage", || TcpStream::connect(s3).ok())?;
        Ok(node)
    }

    /// What it says it is.
    pub(super) fn version(&self) -> Result<String, Failure> {
        let text = self.run(&["--version"])?;
        Ok(text.split(" [").next().unwrap_or_default().trim().to_owned())
    }

    /// Runs a command of the node's, until it succeeds: the node needs a moment to start.
    fn run(&self, arguments: &[&str]) -> Result<String, Failure> {
        let mut failed = None;
        let printed = repeat("garage", || {
            let output = garage(&self.configuration).args(arguments).output();
            match output {
                Ok(output) => output.status.success().then_some(output.stdout),
                Err(error) => {
                    failed = Some(error);
                    Some(Vec::new())
                }
            }
        })?;
        match failed {
            Some(error) => Err(error.into()),
            None => Ok(String::from_utf8_lossy(&printed).trim().to_owned()),
        }
    }
}

/// `prefix` of the bucket, as seen through `address`.
pub(super) fn url(address: SocketAddr, prefix: &str) -> String {
    format!("s3://{BUCKET}/{prefix}?endpoint=http://{address}&region={REGION}")
}

fn garage(configuration: &Path) -> Command {
    let program = env::var_os("WARDKEY_TEST_GARAGE").map_or_else(|| "garage".into(), PathBuf::from);
    let mut command = Command::new(program);
    command.env("RUST_LOG", "warn").arg("-c").arg(configuration);
    command
}

/// An address that nobody listens on, now.
fn free_address() -> Result<SocketAddr, Failure> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

fn repeat<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> Result<T, Failure> {
    for _ in 0..TRIES {
        if let Some(done) = attempt() {
            return Ok(done);
        }
        clock::pause(Duration::from_millis(100));
    }
    Err(Failure::new(
        format!("{what} does not come up"),
        "run it through `cargo xtask bench --sync`, which installs it",
    ))
}

fn configured(folder: &Path, s3: SocketAddr, rpc: SocketAddr) -> String {
    let folder = folder.display();
    let secret = "5f".repeat(32);
    format!(
        r#"metadata_dir = "{folder}/meta"
data_dir = "{folder}/data"
db_engine = "lmdb"
replication_factor = 1
rpc_bind_addr = "{rpc}"
rpc_public_addr = "{rpc}"
rpc_secret = "{secret}"
[s3_api]
s3_region = "{REGION}"
api_bind_addr = "{s3}"
"#
    )
}
