//! What a sealed passkey contains: [`Passkey`] ⇄ CBOR. `FORMAT.md` §3.

use zeroize::Zeroizing;

use crate::cbor::{Fields, Reader, Writer};
use crate::padding;
use crate::{CredProtect, CredentialId, Error, LargeBlob, Passkey, Profile, Secret, SecretBytes};

const ID: u64 = 1;
const RP_ID: u64 = 2;
const RP_NAME: u64 = 3;
const USER_ID: u64 = 4;
const USER_NAME: u64 = 5;
const USER_DISPLAY_NAME: u64 = 6;
const ALGORITHM: u64 = 7;
const PRIVATE_KEY: u64 = 8;
const PROFILE: u64 = 9;
const CREATED: u64 = 10;
const CRED_PROTECT: u64 = 11;
const CRED_RANDOM: u64 = 12;
const CRED_BLOB: u64 = 13;
const LARGE_BLOB_KEY: u64 = 14;
const LARGE_BLOB: u64 = 15;
const THIRD_PARTY_PAYMENT: u64 = 16;

/// The fields that are always there.
const REQUIRED_FIELDS: u64 = 7;
/// More than all map heads, keys, string heads, numbers and fixed-length secrets take together.
const OVERHEAD: usize = 256;

/// The payload, in a buffer that has room for its padding.
pub(crate) fn encode(passkey: &Passkey) -> Result<Zeroizing<Vec<u8>>, Error> {
    let Passkey {
        id,
        rp_id,
        rp_name,
        user_id,
        user_name,
        user_display_name,
        algorithm,
        private_key,
        profile,
        created_unix_ms,
        cred_protect,
        cred_random,
        cred_blob,
        large_blob_key,
        large_blob,
        third_party_payment,
    } = passkey;
    let len_max = padding::padded_len(len_max(passkey)).ok_or(Error::TooLarge)?;
    let mut payload = Zeroizing::new(Vec::with_capacity(len_max));

    let mut out = Writer(&mut payload);
    out.map(REQUIRED_FIELDS + optional_fields(passkey));
    out.unsigned(ID).bytes(id.as_bytes());
    out.unsigned(RP_ID).text(rp_id);
    optional_text(&mut out, RP_NAME, rp_name);
    out.unsigned(USER_ID).bytes(user_id);
    optional_text(&mut out, USER_NAME, user_name);
    optional_text(&mut out, USER_DISPLAY_NAME, user_display_name);
    out.unsigned(ALGORITHM).integer(*algorithm);
    out.unsigned(PRIVATE_KEY).bytes(private_key.expose_secret());
    out.unsigned(PROFILE).unsigned(u64::from(profile.code()));
    out.unsigned(CREATED).unsigned(*created_unix_ms);
    if *cred_protect != CredProtect::default() {
        out.unsigned(CRED_PROTECT)
            .unsigned(u64::from(cred_protect.code()));
    }
    if let Some(random) = cred_random {
        out.unsigned(CRED_RANDOM).bytes(random.expose_secret());
    }
    if let Some(blob) = cred_blob {
        out.unsigned(CRED_BLOB).bytes(blob);
    }
    if let Some(key) = large_blob_key {
        out.unsigned(LARGE_BLOB_KEY).bytes(key.expose_secret());
    }
    if let Some(LargeBlob { data, original_size }) = large_blob {
        out.unsigned(LARGE_BLOB)
            .array(2)
            .unsigned(*original_size)
            .bytes(data);
    }
    if *third_party_payment {
        out.unsigned(THIRD_PARTY_PAYMENT).unsigned(1);
    }
    Ok(payload)
}

/// Whether [`encode`] takes it.
pub(crate) fn fits(passkey: &Passkey) -> bool {
    padding::padded_len(len_max(passkey)).is_some()
}

/// At least as many bytes as the payload will have.
fn len_max(passkey: &Passkey) -> usize {
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    OVERHEAD
        + passkey.id.as_bytes().len()
        + passkey.rp_id.len()
        + text(&passkey.rp_name)
        + passkey.user_id.len()
        + text(&passkey.user_name)
        + text(&passkey.user_display_name)
        + passkey.private_key.expose_secret().len()
        + passkey.cred_blob.as_ref().map_or(0, Vec::len)
        + passkey.large_blob.as_ref().map_or(0, |blob| blob.data.len())
}

