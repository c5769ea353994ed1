//! A QR code as text.

use qrcode::{Color, QrCode};

/// Light modules around a QR code, ISO/IEC 18004 §5.3.8.
pub(super) const QUIET_ZONE: usize = 4;
/// Black on white, whatever the colours of the terminal are, and back to those.
const BLACK_ON_WHITE: &str = "\x1b[38;5;16;48;5;231m";
const COLORS_OF_TERMINAL: &str = "\x1b[0m";

/// Two rows of modules in each line.
pub(super) fn draw(code: &QrCode, page: &mut String) {
    let width = code.width();
    let size = width + 2 * QUIET_ZONE;
    let is_dark = |x: usize, y: usize| {
        let module = |at: usize| at.checked_sub(QUIET_ZONE).filter(|at| *at < width);
        match (module(x), module(y)) {
            (Some(x), Some(y)) => code[(x, y)] == Color::Dark,
            _ => false,
        }
    };
    for y in (0..size).step_by(2) {
        page.push_str(BLACK_ON_WHITE);
        for x in 0..size {
            page.push(match (is_dark(x, y), is_dark(x, y + 1)) {
                (true, true) => '\u{2588}',
                (true, false) => '\u{2580}',
                (false, true) => '\u{2584}',
                (false, false) => ' ',
            });
        }
        page.push_str(COLORS_OF_TERMINAL);
        page.push('\n');
    }
}
