//! `wardkey demo`: a registration and a login, shown step by step, with no root and no kernel module; and
//! `wardkey demo --site`: the same relying party as a page for a real browser.

mod browser;
mod narrator;
mod next;
mod plugged_key;
mod relying_party;
mod site;
mod story;
mod temporary;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsFd;

use serde_json::json;
use wardkey_transport::usbip::Identity;

use crate::error::Failure;
use crate::http::server;
use crate::signals;
use narrator::Narrator;
use site::Site;
use temporary::TemporaryFolder;

/// Registers and logs in once, with a key that exists for that long.
pub(crate) fn story(as_json: bool) -> Result<(), Failure> {
    let folder = TemporaryFolder::new().map_err(|error| {
        Failure::new(
            format!("cannot make a temporary folder: {error}"),
            "set TMPDIR to a folder that you can write to",
        )
    })?;
    let mut narrator = Narrator::new(as_json);
    narrator.say(
        "A security key, a computer to plug it into, and a website, all inside this program: no root, no",
    );
    narrator.say("kernel module, no browser. Nobody is asked; the demo approves by itself.\n");

    let result = story::play(folder.path(), &Identity::default(), &mut narrator);
    if result.is_ok() {
        narrator.say(&format!(
            "\nThe website verified both the registration and the login. {:.0} ms in all.",
            narrator.total()
        ));
        narrator.say("");
        for line in next::steps() {
            narrator.say(&line);
        }
    }
    narrator.finish(result.is_ok());
    result
}

/// Serves the page on `address` until Ctrl-C.
pub(crate) fn site(address: SocketAddr, as_json: bool) -> Result<(), Failure> {
    if !address.ip().is_loopback() {
        return Err(Failure::new(
            format!("{address} can be reached by other computers, and the page is for this one"),
            "use a loopback address such as 127.0.0.1:8000; browsers allow security keys over plain http on localhost only",
        ));
    }
    let stop = signals::stop().map_err(|error| broken("signals", &error))?;
    let listener = TcpListener::bind(address).map_err(|error| {
        Failure::new(
            format!("cannot listen on {address}: {error}"),
            "choose another port, for example --site 127.0.0.1:8765; port 0 takes any free one",
        )
    })?;
    let port = listener
        .local_addr()
        .map_err(|error| broken("the listening socket", &error))?
        .port();
    let mut site = Site::new(port);
    announce(&site.url(), as_json);
    server::serve(&listener, stop.as_fd(), |request| site.answer(request))
        .map_err(|error| broken("the listening socket", &error))
}

fn announce(url: &str, as_json: bool) {
    if as_json {
        println!("{}", json!({ "site": url }));
        return;
    }
    println!("The demo site is at {url}");
    println!(
        "  Open it in a browser, register, and log in. Ctrl-C ends it; every account is forgotten then."
    );
    println!("  It is a website only. To plug in a key for the browser, run in another terminal: wardkey up");
}

fn broken(what: &str, error: &io::Error) -> Failure {
    Failure::new(
        format!("{what} cannot be used: {error}"),
        "try again; if it stays, please report it",
    )
}
