//! Asks through pinentry, the dialog program of GnuPG: `CONFIRM` or `GETPIN` in the Assuan protocol over its standard
//! input and output, one command at a time. The program is ended when the question is taken away.
//!
//! Only graphical dialogs are wanted here: pinentry is not told of any terminal, because there
//! [`super::terminal`] asks without taking over the whole screen.

mod assuan;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use zeroize::Zeroizing;

use self::assuan::{Dialogue, Failure, Reply};
use super::child::{Program, Reach};
use super::text::{Text, visible, without_markup};
use super::worker::{Withdrawal, Workers};
use super::{Answer, AnswerHandle, Asker, Decision, EnteredPin, Offer, Question, Shown, Unavailable};
use crate::programs::find_program;

/// Our own time-out comes first; pinentry's is for the case that we are gone.
const GRACE_SECONDS: u32 = 5;

/// The part of a GPG error code that is not its source (libgpg-error, `gpg_err_code`).
const ERROR_CODE_MASK: u32 = 0xffff;
/// GPG_ERR_CANCELED, GPG_ERR_NOT_CONFIRMED, GPG_ERR_FULLY_CANCELED.
const DECLINED: [u32; 3] = [99, 114, 198];

/// Asks with a pinentry dialog.
#[derive(Debug)]
pub(crate) struct Pinentry {
    environment: Environment,
    workers: Workers,
}

/// What decides whether a dialog can be shown.
#[derive(Debug, Clone, Default)]
struct Environment {
    search_path: Option<OsString>,
    has_display: bool,
}

impl Pinentry {
    /// Asks with the `pinentry` in `PATH` on the display of this session.
    pub(crate) fn of_this_session() -> Self {
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let has_display = is_set("WAYLAND_DISPLAY") || is_set("DISPLAY");
        Self::new(Environment {
            search_path: std::env::var_os("PATH"),
            has_display,
        })
    }

    fn new(environment: Environment) -> Self {
        Self {
            environment,
            workers: Workers::default(),
        }
    }

    fn find(&self) -> Result<PathBuf, Unavailable> {
        if !self.environment.has_display {
            return Err(Unavailable::new(
                "there is no display: neither WAYLAND_DISPLAY nor DISPLAY is set",
                "start wardkey in the graphical session",
            ));
        }
        find_program(Path::new("pinentry"), self.environment.search_path.as_deref()).ok_or_else(|| {
            Unavailable::new(
                "pinentry is not installed",
                "install a graphical pinentry (the package is pinentry-gnome3, pinentry-qt or pinentry-gtk2)",
            )
        })
    }
}

impl Asker for Pinentry {
    fn name(&self) -> &'static str {
        "pinentry"
    }

    fn ask(&self, question: &Question, answer: AnswerHandle) -> Box<dyn Shown> {
        let program = match self.find() {
            Ok(program) => program,
            Err(unavailable) => {
                answer.unavailable(unavailable);
                return Box::new(super::NothingShown);
            }
        };
        let script = Script::for_question(question);
        self.workers.start(answer, move |withdrawal, answer| {
            match play(&program, &script, withdrawal) {
                Ok(given) => answer.pass_on(given),
                Err(Failure::Withdrawn) => answer.dismiss(),
                Err(failure) => answer.unavailable(failure.into()),
            }
        })
    }

    fn can_choose_account(&self) -> bool {
        false
    }

    fn probe(&self) -> Result<String, Unavailable> {
        self.find().map(|program| program.display().to_string())
    }
}

/// What is said to pinentry before the question itself, and the question.
struct Script {
    settings: Vec<String>,
    request: Request,
}

/// What pinentry does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Request {
    /// Two buttons, of which one approves.
    Confirm,
    /// One button, and it refuses.
    Message,
    GetPin,
}

impl Request {
    fn command(self) -> &'static str {
        match self {
            Self::Confirm => "CONFIRM",
            Self::Message => "CONFIRM --one-button",
            Self::GetPin => "GETPIN",
        }
    }

    /// What pinentry's `OK` means.
    fn accepted(self, data: Zeroizing<Vec<u8>>) -> Result<Answer, Failure> {
        match self {
            Self::Confirm => Ok(Answer::Decided(Decision::Approved)),
            Self::Message => Ok(Answer::Decided(Decision::Declined)),
            Self::GetPin => {
                let text = std::str::from_utf8(&data).map_err(|_| Failure::Protocol)?;
                let pin = EnteredPin::new(Zeroizing::new(text.to_owned()));
                Ok(pin.map_or(Answer::Decided(Decision::Declined), Answer::Pin))
            }
        }
    }
}

impl Script {
    fn for_question(question: &Question) -> Self {
        let Text { title, sentence } = Text::for_question(question);
        let request = match question.offer() {
            // There is no list in pinentry: whoever asked chooses among the accounts.
            Offer::Approval | Offer::Choice(_) => Request::Confirm,
            Offer::Refusal => Request::Message,
            Offer::PinEntry => Request::GetPin,
        };
        let buttons = match request {
            Request::Confirm | Request::GetPin => ["SETOK Approve", "SETCANCEL Deny"].as_slice(),
            Request::Message => &["SETOK Deny"],
        };
        let mut settings = vec![
            format!("SETTITLE {}", argument(&format!("wardkey: {title}"))),
            format!("SETDESC {}", argument(&sentence)),
        ];
        settings.extend(buttons.iter().map(|&button| button.to_owned()));
        if request == Request::GetPin {
            settings.push("SETPROMPT PIN:".to_owned());
        }
        settings.push(format!(
            "SETTIMEOUT {}",
            question.seconds_left.saturating_add(GRACE_SECONDS)
        ));
        Self { settings, request }
    }
}

/// Text as the argument of a command: percent signs escaped, everything else is printable by now.
fn argument(text: &str) -> String {
    without_markup(text).replace('%', "%25")
}

impl From<Failure> for Unavailable {
    fn from(failure: Failure) -> Self {
        Self::new(
            failure.to_string(),
            "check that `echo GETINFO flavor | pinentry` names a graphical pinentry, or choose another with --prompt",
        )
    }
}

fn play(program: &Path, script: &Script, withdrawal: &Withdrawal) -> Result<Answer, Failure> {
    let mut command = Command::new(program);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut running = Program::start(&mut command, Reach::Program)?;
    let (input, output) = running.take_pipes().ok_or(Failure::Protocol)?;
    let mut dialogue = Dialogue::new(input, output, withdrawal);
    if let Reply::Error(error) = dialogue.reply()? {
        return Err(refused(&error));
    }
    for setting in &script.settings {
        dialogue.send(setting)?;
        // A setting that this pinentry does not know changes how the dialog looks, not what it asks;
        // what it asks is in SETDESC.
        if let Reply::Error(error) = dialogue.reply()?
            && setting.starts_with("SETDESC")
        {
            return Err(refused(&error));
        }
    }
    dialogue.send(script.request.command())?;
    match dialogue.reply()? {
        Reply::Ok(data) => script.request.accepted(data),
        Reply::Error(error) if is_declined(&error) => Ok(Answer::Decided(Decision::Declined)),
        Reply::Error(error) => Err(refused(&error)),
    }
}

fn refused(error: &str) -> Failure {
    Failure::Refused(visible(error))
}

/// Whether the text after `ERR` says that the user said no.
fn is_declined(error: &str) -> bool {
    let code = error.split(' ').next().and_then(|code| code.parse::<u32>().ok());
    code.is_some_and(|code| DECLINED.contains(&(code & ERROR_CODE_MASK)))
}

#[cfg(test)]
mod tests;
