use std::sync::Arc;

use super::*;
use crate::cli::Model;
use crate::key;
use crate::state::Folder;
use crate::state::testing::new_folder;
use crate::wake::Mailbox;

/// The number of the connection that the state folder was left to.
const OWNER: u64 = 7;

/// A key that commands speak with.
struct Bench {
    device: Device,
    exchange: Exchange,
    standing: Standing,
    wanted: Option<Wanted>,
}

impl Bench {
    fn new() -> Self {
        let config = key::config(&Model::default());
        Self {
            device: key::device(key::temporary_vault().unwrap(), config).unwrap(),
            exchange: Exchange::new(Mailbox::new().unwrap().1),
            standing: Standing::Here,
            wanted: None,
        }
    }

    fn aside() -> Self {
        let folder = Folder::open(new_folder().path()).unwrap().unwrap();
        Self {
            standing: Standing::Aside {
                claim: Claim::new(OWNER, "pin change", 99),
                folder: Arc::new(folder),
                was_open: true,
            },
            ..Self::new()
        }
    }

    /// What a command on a new connection with this number is answered, if anything yet.
    fn hears(&mut self, connection: u64, lines: &str) -> Result<String, String> {
        let mut commands = Commands::default();
        let mut desk = Desk {
            device: &mut self.device,
            unlocker: None,
            exchange: &mut self.exchange,
            standing: &self.standing,
            connection,
            wanted: None,
        };
        let result = commands.handle_bytes(lines.as_bytes(), &mut desk);
        self.wanted = desk.wanted;
        result.map(|()| String::from_utf8(commands.output().to_vec()).unwrap())
    }
}

const STAND_ASIDE: &str =
    "{\"request\":\"stand-aside\",\"command\":\"device\\u001b approve\",\"process\":12}\n";
const COME_BACK: &str = "{\"request\":\"come-back\",\"vault_pin\":\"tin ra of ol\"}\n";

#[test]
fn a_command_that_wants_the_state_folder_is_answered_when_it_has_it() {
    let mut bench = Bench::new();
    assert_eq!(bench.hears(OWNER, STAND_ASIDE).unwrap(), "");
    let Some(Wanted::StandAside(claim)) = bench.wanted.take() else {
        panic!("nothing is wanted");
    };
    bench.standing = Standing::Claimed(claim);
    let command = "wardkey device\u{FFFD} approve (process 12)";
    assert_eq!(
        bench.standing.command(),
        Some(command),
        "nothing acts on a terminal"
    );
    assert!(!bench.standing.is_aside_for(OWNER), "it does not have it yet");
    let twice = bench.hears(OWNER, &[STAND_ASIDE, STAND_ASIDE].concat());
    assert!(
        twice.is_ok(),
        "both are refused: it is about to be left to somebody"
    );
    bench.standing = Standing::Here;
    let impatient = bench.hears(OWNER, &[STAND_ASIDE, STAND_ASIDE].concat());
    assert!(impatient.unwrap_err().contains("before the answer"));
}

#[test]
fn the_name_of_a_command_is_bounded() {
    let standing = Standing::Claimed(Claim::new(OWNER, &"x".repeat(4000), 12));
    assert!(standing.command().unwrap().len() < 80);
}

#[test]
fn while_a_command_has_the_state_folder_others_hear_which_one() {
    let mut bench = Bench::aside();
    let other = OWNER + 1;
    let refused = "{\"answer\":\"stands-aside-for\",\"command\":\"wardkey pin change (process 99)\"}\n";
    for request in [
        STAND_ASIDE,
        COME_BACK,
        "{\"request\":\"list\",\"after_unix_ms\":0}\n",
        "{\"request\":\"info\"}\n",
        "{\"request\":\"sync\",\"first\":\"now\"}\n",
        "{\"request\":\"unlock\",\"vault_pin\":\"tin ra of ol\"}\n",
    ] {
        assert_eq!(bench.hears(other, request).unwrap(), refused, "{request}");
        assert!(bench.wanted.is_none(), "{request}");
    }
    let status = bench.hears(other, "{\"request\":\"status\"}\n").unwrap();
    assert!(
        status.contains("\"stands_aside_for\":\"wardkey pin change (process 99)\""),
        "{status}"
    );
    bench.hears(other, "{\"request\":\"lock\"}\n").unwrap();
    assert!(matches!(bench.wanted, Some(Wanted::Lock)));
}

#[test]
fn the_command_that_has_the_state_folder_gives_it_back() {
    let mut bench = Bench::aside();
    assert_eq!(bench.hears(OWNER, COME_BACK).unwrap(), "");
    let Some(Wanted::ComeBack(Some(pin))) = bench.wanted else {
        panic!("not with the Vault PIN");
    };
    assert_eq!(*pin.into_secret(), "tin ra of ol");
    let mut here = Bench::new();
    let answer = here.hears(OWNER, COME_BACK).unwrap();
    assert!(answer.contains("the key does not stand aside"), "{answer}");
    assert!(here.wanted.is_none());
}
