//! The story as a program reads it.

use serde_json::{Value, json};

use super::*;
use crate::demo::temporary::TemporaryFolder;

fn played() -> Value {
    let folder = TemporaryFolder::new().unwrap();
    let mut narrator = Narrator::new(true);
    play(folder.path(), &Identity::default(), &mut narrator).unwrap();
    narrator.story(true)
}

#[test]
fn a_passkey_is_registered_at_one_computer_and_logs_in_at_another() {
    let story = played();
    let steps = story["steps"].as_array().unwrap();
    let names: Vec<&str> = steps.iter().map(|step| step["step"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        [
            "powered-up",
            "enumerated",
            "identified",
            "registered",
            "shared",
            "logged-in",
            "tampered"
        ]
    );
    assert!(
        steps
            .iter()
            .all(|step| step["milliseconds"].as_f64().unwrap() >= 0.0)
    );

    let [_, enumerated, identified, registered, _, logged_in, tampered] = steps.as_slice() else {
        panic!("{story}")
    };
    let Identity {
        vendor_id,
        product_id,
        product,
        ..
    } = Identity::default();
    assert_eq!(
        enumerated["data"]["usbId"],
        format!("{vendor_id:04x}:{product_id:04x}")
    );
    assert_eq!(enumerated["data"]["product"], product);
    assert_eq!(registered["data"]["aaguid"], identified["data"]["aaguid"]);
    assert_eq!(registered["data"]["attestation"], "packed");
    assert_eq!(registered["asked"], "Register at localhost as ada?");
    assert_eq!(logged_in["asked"], "Sign in to localhost as ada?");
    assert_eq!(
        logged_in["data"]["credentialId"],
        registered["data"]["credentialId"]
    );
    assert_eq!(logged_in["data"]["withoutName"], true);
    for step in [registered, logged_in] {
        assert_eq!(
            (&step["data"]["flags"]["UP"], &step["data"]["flags"]["UV"]),
            (&json!(true), &json!(false))
        );
    }
    assert_eq!(tampered["data"]["refused"], "bad-signature");
}

#[test]
fn both_algorithms_work_stored_on_the_key_or_not() {
    let folder = TemporaryFolder::new().unwrap();
    let mut key = Key::make(&Folders::below(folder.path()).computer("desk", &folder.path().join("desk")))
        .unwrap()
        .plug_in(Identity::default())
        .unwrap()
        .open()
        .unwrap();
    let mut website = RelyingParty::new(Url::parse(ORIGIN).unwrap());
    for algorithm in [Algorithm::Es256, Algorithm::Eddsa] {
        for resident_key in [ResidentKey::Required, ResidentKey::Discouraged] {
            let name = format!("{algorithm:?} {resident_key:?}");
            let wish = RegistrationWish {
                name: name.clone(),
                resident_key,
                algorithm,
                user_verification: discouraged(),
            };
            let (id, options) = website.start_registration(wish.clone()).unwrap();
            let answer = browser::register(&mut key.client, ORIGIN, &options).unwrap();
            website.finish_registration(&id, &answer).unwrap();

            let wish = LoginWish {
                name: Some(name.clone()),
                ..nobody()
            };
            let (id, options) = website.start_login(wish).unwrap();
            let answer = browser::log_in(&mut key.client, ORIGIN, &options).unwrap();
            assert_eq!(website.finish_login(&id, &answer).unwrap().name, name);
        }
    }
    key.unplug().unwrap();
}

#[test]
fn a_key_that_is_registered_already_says_so() {
    let folder = TemporaryFolder::new().unwrap();
    let mut key = Key::make(&Folders::below(folder.path()).computer("desk", &folder.path().join("desk")))
        .unwrap()
        .plug_in(Identity::default())
        .unwrap()
        .open()
        .unwrap();
    let mut website = RelyingParty::new(Url::parse(ORIGIN).unwrap());
    let mut narrator = Narrator::new(true);
    register(&mut website, &mut key, &mut narrator).unwrap();
    let failure = register(&mut website, &mut key, &mut narrator).unwrap_err();
    assert!(
        failure.to_string().contains("the registration at the key"),
        "{failure}"
    );
    assert_eq!(key.asked().unwrap().purpose, Purpose::AlreadyRegistered);
    key.unplug().unwrap();
}
