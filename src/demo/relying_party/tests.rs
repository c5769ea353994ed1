//! The relying party against a software signer: each algorithm, each refusal.

use url::Url;
use webauthn_rs_core::proto::{PublicKeyCredential, RegisterPublicKeyCredential, UserVerificationPolicy};

use super::facts::FlagNames;
use super::software_signer::{AAGUID, BE, BS, SoftwareSigner, UP, UV};
use super::{
    ACCOUNTS_MAX, Algorithm, CEREMONIES_MAX, CREDENTIALS_PER_ACCOUNT_MAX, LoggedIn, LoginWish, Refused,
    Registered, RegistrationWish, RelyingParty, ResidentKey, base64url, discouraged,
};

const ORIGIN: &str = "http://localhost:8000";
const BOTH: [Algorithm; 2] = [Algorithm::Es256, Algorithm::Eddsa];

fn relying_party() -> RelyingParty {
    RelyingParty::new(Url::parse(ORIGIN).unwrap())
}

fn wish(algorithm: Algorithm) -> RegistrationWish {
    RegistrationWish {
        name: "ada".to_owned(),
        resident_key: ResidentKey::Required,
        algorithm,
        user_verification: discouraged(),
    }
}

fn ada() -> LoginWish {
    LoginWish {
        name: Some("ada".to_owned()),
        user_verification: discouraged(),
    }
}

fn nobody() -> LoginWish {
    LoginWish {
        name: None,
        user_verification: discouraged(),
    }
}

fn register(
    rp: &mut RelyingParty,
    key: &mut SoftwareSigner,
    wish: RegistrationWish,
) -> Result<Registered, Refused> {
    let (id, options) = rp.start_registration(wish)?;
    let answer = key.register(&options);
    rp.finish_registration(&id, &answer)
}

fn login(rp: &mut RelyingParty, key: &mut SoftwareSigner, wish: LoginWish) -> Result<LoggedIn, Refused> {
    let (id, options) = rp.start_login(wish)?;
    let answer = key.login(&options);
    rp.finish_login(&id, &answer)
}

/// A relying party at which a good key is registered for ada.
fn registered(algorithm: Algorithm) -> (RelyingParty, SoftwareSigner) {
    let mut rp = relying_party();
    let mut key = SoftwareSigner::new(algorithm, ORIGIN);
    register(&mut rp, &mut key, wish(algorithm)).unwrap();
    (rp, key)
}

/// What a registration with a key changed by `spoil` is refused for; the same for both algorithms.
#[track_caller]
fn registration_is_refused(because: &Refused, spoil: impl Fn(&mut SoftwareSigner)) {
    for algorithm in BOTH {
        let mut rp = relying_party();
        let mut key = SoftwareSigner::new(algorithm, ORIGIN);
        spoil(&mut key);
        assert_eq!(
            register(&mut rp, &mut key, wish(algorithm)).unwrap_err(),
            *because,
            "{algorithm:?}"
        );
        assert!(rp.accounts.is_empty(), "{algorithm:?}");
    }
}

#[track_caller]
fn login_is_refused(because: &Refused, spoil: impl Fn(&mut SoftwareSigner)) {
    for algorithm in BOTH {
        let (mut rp, mut key) = registered(algorithm);
        spoil(&mut key);
        assert_eq!(
            login(&mut rp, &mut key, ada()).unwrap_err(),
            *because,
            "{algorithm:?}"
        );
    }
}

#[test]
fn a_key_registers_and_logs_in_with_and_without_a_name() {
    for algorithm in BOTH {
        let mut rp = relying_party();
        let mut key = SoftwareSigner::new(algorithm, ORIGIN);
        key.flags = UP | UV | BE | BS;

        let facts = register(&mut rp, &mut key, wish(algorithm)).unwrap();
        assert_eq!(facts.name, "ada");
        assert_eq!(facts.credential_id, base64url(&key.credential_id));
        assert_eq!(facts.algorithm, algorithm);
        assert_eq!(facts.attestation, "packed");
        assert_eq!(
            facts.aaguid.replace('-', ""),
            AAGUID.map(|byte| format!("{byte:02x}")).concat()
        );
        assert_eq!(
            facts.flags,
            FlagNames {
                up: true,
                uv: true,
                be: true,
                bs: true
            }
        );
        assert_eq!(facts.discoverable, Some(true));

        let facts = login(&mut rp, &mut key, ada()).unwrap();
        assert_eq!((facts.name.as_str(), facts.without_name), ("ada", false));
        let facts = login(&mut rp, &mut key, nobody()).unwrap();
        assert_eq!((facts.name.as_str(), facts.without_name), ("ada", true));
    }
}

