//! U2F (CTAP1) over CTAPHID_MSG: `FIDO U2F Raw Message Formats v1.2`. An APDU in, data and status word
//! out. Nothing waits and nothing is stored: a registration lives in its key handle.
//!
//! While a gesture is awaited the host polls; the caller answers those polls with
//! [`StatusWord::CONDITIONS_NOT_SATISFIED`] and gives the answer to the first one after the gesture.

mod apdu;
pub(crate) mod authenticate;
pub(crate) mod register;

use apdu::Apdu;
use wardkey_transport::time::Instant;
use wardkey_vault::Locked;

use crate::authenticator::Authenticator;
use crate::away::Away;
use crate::gesture::{Next, Outcome, Pending, Prompt, Purpose};
use crate::locked::LockedOutcome;

/// The last two bytes of a U2F answer, `ISO/IEC 7816-4 §5.6`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StatusWord(u16);

impl StatusWord {
    /// Done.
    pub const NO_ERROR: Self = Self(0x9000);
    /// The user must act first.
    pub const CONDITIONS_NOT_SATISFIED: Self = Self(0x6985);
    /// The key handle is not one of ours for this application.
    pub const WRONG_DATA: Self = Self(0x6A80);
    /// The length of the request is wrong.
    pub const WRONG_LENGTH: Self = Self(0x6700);
    /// The key demands user verification, which U2F does not know.
    pub const COMMAND_NOT_ALLOWED: Self = Self(0x6986);
    /// The parameters of the instruction are not known.
    pub const INCORRECT_P1_P2: Self = Self(0x6A86);
    /// The instruction is not known.
    pub const INS_NOT_SUPPORTED: Self = Self(0x6D00);
    /// The class is not known.
    pub const CLA_NOT_SUPPORTED: Self = Self(0x6E00);
    /// Something broke here.
    pub const NO_PRECISE_DIAGNOSIS: Self = Self(0x6F00);

    /// The two bytes on the wire.
    pub const fn bytes(self) -> [u8; 2] {
        self.0.to_be_bytes()
    }
}

/// A vault that cannot be read or written is nobody's fault on the wire.
impl From<wardkey_vault::Error> for StatusWord {
    fn from(_: wardkey_vault::Error) -> Self {
        Self::NO_PRECISE_DIAGNOSIS
    }
}

/// What an instruction did with its first look at the request.
enum Step {
    Answer(Vec<u8>),
    Ask(Prompt, Next),
}

impl Authenticator {
    /// Takes a CTAPHID_MSG request. The answer is data and a status word.
    pub fn handle_msg(&mut self, now: Instant, apdu: &[u8]) -> Outcome {
        match Apdu::decode(apdu).and_then(|apdu| self.instruction(now, &apdu)) {
            Ok(Step::Answer(data)) => Outcome::Done(answer(Ok(data))),
            Ok(Step::Ask(prompt, next)) => Outcome::NeedsGesture(Pending { prompt, next }),
            Err(status) => Outcome::Done(answer(Err(status))),
        }
    }

    fn instruction(&mut self, now: Instant, apdu: &Apdu<'_>) -> Result<Step, StatusWord> {
        match apdu.instruction {
            0x01 | 0x02 if !self.is_u2f_allowed() => Err(StatusWord::COMMAND_NOT_ALLOWED),
            0x01 => Ok(Self::u2f_register(register::Request::read(apdu.data)?)),
            0x02 => {
                let control = authenticate::Control::read(apdu.parameter_1)?;
                self.u2f_authenticate(now, control, authenticate::Request::read(apdu.data)?)
            }
            0x03 => version(apdu.data).map(Step::Answer),
            _ => Err(StatusWord::INS_NOT_SUPPORTED),
        }
    }
}

