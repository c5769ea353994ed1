//! The command line: flags in, one command out.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::prompt::chain::Way;

/// A security key made of software. The operating system sees a USB key; every FIDO2 and U2F program can use it.
#[derive(Debug, Parser)]
#[command(name = "wardkey", version, max_term_width = 100)]
pub(crate) struct Cli {
    /// Where the key keeps its credentials [default: $XDG_STATE_HOME/wardkey]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    /// Print JSON instead of text
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Say more about what happens; twice for each command of the host
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Register and log in once, here and now, with a temporary key: no root, no kernel module
    #[cfg(feature = "demo")]
    Demo(Demo),
    /// Plug the key into this computer (Linux, vhci_hcd) until Ctrl-C
    Up(Up),
    /// Offer the key to other systems over USB/IP, or as raw reports to programs
    Serve(Serve),
    /// List the passkeys on the key
    List,
    /// Delete a passkey
    Delete(Delete),
    /// Describe the key and its state folder
    Info,
    /// Check what this computer needs for `wardkey up`, and say how to mend what is missing
    Doctor(Doctor),
    /// The part of `up` that runs as root: writes to vhci_hcd, holds no keys
    #[command(hide = true)]
    VhciHelper {
        /// Be the helper, rather than start it
        #[arg(long)]
        serve: bool,
    },
}

#[cfg(feature = "demo")]
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Serve the relying party as a page on localhost for a real browser
    #[arg(long, value_name = "ADDR", num_args = 0..=1, default_missing_value = "127.0.0.1:8000")]
    pub(crate) site: Option<SocketAddr>,
}

#[derive(Debug, Args)]
pub(crate) struct Up {
    /// When started as root: the user as whom the key runs
    #[arg(long, value_name = "NAME")]
    pub(crate) user: Option<String>,
    #[command(flatten)]
    pub(crate) key: Key,
    /// The socket to a helper that runs already
    #[arg(long, hide = true)]
    pub(crate) helper_on_stdin: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Listen for USB/IP clients (virtual machines, WSL, Windows)
    #[arg(long, value_name = "ADDR")]
    pub(crate) usbip: Option<SocketAddr>,
    /// Listen for programs that exchange bare 64-byte reports: unix:PATH or ADDR
    #[arg(long, value_name = "unix:PATH|ADDR", value_parser = parse_raw_address)]
    pub(crate) raw: Option<RawAddress>,
    /// Allow addresses other than loopback. USB/IP has no authentication: whoever reaches the port can use the key
    #[arg(long)]
    pub(crate) allow_remote: bool,
    #[command(flatten)]
    pub(crate) key: Key,
}

/// Where raw reports are exchanged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RawAddress {
    Unix(PathBuf),
    Tcp(SocketAddr),
}

fn parse_raw_address(text: &str) -> Result<RawAddress, String> {
    match text.strip_prefix("unix:") {
        Some("") => Err("unix: needs a path, for example unix:/run/user/1000/wardkey".to_owned()),
        Some(path) => Ok(RawAddress::Unix(path.into())),
        None => text
            .parse()
            .map(RawAddress::Tcp)
            .map_err(|_| "expected unix:PATH or an address such as 127.0.0.1:7311".to_owned()),
    }
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    #[command(flatten)]
    pub(crate) usb_id: UsbId,
}

/// What the key calls itself on the bus.
#[derive(Debug, Args)]
pub(crate) struct UsbId {
    /// USB vendor and product id, in hexadecimal
    #[arg(long = "usb-id", value_name = "VID:PID", value_parser = parse_usb_id, default_value = "1209:3a7d")]
    pub(crate) pair: (u16, u16),
}

/// What `up` and `serve` share: who is asked, and what the key calls itself.
#[derive(Debug, Args)]
pub(crate) struct Key {
    /// How to ask for approval
    #[arg(long, value_enum, default_value_t = PromptWay::Auto)]
    pub(crate) prompt: PromptWay,
    /// Ask this program: the request is JSON on its standard input, exit code 0 approves, 1 denies
    #[arg(long, value_name = "PROGRAM", conflicts_with = "prompt")]
    pub(crate) prompt_command: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) usb_id: UsbId,
    /// For tests only: answer for the user
    #[arg(long, value_enum, default_value_t = Presence::Ask, help_heading = "Test mode")]
    pub(crate) presence: Presence,
    /// For tests only: a loopback HTTP port through which a test touches and replugs the key
    #[arg(long, value_name = "ADDR", help_heading = "Test mode")]
    pub(crate) control: Option<SocketAddr>,
}

fn parse_usb_id(text: &str) -> Result<(u16, u16), String> {
    let hex = |part: &str| u16::from_str_radix(part, 16).ok();
    text.split_once(':')
        .and_then(|(vendor, product)| Some((hex(vendor)?, hex(product)?)))
        .ok_or_else(|| "expected two hexadecimal numbers, for example 1209:3a7d".to_owned())
}

/// The ways to ask the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PromptWay {
    /// The first of the others that works
    Auto,
    /// A desktop notification with Approve and Deny
    Notification,
    /// A pinentry dialog
    Pinentry,
    /// A question on this terminal
    Terminal,
}

impl From<PromptWay> for Way {
    fn from(way: PromptWay) -> Self {
        match way {
            PromptWay::Auto => Self::Auto,
            PromptWay::Notification => Self::Notification,
            PromptWay::Pinentry => Self::Pinentry,
            PromptWay::Terminal => Self::Terminal,
        }
    }
}

/// Who touches the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Presence {
    /// Every request is approved at once
    Always,
    /// Nobody ever answers
    Never,
    /// The user is asked
    Ask,
}

#[derive(Debug, Args)]
pub(crate) struct Delete {
    /// The id of the passkey, or its first characters, as `wardkey list` shows it
    // Base64url may begin with a hyphen.
    #[arg(allow_hyphen_values = true)]
    pub(crate) id: String,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delete(arguments: &[&str]) -> (String, bool) {
        let cli = Cli::try_parse_from(["wardkey", "delete"].iter().chain(arguments)).unwrap();
        match cli.command {
            Command::Delete(Delete { id, yes }) => (id, yes),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_id_may_begin_with_a_hyphen() {
        assert_eq!(delete(&["-vQx"]), ("-vQx".to_owned(), false));
        assert_eq!(delete(&["--yes", "-abc"]), ("-abc".to_owned(), true));
        assert_eq!(delete(&["-abc", "--yes"]), ("-abc".to_owned(), true));
        assert_eq!(delete(&["--yes", "--", "--yes"]), ("--yes".to_owned(), true));
        assert_eq!(delete(&["abc", "--yes"]), ("abc".to_owned(), true));
    }
}