/// How many of the fields that may be absent are there.
fn optional_fields(passkey: &Passkey) -> u64 {
    [
        passkey.rp_name.is_some(),
        passkey.user_name.is_some(),
        passkey.user_display_name.is_some(),
        passkey.cred_protect != CredProtect::default(),
        passkey.cred_random.is_some(),
        passkey.cred_blob.is_some(),
        passkey.large_blob_key.is_some(),
        passkey.large_blob.is_some(),
        passkey.third_party_payment,
    ]
    .into_iter()
    .map(u64::from)
    .sum()
}

fn optional_text(out: &mut Writer<'_>, key: u64, text: &Option<String>) {
    if let Some(text) = text {
        out.unsigned(key).text(text);
    }
}

/// The passkey; `None` for everything that [`encode`] does not make.
pub(crate) fn decode(payload: &[u8]) -> Option<Passkey> {
    let mut fields = Fields::begin(payload)?;
    let passkey = Passkey {
        id: CredentialId::new(fields.required(ID, Reader::bytes)?)?,
        rp_id: fields.required(RP_ID, Reader::text)?.to_owned(),
        rp_name: fields.optional(RP_NAME, Reader::text)?.map(str::to_owned),
        user_id: fields.required(USER_ID, Reader::bytes)?.to_owned(),
        user_name: fields.optional(USER_NAME, Reader::text)?.map(str::to_owned),
        user_display_name: fields
            .optional(USER_DISPLAY_NAME, Reader::text)?
            .map(str::to_owned),
        algorithm: fields.required(ALGORITHM, Reader::integer)?,
        private_key: SecretBytes::from_slice(fields.required(PRIVATE_KEY, Reader::bytes)?),
        profile: Profile::from_code(u8::try_from(fields.required(PROFILE, Reader::unsigned)?).ok()?)?,
        created_unix_ms: fields.required(CREATED, Reader::unsigned)?,
        cred_protect: fields
            .optional(CRED_PROTECT, read_cred_protect)?
            .unwrap_or_default(),
        cred_random: fields.optional(CRED_RANDOM, read_secret)?,
        cred_blob: fields.optional(CRED_BLOB, Reader::bytes)?.map(<[u8]>::to_vec),
        large_blob_key: fields.optional(LARGE_BLOB_KEY, read_secret)?,
        large_blob: fields.optional(LARGE_BLOB, read_large_blob)?,
        third_party_payment: fields.optional(THIRD_PARTY_PAYMENT, read_flag)?.is_some(),
    };
    fields.end()?;
    Some(passkey)
}

/// The lowest level is not written.
fn read_cred_protect(input: &mut Reader<'_>) -> Option<CredProtect> {
    CredProtect::from_code(u8::try_from(input.unsigned()?).ok()?)
        .filter(|level| *level != CredProtect::default())
}

fn read_secret<const N: usize>(input: &mut Reader<'_>) -> Option<Secret<N>> {
    Secret::from_slice(input.bytes()?)
}

fn read_large_blob(input: &mut Reader<'_>) -> Option<LargeBlob> {
    if input.array()? != 2 {
        return None;
    }
    let original_size = input.unsigned()?;
    let data = input.bytes()?.to_vec();
    Some(LargeBlob { data, original_size })
}

