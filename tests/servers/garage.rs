//! Garage, a distributed S3 store: a cluster on this computer, with as many copies of each object as it has nodes.

use std::env;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::{Process, free_address, wait_for, wait_until};

pub(crate) const ACCESS_KEY: &str = "GK00112233445566778899aabb";
pub(crate) const SECRET_KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
pub(crate) const BUCKET: &str = "keys";
const REGION: &str = "garage";

/// A cluster with one bucket and one access key.
pub(crate) struct Garage {
    nodes: Vec<Node>,
}

struct Node {
    folder: TempDir,
    s3: SocketAddr,
    process: Process,
}

impl Garage {
    pub(crate) fn start(size: usize) -> Self {
        let nodes: Vec<_> = (0..size).map(|_| Node::start(size)).collect();
        let first = &nodes[0];
        let ids: Vec<_> = nodes.iter().map(|node| node.run(&["node", "id", "-q"])).collect();
        for id in &ids {
            let (key, _) = id.split_once('@').unwrap();
            if id != &ids[0] {
                first.run(&["node", "connect", id]);
            }
            first.run(&["layout", "assign", key, "-z", &key[..8], "-c", "1G"]);
        }
        first.run(&["layout", "apply", "--version", "1"]);
        first.run(&["key", "import", "--yes", "-n", "test", ACCESS_KEY, SECRET_KEY]);
        first.run(&["bucket", "create", BUCKET]);
        first.run(&[
            "bucket", "allow", "--read", "--write", BUCKET, "--key", ACCESS_KEY,
        ]);
        for node in &nodes {
            wait_for(node.s3);
        }
        Self { nodes }
    }

    /// kill -9.
    pub(crate) fn kill(&mut self, node: usize) {
        self.nodes[node].process.kill();
    }

    pub(crate) fn address(&self, node: usize) -> SocketAddr {
        self.nodes[node].s3
    }

    /// The bucket, as one of the nodes has it.
    pub(crate) fn url(&self, node: usize) -> String {
        url(self.address(node))
    }
}

/// The bucket, as seen through `address`.
pub(crate) fn url(address: SocketAddr) -> String {
    format!("s3://{BUCKET}/ann?endpoint=http://{address}&region={REGION}")
}

impl Node {
    fn start(copies: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (s3, rpc) = (free_address(), free_address());
        fs::write(
            folder.path().join("garage.toml"),
            configuration(folder.path(), s3, rpc, copies),
        )
        .unwrap();
        let log = File::create(folder.path().join("log")).unwrap();
        let process = garage(&folder)
            .arg("server")
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("garage is installed: cargo xtask store does that");
        wait_for(rpc);
        Self {
            folder,
            s3,
            process: Process(process),
        }
    }

    /// Runs a command of the cluster's, until it succeeds: nodes need a moment to find each other.
    fn run(&self, arguments: &[&str]) -> String {
        let mut printed = String::new();
        wait_until(&arguments.join(" "), || {
            let output = garage(&self.folder).args(arguments).output().unwrap();
            printed = String::from_utf8(output.stdout).unwrap();
            output.status.success()
        });
        printed.trim().to_owned()
    }
}

fn garage(folder: &TempDir) -> Command {
    let program = env::var_os("WARDKEY_TEST_GARAGE").map_or_else(|| "garage".into(), PathBuf::from);
    let mut command = Command::new(program);
    command
        .env("RUST_LOG", "warn")
        .arg("-c")
        .arg(folder.path().join("garage.toml"));
    command
}

fn configuration(folder: &Path, s3: SocketAddr, rpc: SocketAddr, copies: usize) -> String {
    let folder = folder.display();
    let secret = "5f".repeat(32);
    format!(
        r#"metadata_dir = "{folder}/meta"
data_dir = "{folder}/data"
db_engine = "lmdb"
replication_factor = {copies}
rpc_bind_addr = "{rpc}"
rpc_public_addr = "{rpc}"
rpc_secret = "{secret}"
[s3_api]
s3_region = "{REGION}"
api_bind_addr = "{s3}"
"#
    )
}
