//! authenticatorGetNextAssertion, `CTAP 2.3 §6.3`: another credential signs what the last getAssertion was about, with
//! the same flags. The user is not asked again.

use wardkey_transport::time::Instant;

use crate::authenticator::Authenticator;
use crate::response::Response;
use crate::session::Session;
use crate::status::StatusCode;

impl Authenticator {
    pub(crate) fn get_next_assertion(&mut self, now: Instant) -> Result<Response, StatusCode> {
        // Out of the session while it is used, because signing needs the rest of the authenticator.
        let mut session = core::mem::take(&mut self.session);
        let result = self.next_of(&mut session, now);
        self.session = session;
        result
    }

    fn next_of(&mut self, session: &mut Session, now: Instant) -> Result<Response, StatusCode> {
        let (assertion, credential) = session.next_assertion(now)?; // steps 1 to 4, 7 and 8
        self.sign_assertion(assertion, &credential)
            .map(|members| members.into_response()) // steps 5 and 6
    }
}
