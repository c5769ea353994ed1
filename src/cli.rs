//! The command line: flags in, one command out.

pub(crate) mod device;
pub(crate) mod locking;
pub(crate) mod membership;
pub(crate) mod sync;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};

use self::device::DeviceCommand;
use self::locking::Locking;
use self::membership::{Backup, Export, Init, PinCommand, Recover, RecoveryKitCommand, VaultPinSource};
use self::sync::SyncCommand;
use crate::prompt::chain::Way;

/// The exit code of a command line that is not understood.
const USAGE: u8 = 2;

/// A security key made of software. The operating system sees a USB key; every FIDO2 and U2F program can use it.
#[derive(Debug, Parser)]
#[command(name = "wardkey", version, max_term_width = 100)]
#[command(
    after_help = "A key that runs stands aside for pin, recovery-kit, recover, export, import, device approve and revoke, \
                  and sync setup, and comes back when they have ended."
)]
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

impl Cli {
    /// What the command line says, or what is wrong with it.
    pub(crate) fn read() -> Result<Self, clap::Error> {
        let cli = Self::try_parse()?;
        // That an option of the program excludes one of its command cannot be declared.
        if let Command::Up(Up { key, .. }) | Command::Serve(Serve { key, .. }) = &cli.command
            && key.temporary
            && cli.state.is_some()
        {
            let text = "the argument '--temporary' cannot be used with '--state <DIR>'";
            return Err(Self::command().error(ErrorKind::ArgumentConflict, text));
        }
        Ok(cli)
    }
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
    /// Make the vault, with a Vault PIN and a recovery kit; one from before gets its Vault PIN, and keeps its passkeys
    Init(Init),
    /// The Vault PIN
    #[command(subcommand)]
    Pin(PinCommand),
    /// The recovery kit, which opens the vault without the Vault PIN
    #[command(subcommand)]
    RecoveryKit(RecoveryKitCommand),
    /// Take a vault over with its recovery kit: the one of the state folder, or a copy of another
    Recover(Recover),
    /// Write all passkeys that may leave this computer into a file: a backup, or what other programs take
    Export(Export),
    /// Add the passkeys of such a file, or of one that another program wrote (CXF)
    Import(Backup),
    /// Open the vault of the running key with its Vault PIN
    Unlock(VaultPinSource),
    /// Close the vault of the running key
    Lock,
    /// Say whether a key runs or stands aside, whether its vault is open, and what limits guesses at the Vault PIN
    Status,
    /// List the passkeys on the key
    List,
    /// Delete a passkey
    Delete(Delete),
    /// What was deleted in a vault that syncs, and is kept for 30 days
    #[command(subcommand)]
    Trash(TrashCommand),
    /// Describe the key and its state folder
    Info,
    /// Show what was done with the key, the newest last
    Log(Log),
    /// Print the FIDO metadata statement of the key with these options, as JSON
    Metadata(Metadata),
    /// The authority that vouches for the passkeys of this installation
    #[command(subcommand)]
    Attestation(Attestation),
    /// The devices that have the vault
    #[command(subcommand)]
    Device(DeviceCommand),
    /// Where synced passkeys are kept
    #[command(subcommand)]
    Sync(SyncCommand),
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

/// Prints what is wrong with a command line, in two lines as every failure, or the help that was asked for.
pub(crate) fn report_usage(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        // Nothing is left to do when the help cannot be printed.
        let _ = error.print();
        return if error.use_stderr() {
            ExitCode::from(USAGE)
        } else {
            ExitCode::SUCCESS
        };
    }
    let text = error.render().to_string();
    let what: Vec<&str> = text
        .lines()
        .map(str::trim)
        .take_while(|line| !line.is_empty())
        .collect();
    let tip = text.lines().find_map(|line| line.trim().strip_prefix("tip: "));
    let what = what.join(" ");
    eprintln!("wardkey: {}", what.strip_prefix("error: ").unwrap_or(&what));
    eprintln!(
        "hint: {}",
        tip.unwrap_or("wardkey --help lists the commands, wardkey COMMAND --help its options")
    );
    ExitCode::from(USAGE)
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
pub(crate) struct Log {
    /// Show only the newest N lines
    #[arg(short = 'n', long, value_name = "N")]
    pub(crate) limit: Option<usize>,
}

#[derive(Debug, Args)]
pub(crate) struct Metadata {
    #[command(flatten)]
    pub(crate) model: Model,
    /// Built-in user verification (the option `uv`) that the key offers
    #[arg(long, value_enum, value_name = "MEANS", help_heading = "User verification")]
    pub(crate) verify: Option<VerifyBy>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Attestation {
    /// Print the authority's certificate (PEM), for sites that shall recognize this installation's passkeys
    Export,
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Print the file that lets polkit ask for your password (`--verify password`), and where it belongs
    #[arg(long)]
    pub(crate) print_policy: bool,
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

/// What `up` and `serve` share: what the key is, who is asked, and who is verified how.
#[derive(Debug, Args)]
pub(crate) struct Key {
    #[command(flatten)]
    pub(crate) vault_pin: VaultPinSource,
    #[command(flatten)]
    pub(crate) prompting: Prompting,
    #[command(flatten)]
    pub(crate) model: Model,
    #[command(flatten)]
    pub(crate) usb_id: UsbId,
    #[command(flatten)]
    pub(crate) locking: Locking,
    /// Offer built-in user verification (the option `uv`), by this means
    #[arg(long, value_enum, value_name = "MEANS", help_heading = "User verification")]
    pub(crate) verify: Option<VerifyBy>,
    /// Verify the user by this program, which is run as a prompt command is: exit code 0 verified, 1 declined, 2 not
    /// verified
    #[arg(
        long,
        value_name = "PROGRAM",
        conflicts_with = "verify",
        help_heading = "User verification"
    )]
    pub(crate) verify_command: Option<PathBuf>,
    /// For tests only: a new key that is kept in memory, without a Vault PIN, and is gone when this program ends
    #[arg(long, conflicts_with = "vault_pin_file", help_heading = "Test mode")]
    pub(crate) temporary: bool,
    /// For tests only: answer for the user
    #[arg(long, value_enum, default_value_t = Presence::Ask, help_heading = "Test mode")]
    pub(crate) presence: Presence,
    /// For tests only: verify the user without a user
    #[arg(long, value_enum, conflicts_with_all = ["verify", "verify_command"], help_heading = "Test mode")]
    pub(crate) verification: Option<Verification>,
    /// For tests only: a loopback HTTP port through which a test touches and replugs the key, and verifies its user
    #[arg(long, value_name = "ADDR", help_heading = "Test mode")]
    pub(crate) control: Option<SocketAddr>,
}

/// How the user is asked.
#[derive(Debug, Args)]
pub(crate) struct Prompting {
    /// How to ask for approval
    #[arg(long, value_enum, default_value_t = PromptWay::Auto)]
    pub(crate) prompt: PromptWay,
    /// Ask this program, without a shell and without this terminal: the request is JSON on its standard input; exit
    /// code 0 approves, 1 denies. If the request has several `accounts`, it may print the place of one, from 0 on
    #[arg(long, value_name = "PROGRAM", conflicts_with = "prompt")]
    pub(crate) prompt_command: Option<PathBuf>,
}

/// What the key is, as hosts and relying parties see it.
#[derive(Debug, Args)]
#[command(next_help_heading = "What the key is")]
pub(crate) struct Model {
    /// Where new passkeys may live
    #[arg(long, value_enum, default_value_t = Kind::Synced)]
    pub(crate) kind: Kind,
    /// How relying parties can keep data with a passkey
    #[arg(long, value_enum, value_name = "WAY", default_value_t = LargeBlobs::Array)]
    pub(crate) large_blobs: LargeBlobs,
    /// Offer ML-DSA-44 and ML-DSA-65, too. Their implementation has not been audited, and some clients refuse a key that
    /// names algorithms they do not know
    #[arg(long)]
    pub(crate) post_quantum: bool,
    /// Who vouches for new passkeys
    #[arg(long, value_enum, value_name = "WHO", default_value_t = AttestationBy::Itself)]
    pub(crate) attestation: AttestationBy,
    /// Support enterprise attestation: once it is switched on, managed browsers may have the key's serial number told to
    /// sites
    #[arg(long)]
    pub(crate) enterprise: bool,
    /// A site that may ask for the serial number in any browser
    #[arg(long, value_name = "RP_ID", requires = "enterprise")]
    pub(crate) enterprise_site: Vec<String>,
    /// Do not list FIDO_2_3 among the versions, for programs that do not know it yet (Firefox until mid-2025)
    #[arg(long)]
    pub(crate) hide_fido_2_3: bool,
}

/// What the key is unless the command line says otherwise.
impl Default for Model {
    fn default() -> Self {
        Self {
            kind: Kind::Synced,
            large_blobs: LargeBlobs::Array,
            post_quantum: false,
            attestation: AttestationBy::Itself,
            enterprise: false,
            enterprise_site: Vec::new(),
            hide_fido_2_3: false,
        }
    }
}

/// `--kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// On all devices of the person: backup eligible, no signature counter
    Synced,
    /// On this device only: not backup eligible, with a signature counter
    DeviceBound,
}

