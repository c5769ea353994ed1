//! For tests only: a loopback HTTP port through which a test touches, unplugs and replugs the key.
//!
//! The paths are those of the FIDO conformance tool's automation (`/conformance/...`) and of python-fido2's
//! `--controller` (`/`, `/usbN/touch/on|off`, `/usbN/power/on|off`). An answer is sent after the action is done.

use std::net::SocketAddr;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Duration;

use tiny_http::{Method, Request, Response, Server};

use crate::error::Failure;
use crate::touch::Touch;
use crate::wake::{Wakeup, Waker};

/// The longest a test waits for its order to be carried out.
const ORDER_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest body that is read and thrown away, in bytes.
const BODY_LEN_MAX: u64 = 1024 * 1024;

/// What a test can do to the key besides touching it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Unplug.
    PowerOff,
    /// Plug in.
    PowerOn,
    /// Unplug and plug in.
    PowerCycle,
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
    let server = Server::http(address).map_err(|error| {
        Failure::new(format!("--control cannot listen on {address}: {error}"), "choose a free port, or port 0")
    })?;
    let bound = server.server_addr().to_ip().unwrap_or(address);
    thread::spawn(move || {
        for request in server.incoming_requests() {
            answer(request, &touch, &waker);
        }
    });
    Ok(bound)
}

fn answer(mut request: Request, touch: &Touch, waker: &Waker) {
    // A body may come (the conformance tool posts its results); it is not needed.
    let _ = std::io::copy(&mut std::io::Read::take(request.as_reader(), BODY_LEN_MAX), &mut std::io::sink());
    let status = match route(request.method(), request.url()) {
        Some(Route::Nothing) => 200,
        Some(Route::TouchOn) => {
            touch.hold();
            200
        }
        Some(Route::TouchOff) => {
            touch.release();
            200
        }
        Some(Route::TouchOnce) => {
            touch.tap();
            200
        }
        Some(Route::Do(action)) => carry_out(action, waker),
        None => 404,
    };
    // The client may be gone; there is nobody else to tell.
    let _ = request.respond(Response::empty(status));
}

fn carry_out(action: Action, waker: &Waker) -> u16 {
    let (done, finished) = mpsc::channel();
    waker.send(Wakeup::Order(Order { action, done }));
    if finished.recv_timeout(ORDER_TIMEOUT).is_ok() { 200 } else { 500 }
}

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
enum Route {
    Nothing,
    TouchOn,
    TouchOff,
    TouchOnce,
    Do(Action),
}

fn route(method: &Method, path: &str) -> Option<Route> {
    match (method, path) {
        (Method::Get, "/") | (Method::Post, "/conformance/results") => return Some(Route::Nothing),
        (Method::Post, "/conformance/userpresence") => return Some(Route::TouchOnce),
        (Method::Post, "/conformance/powercycle") => return Some(Route::Do(Action::PowerCycle)),
        (Method::Get, _) => {}
        _ => return None,
    }
    // One key, so every port number of python-fido2's controller means it.
    let (port, action) = path.strip_prefix("/usb")?.split_once('/')?;
    port.parse::<u8>().ok()?;
    match action {
        "touch/on" => Some(Route::TouchOn),
        "touch/off" => Some(Route::TouchOff),
        "power/off" => Some(Route::Do(Action::PowerOff)),
        "power/on" => Some(Route::Do(Action::PowerOn)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_conformance_tools_paths_are_posts() {
        assert_eq!(route(&Method::Post, "/conformance/userpresence"), Some(Route::TouchOnce));
        assert_eq!(route(&Method::Post, "/conformance/powercycle"), Some(Route::Do(Action::PowerCycle)));
        assert_eq!(route(&Method::Post, "/conformance/results"), Some(Route::Nothing));
        assert_eq!(route(&Method::Get, "/conformance/powercycle"), None);
    }

    #[test]
    fn the_controllers_paths_name_a_usb_port() {
        assert_eq!(route(&Method::Get, "/"), Some(Route::Nothing));
        assert_eq!(route(&Method::Get, "/usb6/touch/on"), Some(Route::TouchOn));
        assert_eq!(route(&Method::Get, "/usb6/touch/off"), Some(Route::TouchOff));
        assert_eq!(route(&Method::Get, "/usb0/power/off"), Some(Route::Do(Action::PowerOff)));
        assert_eq!(route(&Method::Get, "/usb255/power/on"), Some(Route::Do(Action::PowerOn)));
    }

    #[test]
    fn other_paths_are_not_found() {
        for path in ["/usb/touch/on", "/usb256/touch/on", "/usb6/touch", "/usb6/power/on/", "/usb-1/touch/on", ""] {
            assert_eq!(route(&Method::Get, path), None, "{path}");
        }
        assert_eq!(route(&Method::Delete, "/"), None);
    }
}
