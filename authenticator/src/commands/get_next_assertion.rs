//! authenticatorGetNextAssertion, `CTAP 2.3 §6.3`: another credential signs what the last getAssertion was about, with
//! the same flags. The user is not asked again.

use wardkey_transport::time::Instant;

use crate::authenticator::Authenticator;
use crate::response::Response;
use crate::session::Session;
use crate::status::StatusCode;

impl Authenticator {
    pub(crate) fn get_next_assertion(&mut self, now: Instant) -> Result<Response, StatusCode> {
        // Out of the session while it is used, because signing needs the rest of the authenticator. What fails is over.
        let Session::Assertions(mut assertions) = core::mem::take(&mut self.session) else {
            return Err(StatusCode::NOT_ALLOWED); // step 1
        };
        let members = loop {
            let (assertion, credential) = assertions.next(now, &mut self.token)?; // steps 2 to 4, 7 and 8
            match self.sign_assertion(now, assertion, &credential) {
                // The owner of the key has deleted it meanwhile.
                Err(StatusCode::NO_CREDENTIALS) => {}
                signed => break signed?, // steps 5 and 6
            }
        };
        self.session = Session::Assertions(assertions);
        Ok(members.into_response())
    }
}