/// `--attestation`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum AttestationBy {
    /// Each passkey for itself: no two can be linked by it
    Itself,
    /// This installation's authority: sites that have its certificate recognize the installation, and sites that compare
    /// passkeys can, too
    Authority,
}

/// `--large-blobs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LargeBlobs {
    /// In one array that the platform encrypts: authenticatorLargeBlobs, extension largeBlobKey
    Array,
    /// With the passkey: the extension largeBlob of CTAP 2.3
    Extension,
}

/// `--verify`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum VerifyBy {
    /// A finger on a reader of this computer (fprintd)
    Fingerprint,
    /// The password of your account on this computer (polkit)
    Password,
    /// The key's PIN, typed into a pinentry dialog or on this terminal
    Pin,
}

/// `--verification`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Verification {
    /// Every attempt succeeds at once
    Always,
    /// No attempt ever ends
    Never,
    /// As the --control port says
    Control,
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

#[derive(Debug, Subcommand)]
pub(crate) enum TrashCommand {
    /// List the passkeys in the trash
    List,
    /// Bring a passkey back
    Restore {
        /// The id of the passkey, or its first characters, as `wardkey trash list` shows it
        #[arg(allow_hyphen_values = true)]
        id: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delete(arguments: &[&str]) -> (String, bool) {
        let cli = Cli::try_parse_from(["wardkey", "delete"].iter().chain(arguments)).unwrap();
        let Command::Delete(Delete { id, yes }) = cli.command else {
            panic!("{:?}", cli.command);
        };
        (id, yes)
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
