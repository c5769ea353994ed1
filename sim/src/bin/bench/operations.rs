//! What is measured.

use std::ops::RangeFrom;

use ciborium::Value;
use sha2::{Digest, Sha256};
use wardkey_sim::fido_client::{
    ClientPin, Error, FidoClient, GetAssertion, Grant, MakeCredential, MessagePipe, Permissions, PinProtocol,
    RelyingParty, Status, User, hmac_secret_input,
};
use wardkey_sim::hid_client::HidClient;
use wardkey_sim::report::ReportPipe;
use wardkey_sim::scenario::SeededRng;

use crate::failure::Failure;
use crate::samples::Samples;

/// The account that is logged in to.
const RP_ID: &str = "bench.example";
/// The relying party whose accounts are listed.
const LISTED_RP_ID: &str = "list.example";
/// How many accounts those are, where many credentials are stored.
pub(crate) const LISTED: u32 = 1000;
/// The PIN, once one is set.
const PIN: &[u8] = b"719350";
/// What clients make up here hides nothing from anybody.
const SEED: u64 = 0x5EED;

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Ping(usize),
    GetInfo,
    AssertAllowed,
    AssertDiscovered,
    AssertHmacSecret,
    MakeNonResident,
    MakeResident,
    Token(PinProtocol),
    List,
}

impl Operation {
    /// All, in the order in which they change an authenticator least. Behind the tokens there is a PIN.
    pub(crate) const ALL: [Self; 12] = [
        Self::Ping(1),
        Self::Ping(1024),
        Self::Ping(7609),
        Self::GetInfo,
        Self::AssertAllowed,
        Self::AssertDiscovered,
        Self::AssertHmacSecret,
        Self::MakeNonResident,
        Self::MakeResident,
        Self::Token(PinProtocol::One),
        Self::Token(PinProtocol::Two),
        Self::List,
    ];
    /// What an echo can do.
    pub(crate) const PINGS: [Self; 3] = [Self::Ping(1), Self::Ping(1024), Self::Ping(7609)];
    /// What an authenticator with one credential can do.
    pub(crate) const ON_ONE: [Self; 11] = [
        Self::Ping(1),
        Self::Ping(1024),
        Self::Ping(7609),
        Self::GetInfo,
        Self::AssertAllowed,
        Self::AssertDiscovered,
        Self::AssertHmacSecret,
        Self::MakeNonResident,
        Self::MakeResident,
        Self::Token(PinProtocol::One),
        Self::Token(PinProtocol::Two),
    ];
    /// What may depend on how many credentials there are.
    pub(crate) const ON_MANY: [Self; 8] = [
        Self::AssertAllowed,
        Self::AssertDiscovered,
        Self::AssertHmacSecret,
        Self::MakeNonResident,
        Self::MakeResident,
        Self::Token(PinProtocol::One),
        Self::Token(PinProtocol::Two),
        Self::List,
    ];

    /// Its name in the table.
    pub(crate) fn name(self) -> String {
        match self {
            Self::Ping(length) => format!("PING {length} B"),
            Self::GetInfo => "getInfo".to_owned(),
            Self::AssertAllowed => "getAssertion, allowList".to_owned(),
            Self::AssertDiscovered => "getAssertion, discoverable".to_owned(),
            Self::AssertHmacSecret => "getAssertion, hmac-secret".to_owned(),
            Self::MakeNonResident => "makeCredential".to_owned(),
            Self::MakeResident => "makeCredential, resident".to_owned(),
            Self::Token(protocol) => format!("clientPIN 0x09, protocol {}", protocol.number()),
            Self::List => format!("credentialManagement, {LISTED} credentials"),
        }
    }

    /// How often it is measured.
    pub(crate) fn samples(self, quick: bool) -> usize {
        let full = match self {
            Self::Ping(1) => 4000,
            Self::Ping(_) => 500,
            Self::GetInfo => 2000,
            Self::AssertAllowed | Self::AssertDiscovered | Self::AssertHmacSecret => 1000,
            Self::MakeNonResident | Self::MakeResident | Self::Token(_) => 500,
            Self::List => 50,
        };
        if quick { full / 10 } else { full }
    }
}