/// A flag that is not set is not written.
fn read_flag(input: &mut Reader<'_>) -> Option<()> {
    (input.unsigned()? == 1).then_some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{TestRng, passkey};

    #[test]
    fn a_passkey_comes_back_with_every_field() {
        let mut passkey = passkey(&mut TestRng(0), "example.org", "ann");
        passkey.algorithm = -8;
        passkey.profile = Profile::DeviceBound;
        passkey.user_display_name = Some("Ann Ⅻ".to_owned());
        passkey.private_key = SecretBytes::from_slice(&[9; 48]);
        passkey.cred_protect = CredProtect::Required;
        passkey.cred_random = Secret::from_slice(&[1; 64]);
        passkey.cred_blob = Some(vec![2; 64]);
        passkey.large_blob_key = Secret::from_slice(&[3; 32]);
        passkey.large_blob = Some(LargeBlob {
            data: vec![4; 5000],
            original_size: 70_000,
        });
        passkey.third_party_payment = true;
        let decoded = decode(&encode(&passkey).unwrap()).unwrap();
        assert_eq!(decoded.id, passkey.id);
        assert_eq!(decoded.rp_id, passkey.rp_id);
        assert_eq!(decoded.rp_name, passkey.rp_name);
        assert_eq!(decoded.user_id, passkey.user_id);
        assert_eq!(decoded.user_name, passkey.user_name);
        assert_eq!(decoded.user_display_name, passkey.user_display_name);
        assert_eq!(decoded.algorithm, passkey.algorithm);
        assert_eq!(
            decoded.private_key.expose_secret(),
            passkey.private_key.expose_secret()
        );
        assert_eq!(decoded.profile, passkey.profile);
        assert_eq!(decoded.created_unix_ms, passkey.created_unix_ms);
        assert_eq!(decoded.cred_protect, passkey.cred_protect);
        assert_eq!(decoded.cred_random.unwrap().expose_secret(), &[1; 64]);
        assert_eq!(decoded.cred_blob, passkey.cred_blob);
        assert_eq!(decoded.large_blob_key.unwrap().expose_secret(), &[3; 32]);
        assert_eq!(decoded.large_blob, passkey.large_blob);
        assert!(decoded.third_party_payment);
    }

    #[test]
    fn absent_names_stay_absent() {
        let mut passkey = passkey(&mut TestRng(0), "example.org", "ann");
        passkey.rp_name = None;
        passkey.user_name = None;
        let decoded = decode(&encode(&passkey).unwrap()).unwrap();
        assert_eq!(
            (decoded.rp_name, decoded.user_name, decoded.user_display_name),
            (None, None, None)
        );
    }

    #[test]
    fn the_buffer_never_grows() {
        let mut passkey = passkey(&mut TestRng(0), "example.org", "ann");
        passkey.user_name = Some("n".repeat(900));
        let payload = encode(&passkey).unwrap();
        let capacity = payload.capacity();
        assert_eq!(padding::pad(payload).unwrap().capacity(), capacity);
    }

    #[test]
    fn names_without_measure_are_refused() {
        let mut passkey = passkey(&mut TestRng(0), "example.org", "ann");
        passkey.user_name = Some("n".repeat(padding::SIZE_MAX));
        assert!(matches!(encode(&passkey), Err(Error::TooLarge)));
    }

    #[test]
    fn missing_unknown_and_repeated_fields_are_refused() {
        let payload = encode(&passkey(&mut TestRng(0), "example.org", "ann")).unwrap();
        let (_, fields) = payload.split_first().unwrap();
        let with = |map: u8, fields: &[u8]| decode(&[&[map], fields].concat());
        assert!(with(0xa9, fields).is_some());
        for (name, field) in [
            ("credProtect 1 is not written", &[0x0b, 0x01][..]),
            ("credProtect 4", &[0x0b, 0x04]),
            ("no random bytes", &[0x0c, 0x40]),
            ("a large blob without size", &[0x0f, 0x81, 0x40]),
            ("payment 0", &[0x10, 0x00]),
        ] {
            assert!(with(0xaa, &[fields, field].concat()).is_none(), "{name}");
        }
        assert!(with(0xaa, &[fields, &[0x0b, 0x03]].concat()).is_some());
        assert!(with(0xa8, &fields[..fields.len() - 10]).is_none());
        assert!(with(0xaa, &[fields, &[0x11, 0x00]].concat()).is_none());
        assert!(with(0xaa, &[fields, &[0x0a, 0x00]].concat()).is_none());
        assert!(with(0xa9, &[fields, &[0x00]].concat()).is_none());
    }

    proptest! {
        #[test]
        fn arbitrary_payloads_do_no_harm(payload: Vec<u8>) {
            decode(&payload);
        }
    }
}
