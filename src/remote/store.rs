//! A store on a thread of its own, so that nobody waits who does not want to.

use std::sync::Arc;
use std::thread;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::account::Account;
use super::address::Address;
use super::files::Files;
use super::limits::{IN_FLIGHT_MAX, Patience};
use super::probe::Capabilities;
use super::request::{Answer, Request};
use super::service::Service;
use super::trouble::Trouble;

/// Tells the requests of one store apart.
pub(crate) type Ticket = u64;

/// Hears what came of a request. May be called from the store's thread, and has to return at once.
pub(crate) type Tell = dyn Fn(Ticket, Result<Answer, Trouble>) + Send + Sync;

/// A store that answers later. Requests are under way at once, and end in any order: what has to come after something
/// else is asked for when that is answered. What is under way when this is dropped may have happened or not.
pub(crate) struct Store {
    jobs: UnboundedSender<(Ticket, Request)>,
}

impl Store {
    /// Asks nobody yet.
    pub(crate) fn open(
        account: &Account,
        capabilities: Capabilities,
        patience: Patience,
        tell: Arc<Tell>,
    ) -> Result<Self, Trouble> {
        let (jobs, next) = unbounded_channel();
        let no_thread = |error| Trouble::unreachable(format!("no thread could be started: {error}"));
        let work: Box<dyn FnOnce() + Send> =
            match (account.address(), Service::new(account, capabilities, patience)?) {
                (_, Some(service)) => {
                    let runtime = Builder::new_current_thread()
                        .enable_all()
                        .build()
                        .map_err(no_thread)?;
                    Box::new(move || serve(&runtime, Arc::new(service), next, &tell))
                }
                (Address::Folder(path), None) => {
                    let files = Files::new(path);
                    Box::new(move || serve_files(&files, next, &*tell))
                }
                (Address::S3(_) | Address::WebDav(_), None) => {
                    unreachable!("a service is made for each address but a folder")
                }
            };
        let thread = thread::Builder::new().name("store".to_owned());
        thread.spawn(work).map_err(no_thread)?;
        Ok(Self { jobs })
    }

    /// Begins a request, or leaves it until one of [`IN_FLIGHT_MAX`] has ended.
    pub(crate) fn ask(&self, ticket: Ticket, request: Request) {
        // The thread ends when this value does.
        let _ = self.jobs.send((ticket, request));
    }
}

/// One after another: a folder is as fast as its disk.
fn serve_files(files: &Files, mut next: UnboundedReceiver<(Ticket, Request)>, tell: &Tell) {
    while let Some((ticket, request)) = next.blocking_recv() {
        tell(ticket, files.perform(&request));
    }
}

fn serve(
    runtime: &Runtime,
    service: Arc<Service>,
    mut next: UnboundedReceiver<(Ticket, Request)>,
    tell: &Arc<Tell>,
) {
    let places = Arc::new(Semaphore::new(IN_FLIGHT_MAX));
    runtime.block_on(async {
        while let Some((ticket, request)) = next.recv().await {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                break;
            };
            let (service, tell) = (Arc::clone(&service), Arc::clone(tell));
            tokio::spawn(async move {
                tell(ticket, service.perform(request).await);
                drop(place);
            });
        }
    });
}