#[test]
fn no_attestation_is_accepted() {
    for algorithm in BOTH {
        let mut rp = relying_party();
        let mut key = SoftwareSigner::new(algorithm, ORIGIN);
        key.format = "none";
        assert_eq!(
            register(&mut rp, &mut key, wish(algorithm)).unwrap().attestation,
            "none"
        );
        login(&mut rp, &mut key, ada()).unwrap();
    }
}

#[test]
fn the_options_ask_for_what_was_wished() {
    let mut rp = relying_party();
    let (_, options) = rp.start_registration(wish(Algorithm::Eddsa)).unwrap();
    let json = serde_json::to_value(&options).unwrap();
    let options = &json["publicKey"];
    assert_eq!(options["rp"]["id"], "localhost");
    assert_eq!(
        options["pubKeyCredParams"],
        serde_json::json!([{ "type": "public-key", "alg": -8 }])
    );
    let selection = &options["authenticatorSelection"];
    assert_eq!(selection["residentKey"], "required");
    assert_eq!(selection["requireResidentKey"], true);
    assert_eq!(selection["userVerification"], "discouraged");
    assert_eq!(selection["authenticatorAttachment"], "cross-platform");
    assert_eq!(options["extensions"]["credProps"], true);
    assert_eq!(
        options["extensions"]["credentialProtectionPolicy"],
        "userVerificationOptional"
    );

    let discouraged = RegistrationWish {
        resident_key: ResidentKey::Discouraged,
        ..wish(Algorithm::Es256)
    };
    let (_, options) = rp.start_registration(discouraged).unwrap();
    let json = serde_json::to_value(&options).unwrap();
    assert_eq!(
        json["publicKey"]["authenticatorSelection"]["residentKey"],
        "discouraged"
    );
    assert_eq!(json["publicKey"]["pubKeyCredParams"][0]["alg"], -7);
    assert!(
        json["publicKey"]["extensions"]
            .get("credentialProtectionPolicy")
            .is_none()
    );
}

#[test]
fn known_credentials_are_excluded_from_registration_and_allowed_for_login() {
    for algorithm in BOTH {
        let (mut rp, key) = registered(algorithm);
        let (_, options) = rp.start_registration(wish(algorithm)).unwrap();
        assert_eq!(
            options.public_key.exclude_credentials.unwrap()[0].id,
            key.credential_id
        );
        let (_, options) = rp.start_login(ada()).unwrap();
        assert_eq!(options.public_key.allow_credentials[0].id, key.credential_id);
        let (_, options) = rp.start_login(nobody()).unwrap();
        assert!(options.public_key.allow_credentials.is_empty());
    }
}

#[test]
fn a_wrong_challenge_is_refused() {
    registration_is_refused(&Refused::WrongChallenge, |key| {
        key.other_challenge = Some(vec![1; 32])
    });
    login_is_refused(&Refused::WrongChallenge, |key| {
        key.other_challenge = Some(vec![1; 32])
    });
}

#[test]
fn a_wrong_origin_is_refused() {
    for origin in [
        "http://localhost:8001",
        "https://localhost:8000",
        "http://evil.example",
        "http://x.localhost:8000",
    ] {
        registration_is_refused(&Refused::WrongOrigin, |key| key.origin = origin.to_owned());
        login_is_refused(&Refused::WrongOrigin, |key| key.origin = origin.to_owned());
    }
}

#[test]
fn a_wrong_relying_party_is_refused() {
    registration_is_refused(&Refused::WrongRelyingParty, |key| {
        key.rp_id = "evil.example".to_owned()
    });
    login_is_refused(&Refused::WrongRelyingParty, |key| {
        key.rp_id = "evil.example".to_owned()
    });
}