/// Times PING.
pub(crate) fn ping<P: ReportPipe>(
    client: &mut HidClient<P>,
    length: usize,
    count: usize,
) -> Result<Samples, Failure> {
    let payload: Vec<u8> = (0..=255).cycle().take(length).collect();
    Samples::take(count, || Ok(client.ping(&payload)?))
}

/// Times a CTAP2 command, with everything that a client does for it: encode, send, wait, decode. Key agreement is done
/// before. Registrations are for the accounts that `users` numbers; `stored` credentials were seeded.
pub(crate) fn command<M: MessagePipe>(
    client: &mut FidoClient<M>,
    operation: Operation,
    count: usize,
    users: &mut RangeFrom<u32>,
    stored: u32,
) -> Result<Samples, Failure> {
    let mut register = |client: &mut FidoClient<M>, resident| {
        let user = users
            .next()
            .expect("accounts are not numbered to the end of 32 bits");
        make(client, "new.example", user, resident).map(drop)
    };
    match operation {
        Operation::Ping(_) => Err(Failure::new("PING is no CTAP2 command", "report this")),
        Operation::GetInfo => Samples::take(count, || Ok(client.get_info().map(drop)?)),
        Operation::AssertAllowed => {
            let request = assertion(RP_ID, vec![make(client, RP_ID, 0, false)?]);
            Samples::take(count, || Ok(client.get_assertion(&request).map(drop)?))
        }
        Operation::AssertDiscovered => {
            let mut sites = sites(stored);
            Samples::take(count, || {
                let request = assertion(&sites.next().unwrap_or_default(), Vec::new());
                Ok(client.get_assertion(&request).map(drop)?)
            })
        }
        Operation::AssertHmacSecret => assert_hmac_secret(client, count),
        Operation::MakeNonResident => Samples::take(count, || register(client, false)),
        Operation::MakeResident => Samples::take(count, || register(client, true)),
        Operation::Token(protocol) => token(client, protocol, count),
        Operation::List => list(client, count),
    }
}

/// Where somebody logs in: all over the place, so that what is measured was not just used.
fn sites(stored: u32) -> impl Iterator<Item = String> {
    let others = u64::from(stored.saturating_sub(LISTED));
    (1_u64..).map(move |number| match (number * 0x9E37_79B1).checked_rem(others) {
        Some(other @ 1..) => site(other),
        Some(0) | None => RP_ID.to_owned(),
    })
}

fn site(number: u64) -> String {
    format!("site-{number}.example")
}

fn assert_hmac_secret<M: MessagePipe>(client: &mut FidoClient<M>, count: usize) -> Result<Samples, Failure> {
    let mut rng = SeededRng::new(SEED);
    let request = registration(RP_ID, 0, false).with_extensions([("hmac-secret", Value::from(true))]);
    let id = credential_id(client, &request)?;
    let secret = client.share_secret(PinProtocol::Two, &mut rng)?;
    let input = hmac_secret_input(&secret, &[0x5A; 32], &mut rng);
    let request = assertion(RP_ID, vec![id]).with_extensions([("hmac-secret", input)]);
    Samples::take(count, || Ok(client.get_assertion(&request).map(drop)?))
}

fn token<M: MessagePipe>(
    client: &mut FidoClient<M>,
    protocol: PinProtocol,
    count: usize,
) -> Result<Samples, Failure> {
    let mut rng = SeededRng::new(SEED);
    set_pin(client, &mut rng)?;
    let secret = client.share_secret(protocol, &mut rng)?;
    let grant = Grant {
        permissions: Permissions::MAKE_CREDENTIAL.and(Permissions::GET_ASSERTION),
        rp_id: None,
    };
    let request = ClientPin::get_token_using_pin(&secret, PIN, grant, &mut rng);
    Samples::take(count, || Ok(client.client_pin(&request).map(drop)?))
}

