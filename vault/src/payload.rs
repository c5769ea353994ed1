//! What a sealed passkey contains: [`Passkey`] ⇄ CBOR. `FORMAT.md` §3.

use zeroize::Zeroizing;

use crate::cbor::{Reader, Writer};
use crate::padding;
use crate::{CredentialId, Error, Passkey, Profile, Secret};

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

/// The fields that are always there.
const REQUIRED_FIELDS: u64 = 7;
/// More than all map heads, keys, string heads, numbers and the private key take together.
const OVERHEAD: usize = 128;

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
    } = passkey;
    let names = [
        (RP_NAME, rp_name),
        (USER_NAME, user_name),
        (USER_DISPLAY_NAME, user_display_name),
    ];
    let len_max = OVERHEAD
        + [id.as_bytes().len(), rp_id.len(), user_id.len()]
            .iter()
            .sum::<usize>()
        + names
            .iter()
            .filter_map(|(_, name)| name.as_ref())
            .map(String::len)
            .sum::<usize>();
    let mut payload = Zeroizing::new(Vec::with_capacity(
        padding::padded_len(len_max).ok_or(Error::TooLarge)?,
    ));
    let optional_fields = names
        .iter()
        .map(|(_, name)| u64::from(name.is_some()))
        .sum::<u64>();

    let mut out = Writer(&mut payload);
    out.map(REQUIRED_FIELDS + optional_fields);
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
    Ok(payload)
}

fn optional_text(out: &mut Writer<'_>, key: u64, text: &Option<String>) {
    if let Some(text) = text {
        out.unsigned(key).text(text);
    }
}

/// The passkey; `None` for everything that [`encode`] does not make.
pub(crate) fn decode(payload: &[u8]) -> Option<Passkey> {
    let mut fields = Fields {
        input: Reader(payload),
        left: 0,
        next: None,
    };
    fields.left = fields.input.map()?;
    fields.advance()?;
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
        private_key: Secret::from_slice(fields.required(PRIVATE_KEY, Reader::bytes)?)?,
        profile: Profile::from_code(u8::try_from(fields.required(PROFILE, Reader::unsigned)?).ok()?)?,
        created_unix_ms: fields.required(CREATED, Reader::unsigned)?,
    };
    fields.end()?;
    Some(passkey)
}

/// Reads a map whose keys ascend, key by key.
struct Fields<'a> {
    input: Reader<'a>,
    left: u64,
    next: Option<u64>,
}

impl<'a> Fields<'a> {
    fn required<T>(&mut self, key: u64, read: impl FnOnce(&mut Reader<'a>) -> Option<T>) -> Option<T> {
        self.optional(key, read)?
    }

    /// The outer option is `None` when the value is not of the type that `read` takes.
    fn optional<T>(
        &mut self,
        key: u64,
        read: impl FnOnce(&mut Reader<'a>) -> Option<T>,
    ) -> Option<Option<T>> {
        if self.next != Some(key) {
            return Some(None);
        }
        let value = read(&mut self.input)?;
        self.advance()?;
        Some(Some(value))
    }

    fn advance(&mut self) -> Option<()> {
        self.next = match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                Some(self.input.unsigned()?)
            }
            None => None,
        };
        Some(())
    }

    fn end(self) -> Option<()> {
        self.input.end().filter(|()| self.next.is_none())
    }
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
        assert!(with(0xa8, &fields[..fields.len() - 10]).is_none());
        assert!(with(0xaa, &[fields, &[0x0b, 0x00]].concat()).is_none());
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