#[test]
fn a_registration_answer_is_no_login_answer_and_the_other_way_round() {
    registration_is_refused(&Refused::WrongType, |key| key.other_type = Some("webauthn.get"));
    login_is_refused(&Refused::WrongType, |key| {
        key.other_type = Some("webauthn.create")
    });
}

#[test]
fn an_answer_from_a_frame_of_another_site_is_refused() {
    registration_is_refused(&Refused::CrossOrigin, |key| key.cross_origin = true);
}

#[test]
fn an_absent_user_is_refused() {
    registration_is_refused(&Refused::UserNotPresent, |key| key.flags = 0);
    login_is_refused(&Refused::UserNotPresent, |key| key.flags = 0);
}

#[test]
fn required_user_verification_is_enforced() {
    for algorithm in BOTH {
        let mut rp = relying_party();
        let mut key = SoftwareSigner::new(algorithm, ORIGIN);
        let required = UserVerificationPolicy::Required;
        let wish = RegistrationWish {
            user_verification: required,
            ..wish(algorithm)
        };
        assert_eq!(
            register(&mut rp, &mut key, wish.clone()).unwrap_err(),
            Refused::UserNotVerified
        );
        key.flags = UP | UV;
        register(&mut rp, &mut key, wish).unwrap();
        key.flags = UP;
        let wish = LoginWish {
            user_verification: required,
            ..ada()
        };
        assert_eq!(
            login(&mut rp, &mut key, wish).unwrap_err(),
            Refused::UserNotVerified
        );
    }
}

#[test]
fn contradicting_backup_flags_are_refused() {
    registration_is_refused(&Refused::BackupFlags, |key| key.flags = UP | BS);
    login_is_refused(&Refused::BackupFlags, |key| key.flags = UP | BE);
    login_is_refused(&Refused::BackupFlags, |key| key.flags = UP | BS);
}

#[test]
fn a_changed_attestation_signature_is_refused() {
    for algorithm in BOTH {
        let mut rp = relying_party();
        let mut key = SoftwareSigner::new(algorithm, ORIGIN);
        let (id, options) = rp.start_registration(wish(algorithm)).unwrap();
        let mut answer = key.register(&options);
        // The signed client data differs by one space from what the signature covers.
        answer.response.client_data_json.push(b' ');
        assert_eq!(
            rp.finish_registration(&id, &answer).unwrap_err(),
            Refused::BadAttestation,
            "{algorithm:?}"
        );
    }
}

#[test]
fn a_login_signature_with_a_changed_byte_or_none_is_refused() {
    type Spoil = fn(&mut Vec<u8>);
    let spoilt: [Spoil; 5] = [
        |signature| signature[0] ^= 1,
        |signature| signature[40] ^= 1,
        |signature| *signature.last_mut().unwrap() ^= 1,
        |signature| signature.push(0),
        Vec::clear,
    ];
    for algorithm in BOTH {
        let (mut rp, mut key) = registered(algorithm);
        for spoil in spoilt {
            let (id, options) = rp.start_login(ada()).unwrap();
            let mut answer = key.login(&options);
            spoil(&mut answer.response.signature);
            assert_eq!(
                rp.finish_login(&id, &answer).unwrap_err(),
                Refused::BadSignature,
                "{algorithm:?}"
            );
        }
    }
}

#[test]
fn an_algorithm_that_was_not_offered_is_refused() {
    let mut rp = relying_party();
    let mut key = SoftwareSigner::new(Algorithm::Eddsa, ORIGIN);
    let refused = register(&mut rp, &mut key, wish(Algorithm::Es256)).unwrap_err();
    assert_eq!(refused, Refused::AlgorithmNotOffered);
    let mut key = SoftwareSigner::new(Algorithm::Es256, ORIGIN);
    let refused = register(&mut rp, &mut key, wish(Algorithm::Eddsa)).unwrap_err();
    assert_eq!(refused, Refused::AlgorithmNotOffered);
}

#[test]
fn a_counter_must_grow_once_it_counts() {
    for algorithm in BOTH {
        let (mut rp, mut key) = registered(algorithm);
        key.counter = 5;
        assert_eq!(login(&mut rp, &mut key, ada()).unwrap().counter, 5);
        assert_eq!(
            login(&mut rp, &mut key, ada()).unwrap_err(),
            Refused::CounterNotHigher
        );
        key.counter = 0;
        assert_eq!(
            login(&mut rp, &mut key, ada()).unwrap_err(),
            Refused::CounterNotHigher
        );
        key.counter = 6;
        login(&mut rp, &mut key, ada()).unwrap();
    }
}

