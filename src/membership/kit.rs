//! A new recovery kit: shown once, and only taken when the person has it on paper.

use std::fmt::Write as _;

use qrcode::{EcLevel, QrCode};
use rand_core::Rng as _;
use wardkey_vault::RecoveryKit;
use zeroize::Zeroizing;

use super::dialogue::{Dialogue, Room};
use super::qr_code::{QUIET_ZONE, draw};
use crate::error::Failure;
use crate::host;

/// Groups of a kit in one line.
const GROUPS_IN_A_LINE: usize = 3;
/// Lines of the page but those of the QR code.
const TEXT_LINES: usize = 10;
/// More than a page has, so that no copy of it is left behind while it grows.
const PAGE_LEN: usize = 16 * 1024;

/// Makes a kit, shows it, and has the person prove that it is written down.
pub(super) fn hand_over(dialogue: &mut dyn Dialogue) -> Result<RecoveryKit, Failure> {
    let kit = RecoveryKit::random(&mut host::rng());
    let text = kit.to_text();
    let groups: Vec<&str> = text.split('-').collect();
    dialogue.say(
        "\nNext comes your recovery kit: nine groups of six characters. It opens the vault when the Vault PIN is\n\
         forgotten or this computer is gone, for you and for whoever else has it. It is shown now, and never again:\n\
         have paper ready.\n",
    )?;
    dialogue.ask("Press Enter to see it. ")?;
    loop {
        dialogue.show(&|room| page(&groups, room))?;
        if is_written_down(&groups, dialogue)? {
            return Ok(kit);
        }
    }
}

/// Asks for two of the groups; `false` when the kit shall be shown again.
fn is_written_down(groups: &[&str], dialogue: &mut dyn Dialogue) -> Result<bool, Failure> {
    dialogue.say("From what you wrote down (Enter alone shows the kit again):\n")?;
    for place in two_places(groups.len()) {
        let group = groups.get(place).copied().unwrap_or_default();
        loop {
            let typed = dialogue.ask(&format!("Group {}: ", place + 1))?;
            if typed.trim().is_empty() {
                return Ok(false);
            }
            if is_group(&typed, group) {
                break;
            }
            dialogue.say("That is not it.\n")?;
        }
    }
    Ok(true)
}

/// Two different places, chosen at random, in their order.
fn two_places(count: usize) -> [usize; 2] {
    let below = |count: usize| {
        let random = usize::try_from(host::rng().next_u32()).unwrap_or_default();
        random % count
    };
    let first = below(count);
    let other = below(count - 1);
    let other = if other >= first { other + 1 } else { other };
    [first.min(other), first.max(other)]
}

/// Letters that are easily mixed up are the same, as they are when a whole kit is typed.
fn is_group(typed: &str, group: &str) -> bool {
    let typed = typed.chars().filter(|letter| !letter.is_whitespace());
    let typed = typed.map(|letter| match letter.to_ascii_uppercase() {
        'I' | 'L' => '1',
        'O' => '0',
        other => other,
    });
    typed.eq(group.chars())
}

/// The kit, as text and where there is room as a QR code.
fn page(groups: &[&str], room: Room) -> Zeroizing<String> {
    let mut page = Zeroizing::new(String::with_capacity(PAGE_LEN));
    page.push_str("Write down all of it, and keep it away from this computer.\n\n");
    for (line, in_line) in groups.chunks(GROUPS_IN_A_LINE).enumerate() {
        for (at, group) in in_line.iter().enumerate() {
            let number = line * GROUPS_IN_A_LINE + at + 1;
            push(&mut page, format_args!("   {number}  {group}"));
        }
        page.push('\n');
    }
    if let Some(code) = qr_code(groups) {
        let size = code.width() + 2 * QUIET_ZONE;
        let (lines, columns) = (TEXT_LINES + size.div_ceil(2), size);
        let fits = |there: u16, needed: usize| there == 0 || usize::from(there) >= needed;
        if fits(room.lines, lines) && fits(room.columns, columns) {
            page.push_str("\nThe same as a QR code:\n");
            draw(&code, &mut page);
        } else {
            push(
                &mut page,
                format_args!(
                    "\nIn a window of {columns} columns and {lines} lines it is shown as a QR code, too.\n"
                ),
            );
        }
    }
    page.push_str("\nPress Enter when it is written down: then it is gone from the screen. ");
    page
}

fn push(page: &mut String, what: std::fmt::Arguments<'_>) {
    page.write_fmt(what).expect("a string takes everything");
}

/// Without hyphens it fits a smaller code, and is read as well.
fn qr_code(groups: &[&str]) -> Option<QrCode> {
    let text = Zeroizing::new(groups.concat());
    QrCode::with_error_correction_level(text.as_bytes(), EcLevel::M).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUPS: [&str; 9] = [
        "0NY23K", "RGTC8F", "C9A763", "SXYMZV", "5HY3E2", "2TRHTJ", "ZAFRBN", "YB5H74", "PC4FJQ",
    ];

    #[test]
    fn two_different_groups_are_asked_for_and_each_may_be() {
        let mut asked = [false; 9];
        for _ in 0..1000 {
            let [first, other] = two_places(9);
            assert!(first < other);
            (asked[first], asked[other]) = (true, true);
        }
        assert_eq!(asked, [true; 9]);
    }

    #[test]
    fn a_group_is_read_as_people_type_it() {
        assert!(is_group(" 0ny23k ", "0NY23K"));
        assert!(is_group("ony 23k", "0NY23K"));
        assert!(is_group("il0000", "110000"));
        for other in ["0NY23", "0NY23KK", "0NY23X", ""] {
            assert!(!is_group(other, "0NY23K"), "{other}");
        }
    }

    #[test]
    fn a_code_is_drawn_only_where_all_of_it_is_seen() {
        let has_code = |lines, columns| page(&GROUPS, Room { lines, columns }).contains('\u{2588}');
        assert!(has_code(0, 0), "the room is not known");
        assert!(has_code(29, 37));
        assert!(!has_code(28, 37) && !has_code(29, 36));
        let page = page(
            &GROUPS,
            Room {
                lines: 24,
                columns: 80,
            },
        );
        assert!(page.contains("of 37 columns and 29 lines"), "{}", page.as_str());
        assert!(page.lines().count() < 24);
        assert!(GROUPS.iter().all(|group| page.contains(group)));
    }

    #[test]
    fn the_page_fits_the_room_that_it_asks_for_and_was_never_moved_in_memory() {
        let page = page(
            &GROUPS,
            Room {
                lines: 29,
                columns: 37,
            },
        );
        assert!(page.lines().count() <= 29, "{}", page.lines().count());
        assert!(page.len() < PAGE_LEN && page.capacity() == PAGE_LEN);
    }
}
