//! An S3 server inside the test: s3s-fs, whose buckets are folders.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread;

use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime;
use tokio::sync::oneshot;

pub(crate) const ACCESS_KEY: &str = "AKEXAMPLE";
pub(crate) const SECRET_KEY: &str = "a secret that is in no message";
pub(crate) const BUCKET: &str = "keys";

/// A server with one bucket and one access key.
pub(crate) struct S3 {
    pub(crate) address: SocketAddr,
    folder: TempDir,
    _stop: oneshot::Sender<()>,
}

impl S3 {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(BUCKET)).unwrap();
        let service = {
            let mut builder = S3ServiceBuilder::new(FileSystem::new(folder.path()).unwrap());
            builder.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
            builder.build()
        };
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        thread::spawn(move || {
            runtime.spawn(async move {
                while let Ok((socket, _)) = listener.accept().await {
                    socket.set_nodelay(true).unwrap();
                    let connection =
                        http1::Builder::new().serve_connection(TokioIo::new(socket), service.clone());
                    tokio::spawn(connection);
                }
            });
            // Ends with an error when the sender is dropped.
            let _ = runtime.block_on(stopped);
        });
        Self {
            address,
            folder,
            _stop: stop,
        }
    }

    /// The folder that is the bucket.
    pub(crate) fn bucket(&self) -> PathBuf {
        self.folder.path().join(BUCKET)
    }
}

/// The bucket, as seen through `address`.
pub(crate) fn url(address: SocketAddr) -> String {
    format!("s3://{BUCKET}/ann?endpoint=http://{address}")
}