#[test]
fn an_answer_is_looked_at_once() {
    for algorithm in BOTH {
        let mut rp = relying_party();
        let mut key = SoftwareSigner::new(algorithm, ORIGIN);
        let (id, options) = rp.start_registration(wish(algorithm)).unwrap();
        let answer: RegisterPublicKeyCredential = key.register(&options);
        rp.finish_registration(&id, &answer).unwrap();
        assert_eq!(
            rp.finish_registration(&id, &answer).unwrap_err(),
            Refused::UnknownCeremony
        );

        let (id, options) = rp.start_login(ada()).unwrap();
        let answer: PublicKeyCredential = key.login(&options);
        rp.finish_login(&id, &answer).unwrap();
        assert_eq!(
            rp.finish_login(&id, &answer).unwrap_err(),
            Refused::UnknownCeremony
        );
        // The same answer to a new challenge.
        let (id, _) = rp.start_login(ada()).unwrap();
        assert_eq!(
            rp.finish_login(&id, &answer).unwrap_err(),
            Refused::WrongChallenge
        );
    }
}

#[test]
fn a_registration_cannot_be_finished_as_a_login() {
    let (mut rp, mut key) = registered(Algorithm::Es256);
    let (registration, _) = rp.start_registration(wish(Algorithm::Es256)).unwrap();
    let (_, options) = rp.start_login(ada()).unwrap();
    let answer = key.login(&options);
    assert_eq!(
        rp.finish_login(&registration, &answer).unwrap_err(),
        Refused::UnknownCeremony
    );
}

#[test]
fn a_credential_id_belongs_to_one_account() {
    for algorithm in BOTH {
        let (mut rp, mut key) = registered(algorithm);
        let bob = RegistrationWish {
            name: "bob".to_owned(),
            ..wish(algorithm)
        };
        assert_eq!(
            register(&mut rp, &mut key, bob).unwrap_err(),
            Refused::AlreadyRegistered
        );
        assert_eq!(
            rp.start_login(LoginWish {
                name: Some("bob".to_owned()),
                ..nobody()
            })
            .unwrap_err(),
            Refused::UnknownName
        );
    }
}

#[test]
fn the_account_named_by_the_key_must_be_the_owner() {
    let (mut rp, mut key) = registered(Algorithm::Es256);
    let handle = key.user_handle.take();
    assert_eq!(
        login(&mut rp, &mut key, nobody()).unwrap_err(),
        Refused::NoUserHandle
    );
    login(&mut rp, &mut key, ada()).unwrap();
    key.user_handle = Some(vec![9; 16]);
    assert_eq!(
        login(&mut rp, &mut key, nobody()).unwrap_err(),
        Refused::WrongUserHandle
    );
    assert_eq!(
        login(&mut rp, &mut key, ada()).unwrap_err(),
        Refused::WrongUserHandle
    );
    key.user_handle = handle;
    login(&mut rp, &mut key, nobody()).unwrap();
}

#[test]
fn a_login_in_the_name_of_another_account_is_refused() {
    let (mut rp, mut key) = registered(Algorithm::Es256);
    let mut other = SoftwareSigner::new(Algorithm::Eddsa, ORIGIN);
    other.credential_id = vec![2; 16];
    let bob = RegistrationWish {
        name: "bob".to_owned(),
        ..wish(Algorithm::Eddsa)
    };
    register(&mut rp, &mut other, bob).unwrap();
    let bob = LoginWish {
        name: Some("bob".to_owned()),
        ..nobody()
    };
    assert_eq!(
        login(&mut rp, &mut key, bob).unwrap_err(),
        Refused::UnknownCredential
    );
}

#[test]
fn unknown_names_and_credentials_are_refused() {
    let mut rp = relying_party();
    assert_eq!(rp.start_login(ada()).unwrap_err(), Refused::UnknownName);
    let (mut rp, mut key) = registered(Algorithm::Es256);
    key.credential_id = vec![8; 32];
    assert_eq!(
        login(&mut rp, &mut key, nobody()).unwrap_err(),
        Refused::UnknownCredential
    );
}

