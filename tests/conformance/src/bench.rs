//! A key on the bench: the key, a client of it, and the steps that most cases begin with.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use ciborium::Value;
use sha2::{Digest, Sha256};
use wardkey_sim::fido_client::{
    Assertion, Attestation, FidoClient, GetAssertion, Grant, Info, MakeCredential, Permissions, PinProtocol,
    PinUvAuthToken, RelyingParty, Status, User as Account, read_assertion, read_attestation,
};
use wardkey_sim::hid_client::HidClient;

use crate::case::{Outcome, Stop, present, refused};
use crate::configuration::Configuration;
use crate::key::{Key, User, Wire};
use crate::parameters::Parameters;
use crate::random::Seeded;

/// authenticatorMakeCredential.
pub(crate) const MAKE_CREDENTIAL: u8 = 0x01;
/// authenticatorGetAssertion.
pub(crate) const GET_ASSERTION: u8 = 0x02;

/// COSE: ECDSA on P-256 with SHA-256.
pub(crate) const ES256: i32 = -7;

/// The relying party of most cases.
pub(crate) const RP_ID: &str = "conformance.example";

/// The PIN of most cases.
pub(crate) const PIN: &[u8] = b"wardkey-2468";

/// The client that the cases use.
pub type Client = FidoClient<HidClient<Wire>>;

/// What a test works with.
pub struct Bench {
    wire: Wire,
    client: Client,
    configuration: Configuration,
    pub(crate) rng: Seeded,
}

/// A credential that was made.
pub(crate) struct Registered {
    pub(crate) rp_id: String,
    pub(crate) account: Account,
    pub(crate) attestation: Attestation,
    pub(crate) id: Vec<u8>,
    pub(crate) public_key: Value,
}

impl Bench {
    /// Opens a channel to `key`. `name` decides what the random numbers are.
    pub fn new(key: Box<dyn Key>, configuration: Configuration, name: &str) -> Result<Self, Stop> {
        let wire = Wire(Rc::new(RefCell::new(key)));
        let mut rng = Seeded::new(name);
        let client = open(&wire, &mut rng)?;
        Ok(Self {
            wire,
            client,
            configuration,
            rng,
        })
    }

    /// The client of the key.
    pub(crate) fn client(&mut self) -> &mut Client {
        &mut self.client
    }

    /// The client and the randomness that PIN protocols need, at once.
    pub(crate) fn client_and_rng(&mut self) -> (&mut Client, &mut Seeded) {
        (&mut self.client, &mut self.rng)
    }

    /// How the key is set up.
    pub(crate) fn configuration(&self) -> Configuration {
        self.configuration
    }

    /// The reports themselves.
    pub(crate) fn wire(&self) -> Wire {
        self.wire.clone()
    }

    /// Another channel to the same key.
    pub(crate) fn another_client(&mut self) -> Result<Client, Stop> {
        open(&self.wire, &mut self.rng)
    }

    /// What the user does from now on.
    pub(crate) fn user(&mut self, user: User) -> Outcome {
        Ok(self.wire.0.borrow_mut().user(user)?)
    }

    /// Lets time pass.
    pub(crate) fn wait(&mut self, duration: Duration) -> Outcome {
        Ok(self.wire.0.borrow_mut().wait(duration)?)
    }

    /// Ends the case where time is real, and waiting for half a minute and more would be a waste of it.
    pub(crate) fn needs_virtual_time(&mut self) -> Outcome {
        if self.wire.0.borrow().has_virtual_time() {
            Ok(())
        } else {
            Err(Stop::NotApplicable(
                "the case is about long times, which are real here",
            ))
        }
    }

    /// Unplugs the key, plugs it in, and opens a channel again.
    pub(crate) fn power_cycle(&mut self) -> Outcome {
        self.wire.0.borrow_mut().power_cycle()?;
        self.client = open(&self.wire, &mut self.rng)?;
        Ok(())
    }

    /// Unplugs the key, plugs it in, and erases it, as the platform does when somebody resets a key.
    pub(crate) fn reset(&mut self) -> Outcome {
        self.power_cycle()?;
        Ok(self.client.reset()?)
    }

    /// The key's metadata statement.
    pub(crate) fn metadata(&mut self) -> Result<serde_json::Value, Stop> {
        let text = self.wire.0.borrow_mut().metadata()?;
        serde_json::from_str(&text).map_err(|error| Stop::Failed(format!("the metadata statement: {error}")))
    }

    /// getInfo.
    pub(crate) fn info(&mut self) -> Result<Info, Stop> {
        Ok(self.client.get_info()?)
    }

    /// Ends the case where the key has no such extension.
    pub(crate) fn needs_extension(&mut self, name: &str, otherwise: &'static str) -> Outcome {
        let has = self.info()?.extensions.iter().any(|extension| extension == name);
        if has {
            Ok(())
        } else {
            Err(Stop::NotApplicable(otherwise))
        }
    }