impl Authenticator<Locked> {
    /// Takes a CTAPHID_MSG request. A key handle that is surely not ours is refused at once, as ever.
    pub fn handle_msg(&mut self, apdu: &[u8]) -> LockedOutcome {
        match Apdu::decode(apdu).and_then(|apdu| self.look_at(&apdu)) {
            Ok(LockedStep::Answer(data)) => LockedOutcome::Done(answer(Ok(data))),
            Ok(LockedStep::NeedsVault(purpose)) => LockedOutcome::NeedsVault(Prompt::bare(purpose)),
            Err(status) => LockedOutcome::Done(answer(Err(status))),
        }
    }

    fn look_at(&self, apdu: &Apdu<'_>) -> Result<LockedStep, StatusWord> {
        match apdu.instruction {
            0x01 | 0x02 if !self.is_u2f_allowed() => Err(StatusWord::COMMAND_NOT_ALLOWED),
            0x01 => {
                register::Request::read(apdu.data)?;
                Ok(LockedStep::NeedsVault(Purpose::Register))
            }
            0x02 => {
                let control = authenticate::Control::read(apdu.parameter_1)?;
                let request = authenticate::Request::read(apdu.data)?;
                if !request.may_be_in(&self.vault)? {
                    Err(StatusWord::WRONG_DATA)
                } else if control == authenticate::Control::CheckOnly {
                    Err(StatusWord::CONDITIONS_NOT_SATISFIED)
                } else {
                    Ok(LockedStep::NeedsVault(Purpose::SignIn))
                }
            }
            0x03 => version(apdu.data).map(LockedStep::Answer),
            _ => Err(StatusWord::INS_NOT_SUPPORTED),
        }
    }
}

impl Authenticator<Away> {
    /// Takes a CTAPHID_MSG request, and answers it at once: see `away.rs`.
    pub fn handle_msg(&mut self, apdu: &[u8]) -> Vec<u8> {
        answer(Apdu::decode(apdu).and_then(|apdu| self.put_off(&apdu)))
    }

    fn put_off(&self, apdu: &Apdu<'_>) -> Result<Vec<u8>, StatusWord> {
        match apdu.instruction {
            0x01 | 0x02 if !self.is_u2f_allowed() => Err(StatusWord::COMMAND_NOT_ALLOWED),
            0x01 => {
                register::Request::read(apdu.data)?;
                Err(StatusWord::CONDITIONS_NOT_SATISFIED)
            }
            0x02 => {
                let control = authenticate::Control::read(apdu.parameter_1)?;
                authenticate::Request::read(apdu.data)?;
                match control {
                    authenticate::Control::CheckOnly => Err(StatusWord::NO_PRECISE_DIAGNOSIS),
                    authenticate::Control::EnforceUserPresence
                    | authenticate::Control::DontEnforceUserPresence => {
                        Err(StatusWord::CONDITIONS_NOT_SATISFIED)
                    }
                }
            }
            0x03 => version(apdu.data),
            _ => Err(StatusWord::INS_NOT_SUPPORTED),
        }
    }
}

/// What an instruction did while the vault is locked.
enum LockedStep {
    Answer(Vec<u8>),
    NeedsVault(Purpose),
}

impl<V> Authenticator<V> {
    /// Under `alwaysUv` no signature is made without user verification, `CTAP 2.3 §7.2.4`.
    pub(crate) fn is_u2f_allowed(&self) -> bool {
        !self.state.always_uv
    }
}

fn version(data: &[u8]) -> Result<Vec<u8>, StatusWord> {
    if data.is_empty() {
        Ok(b"U2F_V2".to_vec())
    } else {
        Err(StatusWord::WRONG_LENGTH)
    }
}

/// Data and status word as bytes.
fn answer(result: Result<Vec<u8>, StatusWord>) -> Vec<u8> {
    let (mut data, status) = match result {
        Ok(data) => (data, StatusWord::NO_ERROR),
        Err(status) => (Vec::new(), status),
    };
    data.extend(status.bytes());
    data
}

#[cfg(test)]
mod tests;