#[test]
fn names_are_bounded_and_printable() {
    let mut rp = relying_party();
    for name in ["", "   ", "a\nb", &"x".repeat(65)] {
        let wish = RegistrationWish {
            name: name.to_owned(),
            ..wish(Algorithm::Es256)
        };
        assert_eq!(rp.start_registration(wish).unwrap_err(), Refused::BadName);
    }
}

#[test]
fn one_name_registered_twice_at_once_keeps_the_first() {
    let mut rp = relying_party();
    let mut first = SoftwareSigner::new(Algorithm::Es256, ORIGIN);
    let mut second = SoftwareSigner::new(Algorithm::Eddsa, ORIGIN);
    second.credential_id = vec![2; 16];
    let (first_id, first_options) = rp.start_registration(wish(Algorithm::Es256)).unwrap();
    let (second_id, second_options) = rp.start_registration(wish(Algorithm::Eddsa)).unwrap();
    rp.finish_registration(&first_id, &first.register(&first_options))
        .unwrap();
    let refused = rp
        .finish_registration(&second_id, &second.register(&second_options))
        .unwrap_err();
    assert_eq!(refused, Refused::NameTaken);
}

#[test]
fn ceremonies_accounts_and_credentials_are_bounded() {
    let mut rp = relying_party();
    let mut key = SoftwareSigner::new(Algorithm::Eddsa, ORIGIN);
    let (first, options) = rp.start_registration(wish(Algorithm::Eddsa)).unwrap();
    let answer = key.register(&options);
    for _ in 0..CEREMONIES_MAX {
        rp.start_registration(wish(Algorithm::Eddsa)).unwrap();
    }
    assert_eq!(rp.ceremonies.len(), CEREMONIES_MAX);
    assert_eq!(
        rp.finish_registration(&first, &answer).unwrap_err(),
        Refused::UnknownCeremony
    );

    let mut register_numbered = |number: usize, name: String| {
        key.credential_id = number.to_be_bytes().to_vec();
        register(
            &mut rp,
            &mut key,
            RegistrationWish {
                name,
                ..wish(Algorithm::Eddsa)
            },
        )
    };
    for number in 0..CREDENTIALS_PER_ACCOUNT_MAX {
        register_numbered(number, "ada".to_owned()).unwrap();
    }
    let refused = register_numbered(CREDENTIALS_PER_ACCOUNT_MAX, "ada".to_owned()).unwrap_err();
    assert_eq!(refused, Refused::TooManyCredentials);
    for number in 1..ACCOUNTS_MAX {
        register_numbered(1_000_000 + number, format!("user {number}")).unwrap();
    }
    let refused = register_numbered(9_999_999, "one more".to_owned()).unwrap_err();
    assert_eq!(refused, Refused::TooManyAccounts);
}

#[test]
fn unreadable_answers_are_refused() {
    type Spoil = fn(&mut RegisterPublicKeyCredential);
    let spoilt: [Spoil; 5] = [
        |answer| answer.response.attestation_object.clear(),
        |answer| answer.response.attestation_object.truncate(60),
        |answer| answer.response.attestation_object.push(0),
        |answer| answer.response.attestation_object = vec![0x9F; 4_000],
        |answer| answer.response.client_data_json = b"{}".to_vec(),
    ];
    for algorithm in BOTH {
        for spoil in spoilt {
            let mut rp = relying_party();
            let (id, options) = rp.start_registration(wish(algorithm)).unwrap();
            let mut answer = SoftwareSigner::new(algorithm, ORIGIN).register(&options);
            spoil(&mut answer);
            let refused = rp.finish_registration(&id, &answer).unwrap_err();
            assert!(matches!(refused, Refused::Malformed(_)), "{refused:?}");
        }
        let (mut rp, mut key) = registered(algorithm);
        for len in 0..37 {
            let (id, options) = rp.start_login(ada()).unwrap();
            let mut answer = key.login(&options);
            answer.response.authenticator_data.truncate(len);
            let refused = rp.finish_login(&id, &answer).unwrap_err();
            assert!(matches!(refused, Refused::Malformed(_)), "{len}: {refused:?}");
        }
    }
}
