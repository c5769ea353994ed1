//! U2F_REGISTER, `U2F Raw Message Formats §4`: a new P-256 key, carried by its own key handle, and a certificate that this
//! very key signed.

use wardkey_transport::time::Instant;
use wardkey_vault::{Event, Profile, RpIdHash, Site, Subject};

use super::{StatusWord, Step, answer};
use crate::authenticator::Authenticator;
use crate::certificate;
use crate::cose::Algorithm;
use crate::dummy;
use crate::gesture::{Evidence, Gesture, Next, Prompt, Purpose, UserPresent};
use crate::store::{self, Binding, Traits};

/// The two parameters.
pub(crate) struct Request {
    challenge: [u8; 32],
    application: RpIdHash,
}

impl Request {
    pub(super) fn read(data: &[u8]) -> Result<Self, StatusWord> {
        let (challenge, application) = data.split_first_chunk().ok_or(StatusWord::WRONG_LENGTH)?;
        let application = application.try_into().map_err(|_| StatusWord::WRONG_LENGTH)?;
        Ok(Self {
            challenge: *challenge,
            application: RpIdHash(application),
        })
    }
}

impl Authenticator {
    pub(super) fn u2f_register(request: Request) -> Step {
        let dummy = dummy::is_dummy_application(&request.application);
        let purpose = if dummy {
            Purpose::Identify
        } else {
            Purpose::Register
        };
        Step::Ask(Prompt::bare(purpose), Next::U2fRegister(request))
    }

    /// After the gesture. Without approval the host is told to ask again, as it does anyway.
    pub(crate) fn u2f_registered(&mut self, now: Instant, request: &Request, gesture: Gesture) -> Vec<u8> {
        answer(match gesture.evidence() {
            Ok(present) => self.registration(now, request, present),
            Err(_) => Err(StatusWord::CONDITIONS_NOT_SATISFIED),
        })
    }

    fn registration(
        &mut self,
        now: Instant,
        request: &Request,
        present: UserPresent,
    ) -> Result<Vec<u8>, StatusWord> {
        const RESERVED: u8 = 0x05;
        let Request {
            challenge,
            application,
        } = request;
        let binding = Binding {
            rp_id_hash: application,
            profile: Profile::U2f,
        };
        let new = store::mint_wrapped(
            &mut self.vault,
            &mut *self.rng,
            &binding,
            Algorithm::Es256,
            Traits::default(),
        )?;
        let (handle, signing_key) = (new.id.as_bytes(), &new.signing_key);
        let p256 = signing_key.p256().expect("a key of ES256 is one of P-256");
        let point = p256.verifying_key().to_sec1_point(false);
        let point = point.as_bytes();
        let message = [&[0][..], &application.0, challenge, handle, point].concat();
        let signature = signing_key.sign(&mut *self.rng, &message);
        let certificate = certificate::u2f(&mut *self.rng, p256);
        let handle_length = u8::try_from(handle.len()).expect("a credential id has at most 255 bytes");
        if !dummy::is_dummy_application(application) {
            let event = Event::Registered {
                credential: Subject::new(Site::Hash(*application), new.id.clone(), None),
                profile: new.profile,
                stored: false,
                consent: Evidence::of(present).consent(),
            };
            self.note(now, event)?;
        }
        Ok([
            &[RESERVED][..],
            point,
            &[handle_length],
            handle,
            &certificate,
            &signature,
        ]
        .concat())
    }
}
