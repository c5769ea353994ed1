//! Words and columns for people.

use crate::control::Listed;
use crate::prompt::text::visible;

/// Characters of an id that are shown at least.
const ID_CHARS_MIN: usize = 8;
const DAY_SECONDS: u64 = 86_400;

/// Whose passkey it is, fit to be part of a sentence.
pub(crate) fn account(passkey: &Listed) -> String {
    let names = [&passkey.user_name, &passkey.user_display_name];
    let name = names
        .into_iter()
        .flatten()
        .map(|name| visible(name))
        .find(|name| !name.is_empty());
    name.unwrap_or_else(|| format!("user {}", passkey.user_id))
}

/// The site, fit to be part of a sentence.
pub(crate) fn site(passkey: &Listed) -> String {
    visible(&passkey.rp_id)
}

/// The name of a COSE algorithm (RFC 9053, RFC 8230).
pub(super) fn algorithm(identifier: i32) -> String {
    match identifier {
        -7 => "ES256".to_owned(),
        -8 => "EdDSA".to_owned(),
        -9 => "ESP256".to_owned(),
        -19 => "Ed25519".to_owned(),
        -35 => "ES384".to_owned(),
        -48 => "ML-DSA-44".to_owned(),
        -49 => "ML-DSA-65".to_owned(),
        -51 => "ESP384".to_owned(),
        other => format!("COSE {other}"),
    }
}

/// The beginning of the id of a device, in hexadecimal: enough to tell those of a person apart.
pub(crate) fn short_device(id: &str) -> &str {
    id.get(..ID_CHARS_MIN).unwrap_or(id)
}

/// How many attempts are left.
pub(super) fn attempts(left: u8) -> String {
    match left {
        1 => "1 attempt left".to_owned(),
        _ => format!("{left} attempts left"),
    }
}

/// `2026-11-22 13:40`, in UTC.
pub(crate) fn minute(unix_ms: u64) -> String {
    let seconds = unix_ms / 1000;
    let (year, month, day) = civil(seconds / DAY_SECONDS);
    let (hour, minute) = (seconds % DAY_SECONDS / 3600, seconds % 3600 / 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}")
}

/// `2026-11-22 13:40:07`, in UTC.
pub(super) fn second(unix_ms: u64) -> String {
    format!("{}:{:02}", minute(unix_ms), unix_ms / 1000 % 60)
}

/// Year, month and day of a number of days since 1970-01-01.
fn civil(days: u64) -> (u64, u64, u64) {
    // Years that begin in March, so that the leap day is their last, counted from the year 0.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

/// The text of a UUID (RFC 9562 §4).
pub(super) fn uuid(bytes: &[u8]) -> String {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let groups = [0..8, 8..12, 12..16, 16..20, 20..32];
    groups
        .map(|group| hex.get(group).unwrap_or_default().to_owned())
        .join("-")
}

/// The shortest beginning of each id that is longer than any it shares with another.
pub(super) fn short_ids<'a>(passkeys: impl IntoIterator<Item = &'a Listed>) -> Vec<String> {
    let ids: Vec<&str> = passkeys.into_iter().map(|passkey| passkey.id.as_str()).collect();
    let mut sorted = ids.clone();
    sorted.sort_unstable();
    let shorten = |id: &&str| {
        let at = sorted.partition_point(|other| other < id);
        let neighbours = [
            at.checked_sub(1).and_then(|before| sorted.get(before)),
            sorted.get(at + 1),
        ];
        let shared = neighbours
            .into_iter()
            .flatten()
            .map(|other| shared_len(id, other))
            .max()
            .unwrap_or(0);
        id.chars().take((shared + 1).max(ID_CHARS_MIN)).collect()
    };
    ids.iter().map(shorten).collect()
}

fn shared_len(one: &str, other: &str) -> usize {
    one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count()
}

/// Lines whose columns stand under each other. The last column is not filled up.
pub(super) fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |row: &[String; N]| {
        let cells = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect::<Vec<_>>();
        cells.join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        let day = |days: u64| minute(days * DAY_SECONDS * 1000);
        assert_eq!(day(0), "1970-01-01 00:00");
        assert_eq!(day(58), "1970-02-28 00:00");
        assert_eq!(day(59), "1970-03-01 00:00");
        assert_eq!(day(11_016), "2000-02-29 00:00");
        assert_eq!(day(20_512), "2026-02-28 00:00");
        assert_eq!(day(20_513), "2026-03-01 00:00");
        assert_eq!(minute(951_782_399_999), "2000-02-28 23:59");
        assert_eq!(minute(1_700_000_000_000), "2023-11-14 22:13");
        assert!(!minute(u64::MAX).is_empty());
        assert_eq!(second(951_782_399_999), "2000-02-28 23:59:59");
        assert_eq!(second(60_000), "1970-01-01 00:01:00");
    }

    #[test]
    fn a_uuid_has_its_hyphens() {
        let bytes: Vec<u8> = (0..16).collect();
        assert_eq!(uuid(&bytes), "00010203-0405-0607-0809-0a0b0c0d0e0f");
    }

    #[test]
    fn columns_stand_under_each_other() {
        let rows = [["a", "bb", "c"], ["aaa", "é", ""]].map(|row| row.map(str::to_owned));
        assert_eq!(table(&rows), "a    bb  c\naaa  é\n");
    }
}