    /// Ends the case where an option is absent or false.
    pub(crate) fn needs_option(&mut self, name: &str, otherwise: &'static str) -> Outcome {
        match self.info()?.option(name) {
            Some(true) => Ok(()),
            Some(false) | None => Err(Stop::NotApplicable(otherwise)),
        }
    }

    /// A request that the key accepts.
    pub(crate) fn registration(&mut self) -> MakeCredential {
        MakeCredential {
            client_data_hash: self.rng.bytes(),
            rp: RelyingParty {
                id: RP_ID.to_owned(),
                name: Some("Conformance".to_owned()),
            },
            user: Account {
                id: self.rng.bytes::<16>().to_vec(),
                name: Some("ada".to_owned()),
                display_name: Some("Ada Lovelace".to_owned()),
            },
            algorithms: vec![ES256],
            ..MakeCredential::default()
        }
    }

    /// The same, for a credential that the key stores.
    pub(crate) fn resident_registration(&mut self) -> MakeCredential {
        self.registration_of(true)
    }

    /// The same, stored or not. A key that can verify its user stores nothing without that, `CTAP 2.3 §6.1.2 step 7`.
    pub(crate) fn registration_of(&mut self, resident: bool) -> MakeCredential {
        MakeCredential {
            rk: Some(resident),
            uv: (resident && self.configuration.built_in_uv).then_some(true),
            ..self.registration()
        }
    }

    /// Makes a credential.
    pub(crate) fn register(&mut self, request: &MakeCredential) -> Result<Registered, Stop> {
        let attestation = self.client.make_credential(request)?;
        let credential = present(attestation.auth_data.attested.clone(), "attested credential data")?;
        Ok(Registered {
            rp_id: request.rp.id.clone(),
            account: request.user.clone(),
            id: credential.credential_id,
            public_key: credential.public_key,
            attestation,
        })
    }

    /// A request to sign with a credential.
    pub(crate) fn assertion_of(&mut self, credential: &Registered) -> GetAssertion {
        GetAssertion {
            allow_list: vec![credential.id.clone()],
            ..self.assertion_for(&credential.rp_id)
        }
    }

    /// A request to sign with whatever the key stores for a relying party.
    pub(crate) fn assertion_for(&mut self, rp_id: &str) -> GetAssertion {
        GetAssertion {
            rp_id: rp_id.to_owned(),
            client_data_hash: self.rng.bytes(),
            ..GetAssertion::default()
        }
    }

    /// Signs.
    pub(crate) fn assert(&mut self, request: &GetAssertion) -> Result<Assertion, Stop> {
        Ok(self.client.get_assertion(request)?)
    }

    /// The key refuses these parameters with exactly this error.
    pub(crate) fn refuses(&mut self, command: u8, parameters: &Parameters, expected: Status) -> Outcome {
        refused(self.client.call(command, &parameters.to_bytes()), expected)
    }

    /// The key accepts these parameters of authenticatorMakeCredential.
    pub(crate) fn registers(&mut self, parameters: &Parameters) -> Result<Attestation, Stop> {
        Ok(read_attestation(&self.accepts(MAKE_CREDENTIAL, parameters)?)?)
    }

    /// The key accepts these parameters of authenticatorGetAssertion.
    pub(crate) fn asserts(&mut self, parameters: &Parameters) -> Result<Assertion, Stop> {
        Ok(read_assertion(&self.accepts(GET_ASSERTION, parameters)?)?)
    }

    /// The key accepts these parameters.
    pub(crate) fn accepts(&mut self, command: u8, parameters: &Parameters) -> Result<Vec<u8>, Stop> {
        Ok(self.client.call(command, &parameters.to_bytes())?)
    }

    /// Gives the key its first PIN.
    pub(crate) fn set_pin(&mut self, protocol: PinProtocol) -> Outcome {
        Ok(self.client.set_pin(protocol, PIN, &mut self.rng)?)
    }

    /// A token by built-in user verification, where there is that; a key without a PIN wants no other.
    pub(crate) fn uv_token(&mut self, permissions: Permissions) -> Result<Option<PinUvAuthToken>, Stop> {
        if !self.configuration.built_in_uv {
            return Ok(None);
        }
        let grant = Grant {
            permissions,
            rp_id: None,
        };
        Ok(Some(self.client.uv_token_for(
            PinProtocol::Two,
            grant,
            &mut self.rng,
        )?))
    }

    /// A token by PIN, for one relying party or none.
    pub(crate) fn token(
        &mut self,
        protocol: PinProtocol,
        permissions: Permissions,
        rp_id: Option<&str>,
    ) -> Result<PinUvAuthToken, Stop> {
        let grant = Grant { permissions, rp_id };
        Ok(self.client.pin_token_for(protocol, PIN, grant, &mut self.rng)?)
    }
}

fn open(wire: &Wire, rng: &mut Seeded) -> Result<Client, Stop> {
    Ok(FidoClient::new(HidClient::open(wire.clone(), rng.bytes())?))
}

/// SHA-256.
pub(crate) fn sha256(bytes: impl AsRef<[u8]>) -> [u8; 32] {
    Sha256::digest(bytes).into()
}
