//! Stores of each kind against what is promised of a store, with real servers behind them.

mod contract;
mod cut;
mod hostile;
mod servers_needed;

#[path = "../../tests/servers/mod.rs"]
mod servers;

use std::fs;
use std::path::Path;
use std::time::Duration;

use zeroize::Zeroizing;

use self::servers::s3;
use super::account::{Account, Secrets};
use super::address::Address;
use super::limits::Patience;
use super::probe::Capabilities;
use super::request::{Answer, Created, Listed, Polled, Request};
use super::trouble::{Kind, Trouble};
use super::waiting::WaitingStore;

/// For servers that are on this computer.
const PATIENCE: Patience = Patience {
    connecting: Duration::from_secs(5),
    silence: Duration::from_secs(20),
    whole: Duration::from_secs(60),
};

/// For servers that do not answer.
const IMPATIENCE: Patience = Patience {
    connecting: Duration::from_secs(5),
    silence: Duration::from_millis(300),
    whole: Duration::from_secs(2),
};

fn account(url: &str, user: &str, password: &str) -> Account {
    let secret = |text: &str| Zeroizing::new(text.to_owned());
    Account::new(
        Address::parse(url).unwrap(),
        Some(Secrets::new(secret(user), secret(password))),
    )
}

fn folder(path: &Path) -> Account {
    Account::new(Address::Folder(path.to_owned()), None)
}

fn bucket(url: &str) -> Account {
    account(url, s3::ACCESS_KEY, s3::SECRET_KEY)
}

fn open(account: &Account) -> WaitingStore {
    open_with(account, PATIENCE)
}

fn open_with(account: &Account, patience: Patience) -> WaitingStore {
    WaitingStore::open(account, Capabilities::HOPED_FOR, patience).unwrap()
}

fn kind<T>(result: Result<T, Trouble>) -> Option<Kind> {
    result.err().map(|trouble| trouble.kind())
}

fn names(listed: &[Listed]) -> Vec<&str> {
    listed.iter().map(|listed| listed.name.as_str()).collect()
}

/// The files below a folder, dot files too.
fn files_below(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_below(&path));
        } else {
            found.push(path.file_name().unwrap().to_str().unwrap().to_owned());
        }
    }
    found
}

#[test]
fn an_account_that_was_kept_is_the_same() {
    let with_session = {
        let secret = |text: &str| Zeroizing::new(text.to_owned());
        let mut secrets = Secrets::new(secret("id"), secret("key"));
        secrets.set_session(secret("token"));
        Account::new(
            Address::parse("s3://keys?region=eu-west-1").unwrap(),
            Some(secrets),
        )
    };
    for account in [
        folder(Path::new("/mnt/share")),
        account("webdavs://host/keys", "ann", ""),
        with_session,
    ] {
        let bytes = account.to_bytes();
        let again = Account::from_bytes(&bytes).unwrap();
        assert_eq!(*again.to_bytes(), *bytes);
        assert_eq!(again.address(), account.address());
        for len in 0..bytes.len() {
            assert!(Account::from_bytes(&bytes[..len]).is_none(), "{len}");
        }
        assert!(Account::from_bytes(&[&bytes[..], &[0]].concat()).is_none());
    }
    let newer = [&[2], &folder(Path::new("/a")).to_bytes()[1..]].concat();
    assert!(Account::from_bytes(&newer).is_none());
}
