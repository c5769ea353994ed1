//! What is measured.

use std::cell::Cell;

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
    /// What any echo can do. The long one last: not every peer survives it.
    pub(crate) const PINGS: [Self; 3] = [Self::Ping(1), Self::Ping(1024), Self::Ping(7609)];
    /// What needs an authenticator, in the order in which they change it least.
    pub(crate) const COMMANDS: [Self; 4] = [
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

/// Times a CTAP2 command, with everything that a client does for it: encode, send, wait, decode.
pub(crate) fn command<M: MessagePipe>(
    client: &mut FidoClient<M>,
    operation: Operation,
    count: usize,
) -> Result<Samples, Failure> {
    let user = Cell::new(1_u32);
    let next_user = || user.replace(user.get() + 1);
    match operation {
        Operation::Ping(_) => Err(Failure::new("PING is no CTAP2 command", "report this")),
        Operation::GetInfo => Samples::take(count, || Ok(client.get_info().map(drop)?)),
        Operation::AssertAllowed => {
            let credential = make(client, RP_ID, 0, false)?;
            let request = assertion(vec![credential]);
            Samples::take(count, || Ok(client.get_assertion(&request).map(drop)?))
        }
        Operation::AssertDiscovered => {
            let request = assertion(Vec::new());
            Samples::take(count, || Ok(client.get_assertion(&request).map(drop)?))
        }
        Operation::MakeNonResident => Samples::take(count, || {
            make(client, "new.example", next_user(), false).map(drop)
        }),
        Operation::MakeResident => {
            Samples::take(count, || make(client, "new.example", next_user(), true).map(drop))
        }
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
