//! `wardkey attestation export`: the certificate of this installation's attestation authority, for sites that shall
//! recognize its passkeys.

use std::io::Write;
use std::path::Path;

use serde_json::json;

use super::access::Access;
use crate::error::Failure;

/// Characters in a line of PEM, `RFC 7468 §2`.
const LINE_LEN: usize = 64;

/// Prints the certificate.
pub(crate) fn export(mut access: Access, json: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let certificate = access.attestation_root()?.ok_or_else(|| no_key(&access.path))?;
    let pem = pem(&certificate);
    let text = if json {
        json!({ "certificate": pem }).to_string() + "\n"
    } else {
        pem
    };
    super::print(out, &text)
}

/// There is no authority where there is no key.
pub(super) fn no_key(folder: &Path) -> Failure {
    Failure::new(
        format!("there is no key in {} yet", folder.display()),
        "`wardkey init` makes one; --state names another folder",
    )
}

/// The textual form of a certificate whose DER is given in base64.
fn pem(base64: &str) -> String {
    let characters: Vec<char> = base64.chars().collect();
    let lines = characters
        .chunks(LINE_LEN)
        .map(|line| line.iter().collect::<String>() + "\n");
    format!(
        "-----BEGIN CERTIFICATE-----\n{}-----END CERTIFICATE-----\n",
        lines.collect::<String>()
    )
}

#[cfg(test)]
mod tests {
    use base64ct::{Base64, Encoding};

    use super::*;
    use crate::commands::tests::access;
    use crate::state::testing::{new_folder, open_bare};

    fn exported(folder: &Path, json: bool) -> String {
        let mut out = Vec::new();
        export(access(folder), json, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_certificate_is_printed_as_pem_and_is_always_the_same() {
        let folder = new_folder();
        drop(open_bare(folder.path()));
        let pem = exported(folder.path(), false);
        let lines: Vec<_> = pem.lines().collect();
        let [first, base64 @ .., last] = &lines[..] else {
            panic!("{pem}")
        };
        assert_eq!(
            (*first, *last),
            ("-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----")
        );
        assert!(base64.iter().all(|line| line.len() <= 64));
        let der = Base64::decode_vec(&base64.concat()).unwrap();
        assert_eq!(der[..2], [0x30, 0x82], "a sequence of 256 bytes or more");
        assert_eq!(exported(folder.path(), false), pem);
        let json: serde_json::Value = serde_json::from_str(&exported(folder.path(), true)).unwrap();
        assert_eq!(json["certificate"], pem);
    }

    #[test]
    fn without_a_key_there_is_no_authority_and_none_is_made() {
        let folder = new_folder();
        let failure = export(access(folder.path()), false, &mut Vec::new()).unwrap_err();
        assert!(failure.to_string().starts_with("there is no key in"), "{failure}");
        assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none());
    }
}
