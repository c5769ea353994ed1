//! For tests only: a loopback HTTP port through which a test touches, unplugs and replugs the key.
//!
//! The paths are those of the FIDO conformance tool's automation (`/conformance/...`) and of python-fido2's
//! `--controller` (`/`, `/usbN/touch/on|off`, `/usbN/power/on|off`), and two of our own for `--verification control`
//! (`/verify/ok|fail`). An answer is sent after the action is done.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Duration;

use crate::error::Failure;
use crate::http::server;
use crate::http::{Request, Response, Status};
use crate::prompt::Decision;
use crate::touch::Touch;
use crate::wake::{Waker, Wakeup};

/// The longest a test waits for its order to be carried out.
const ORDER_TIMEOUT: Duration = Duration::from_secs(10);

/// What a test can do to the key besides touching it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Unplug.
    Unplug,
    /// Plug in.
    PlugIn,
    /// Unplug and plug in.
    Replug,
}

/// An action for the event loop, and where to say that it is done.
pub(crate) struct Order {
    pub(crate) action: Action,
    pub(crate) done: Sender<()>,
}

/// Serves on `address` for as long as the process runs; gives the address, where the port was 0 the one it got.
pub(crate) fn serve(address: SocketAddr, touch: Touch, waker: Waker) -> Result<SocketAddr, Failure> {
    if !address.ip().is_loopback() {
        return Err(Failure::new(
            format!("--control does not listen on {address}"),
            "it is for tests on this machine: give a loopback address such as 127.0.0.1:0",
        ));
    }
    let failed = |error: io::Error| {
        Failure::new(
            format!("--control cannot listen on {address}: {error}"),
            "choose a free port, or port 0",
        )
    };
    let listener = TcpListener::bind(address).map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    let (never, kept_open) = UnixStream::pair().map_err(failed)?;
    thread::spawn(move || {
        // It ends with the process, or with its listening socket, and then a test notices.
        let _ = server::serve(&listener, never.as_fd(), |request| {
            answer(request, &touch, &waker)
        });
        drop(kept_open);
    });
    Ok(bound)
}

fn answer(request: &Request, touch: &Touch, waker: &Waker) -> Response {
    let Some(route) = route(&request.method, &request.path) else {
        return Response::bare(Status::NotFound);
    };
    let is_done = match route {
        Route::Nothing => true,
        Route::TouchOn => {
            touch.hold();
            true
        }
        Route::TouchOff => {
            touch.release();
            true
        }
        Route::TouchOnce => {
            touch.tap();
            true
        }
        Route::Verify(verdict) => {
            touch.verify(verdict);
            true
        }
        Route::Do(action) => carry_out(action, waker),
    };
    Response::bare(if is_done {
        Status::Ok
    } else {
        Status::ServiceUnavailable
    })
}

fn carry_out(action: Action, waker: &Waker) -> bool {
    let (done, finished) = mpsc::channel();
    waker.send(Wakeup::Order(Order { action, done }));
    finished.recv_timeout(ORDER_TIMEOUT).is_ok()
}

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
enum Route {
    Nothing,
    TouchOn,
    TouchOff,
    TouchOnce,
    Verify(Decision),
    Do(Action),
}

fn route(method: &str, path: &str) -> Option<Route> {
    match (method, path) {
        ("GET", "/") | ("POST", "/conformance/results") => return Some(Route::Nothing),
        ("POST", "/conformance/userpresence") => return Some(Route::TouchOnce),
        ("POST", "/verify/ok") => return Some(Route::Verify(Decision::Verified)),
        ("POST", "/verify/fail") => return Some(Route::Verify(Decision::NotVerified)),
        ("POST", "/conformance/powercycle") => return Some(Route::Do(Action::Replug)),
        ("GET", _) => {}
        _ => return None,
    }
    // One key, so every port number of python-fido2's controller means it.
    let (port, action) = path.strip_prefix("/usb")?.split_once('/')?;
    port.parse::<u8>().ok()?;
    match action {
        "touch/on" => Some(Route::TouchOn),
        "touch/off" => Some(Route::TouchOff),
        "power/off" => Some(Route::Do(Action::Unplug)),
        "power/on" => Some(Route::Do(Action::PlugIn)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_conformance_tools_paths_are_posts() {
        assert_eq!(route("POST", "/conformance/userpresence"), Some(Route::TouchOnce));
        assert_eq!(
            route("POST", "/conformance/powercycle"),
            Some(Route::Do(Action::Replug))
        );
        assert_eq!(route("POST", "/conformance/results"), Some(Route::Nothing));
        assert_eq!(route("GET", "/conformance/powercycle"), None);
    }

    #[test]
    fn a_verification_succeeds_or_fails() {
        assert_eq!(
            route("POST", "/verify/ok"),
            Some(Route::Verify(Decision::Verified))
        );
        assert_eq!(
            route("POST", "/verify/fail"),
            Some(Route::Verify(Decision::NotVerified))
        );
        assert_eq!(route("POST", "/verify"), None);
        assert_eq!(route("GET", "/verify/ok"), None);
    }

    #[test]
    fn the_controllers_paths_name_a_usb_port() {
        assert_eq!(route("GET", "/"), Some(Route::Nothing));
        assert_eq!(route("GET", "/usb6/touch/on"), Some(Route::TouchOn));
        assert_eq!(route("GET", "/usb6/touch/off"), Some(Route::TouchOff));
        assert_eq!(route("GET", "/usb0/power/off"), Some(Route::Do(Action::Unplug)));
        assert_eq!(route("GET", "/usb255/power/on"), Some(Route::Do(Action::PlugIn)));
    }

    #[test]
    fn other_paths_are_not_found() {
        for path in [
            "/usb/touch/on",
            "/usb256/touch/on",
            "/usb6/touch",
            "/usb6/power/on/",
            "/usb-1/touch/on",
            "",
        ] {
            assert_eq!(route("GET", path), None, "{path}");
        }
        assert_eq!(route("DELETE", "/"), None);
    }
}