/// Sets the PIN, unless there is one.
fn set_pin<M: MessagePipe>(client: &mut FidoClient<M>, rng: &mut SeededRng) -> Result<(), Failure> {
    match client.set_pin(PinProtocol::Two, PIN, rng) {
        Ok(()) | Err(Error::Status(Status::PIN_AUTH_INVALID)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// One sample is the whole list.
fn list<M: MessagePipe>(client: &mut FidoClient<M>, count: usize) -> Result<Samples, Failure> {
    let mut rng = SeededRng::new(SEED);
    set_pin(client, &mut rng)?;
    let grant = Grant {
        permissions: Permissions::CREDENTIAL_MANAGEMENT,
        rp_id: None,
    };
    let token = client.pin_token_for(PinProtocol::Two, PIN, grant, &mut rng)?;
    let rp_id_hash = Sha256::digest(LISTED_RP_ID).into();
    Samples::take(count, || {
        let first = client.enumerate_credentials_begin(&token, rp_id_hash)?;
        for _ in 1..first.total.unwrap_or(1) {
            client.enumerate_credentials_next()?;
        }
        Ok(())
    })
}

/// Logs in to the account that [`seed`] has made.
pub(crate) fn log_in<M: MessagePipe>(client: &mut FidoClient<M>) -> Result<(), Failure> {
    Ok(client.get_assertion(&assertion(RP_ID, Vec::new())).map(drop)?)
}

/// Stores `count` credentials: one for the account that is logged in to; where they are many, [`LISTED`] of one relying
/// party; and the others of as many relying parties.
pub(crate) fn seed<M: MessagePipe>(client: &mut FidoClient<M>, count: u32) -> Result<(), Failure> {
    let listed = if count > LISTED { LISTED } else { 0 };
    for account in 0..listed {
        make(client, LISTED_RP_ID, account, true)?;
    }
    for other in 1..count - listed {
        make(client, &site(other.into()), other, true)?;
    }
    make(client, RP_ID, 0, true).map(drop)
}

/// Registers at the site with this number, and gives the credential's id.
pub(crate) fn register<M: MessagePipe>(client: &mut FidoClient<M>, number: u32) -> Result<Vec<u8>, Failure> {
    make(client, &site(number.into()), number, true)
}

/// Whether the key logs in at the site with this number with the credential that was registered there.
pub(crate) fn logs_in<M: MessagePipe>(
    client: &mut FidoClient<M>,
    number: u32,
    id: &[u8],
) -> Result<bool, Failure> {
    match client.get_assertion(&assertion(&site(number.into()), vec![id.to_vec()])) {
        Ok(_) => Ok(true),
        Err(Error::Status(Status::NO_CREDENTIALS)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn make<M: MessagePipe>(
    client: &mut FidoClient<M>,
    rp_id: &str,
    user: u32,
    resident: bool,
) -> Result<Vec<u8>, Failure> {
    credential_id(client, &registration(rp_id, user, resident))
}

fn registration(rp_id: &str, user: u32, resident: bool) -> MakeCredential {
    MakeCredential {
        client_data_hash: [0x11; 32],
        rp: RelyingParty {
            id: rp_id.to_owned(),
            name: Some("Bench".to_owned()),
        },
        user: User {
            id: user.to_be_bytes().to_vec(),
            name: Some(format!("user-{user}@example.com")),
            display_name: Some("A User".to_owned()),
        },
        algorithms: vec![-7],
        rk: resident.then_some(true),
        ..MakeCredential::default()
    }
}

fn credential_id<M: MessagePipe>(
    client: &mut FidoClient<M>,
    request: &MakeCredential,
) -> Result<Vec<u8>, Failure> {
    let credential = client.make_credential(request)?.auth_data.attested;
    let missing = || {
        Failure::new(
            "a registration without a credential",
            "see what the authenticator answers",
        )
    };
    Ok(credential.ok_or_else(missing)?.credential_id)
}

fn assertion(rp_id: &str, allow_list: Vec<Vec<u8>>) -> GetAssertion {
    GetAssertion {
        rp_id: rp_id.to_owned(),
        client_data_hash: [0x22; 32],
        allow_list,
        ..GetAssertion::default()
    }
}
