//! What is measured.

use std::ops::RangeFrom;

use wardkey_sim::fido_client::{FidoClient, GetAssertion, MakeCredential, MessagePipe, RelyingParty, User};
use wardkey_sim::hid_client::HidClient;
use wardkey_sim::report::ReportPipe;

use crate::failure::Failure;
use crate::samples::Samples;

/// The account that is logged in to.
const RP_ID: &str = "bench.example";

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Ping(usize),
    GetInfo,
    AssertAllowed,
    AssertDiscovered,
    MakeNonResident,
    MakeResident,
}

impl Operation {
    /// All, in the order in which they change an authenticator least.
    pub(crate) const ALL: [Self; 8] = [
        Self::Ping(1),
        Self::Ping(1024),
        Self::Ping(7609),
        Self::GetInfo,
        Self::AssertAllowed,
        Self::AssertDiscovered,
        Self::MakeNonResident,
        Self::MakeResident,
    ];
    /// What an echo can do.
    pub(crate) const PINGS: [Self; 3] = [Self::Ping(1), Self::Ping(1024), Self::Ping(7609)];
    /// What may depend on how many credentials there are.
    pub(crate) const ON_CREDENTIALS: [Self; 4] = [
        Self::AssertAllowed,
        Self::AssertDiscovered,
        Self::MakeNonResident,
        Self::MakeResident,
    ];

    /// Its name in the table.
    pub(crate) fn name(self) -> String {
        match self {
            Self::Ping(length) => format!("PING {length} B"),
            Self::GetInfo => "getInfo".to_owned(),
            Self::AssertAllowed => "getAssertion, allowList".to_owned(),
            Self::AssertDiscovered => "getAssertion, discoverable".to_owned(),
            Self::MakeNonResident => "makeCredential".to_owned(),
            Self::MakeResident => "makeCredential, resident".to_owned(),
        }
    }

    /// How often it is measured.
    pub(crate) fn samples(self, quick: bool) -> usize {
        let full = match self {
            Self::Ping(1) => 4000,
            Self::Ping(_) => 500,
            Self::GetInfo => 2000,
            Self::AssertAllowed | Self::AssertDiscovered => 1000,
            Self::MakeNonResident | Self::MakeResident => 500,
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

/// Times a CTAP2 command, with everything that a client does for it: encode, send, wait, decode. Registrations are for
/// the accounts that `users` numbers.
pub(crate) fn command<M: MessagePipe>(
    client: &mut FidoClient<M>,
    operation: Operation,
    count: usize,
    users: &mut RangeFrom<u32>,
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
            let request = assertion(vec![make(client, RP_ID, 0, false)?]);
            Samples::take(count, || Ok(client.get_assertion(&request).map(drop)?))
        }
        Operation::AssertDiscovered => {
            let request = assertion(Vec::new());
            Samples::take(count, || Ok(client.get_assertion(&request).map(drop)?))
        }
        Operation::MakeNonResident => Samples::take(count, || register(client, false)),
        Operation::MakeResident => Samples::take(count, || register(client, true)),
    }
}

/// Stores `count` credentials: one for the account that is logged in to, the others of as many relying parties.
pub(crate) fn seed<M: MessagePipe>(client: &mut FidoClient<M>, count: u32) -> Result<(), Failure> {
    for other in 1..count {
        make(client, &format!("site-{other}.example"), other, true)?;
    }
    make(client, RP_ID, 0, true).map(drop)
}

fn make<M: MessagePipe>(
    client: &mut FidoClient<M>,
    rp_id: &str,
    user: u32,
    resident: bool,
) -> Result<Vec<u8>, Failure> {
    let request = MakeCredential {
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
    };
    let credential = client.make_credential(&request)?.auth_data.attested;
    let missing = || {
        Failure::new(
            "a registration without a credential",
            "see what the authenticator answers",
        )
    };
    Ok(credential.ok_or_else(missing)?.credential_id)
}

fn assertion(allow_list: Vec<Vec<u8>>) -> GetAssertion {
    GetAssertion {
        rp_id: RP_ID.to_owned(),
        client_data_hash: [0x22; 32],
        allow_list,
        ..GetAssertion::default()
    }
}
