use super::*;

#[test]
fn keys_in_software_come_back_from_what_was_kept() {
    let made = SoftwareKeys::generate(&KeyAuth::random(&mut host::rng()), &mut host::rng());
    let keys = from_bytes(made.as_bytes()).ok().unwrap();
    assert_eq!(keys.place(), Place::Software);
    assert_eq!(keys.public(), made.public());
    let guessing = keys.guessing().unwrap();
    assert_eq!(guessing, (GuessLimit::None, "none".to_owned()));
    assert_eq!(from_bytes(b"something else").err(), Some(NotRead::Damaged));
    assert_eq!(from_bytes(b"").err(), Some(NotRead::Damaged));
}

#[test]
fn software_can_be_chosen_and_is_told() {
    let new = New::make(Some(Place::Software)).unwrap();
    let told = new.explanation().unwrap();
    assert_eq!(
        told,
        "The keys of this device are in software; guess limit: none.\n"
    );
}

#[cfg(not(feature = "tpm"))]
mod without_tpm {
    use super::*;

    #[test]
    fn keys_in_a_tpm_are_known_but_cannot_be_used() {
        assert_eq!(from_bytes(b"PKVT\x01 and so on").err(), Some(NotRead::NeedTpm));
    }

    #[test]
    fn a_tpm_is_not_chosen_and_cannot_be_demanded() {
        let new = New::make(None).unwrap();
        assert_eq!(new.keys.place(), Place::Software);
        assert!(new.without_tpm.is_none());
        let refused = New::make(Some(Place::Tpm)).err().unwrap();
        assert_eq!(
            refused.to_string(),
            "this wardkey was built without the use of a TPM"
        );
    }
}
