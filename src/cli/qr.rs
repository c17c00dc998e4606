//! QR codes for a terminal: two modules in one character, the upper and the lower half.

use qrcode::types::QrError;
use qrcode::{Color, EcLevel, QrCode};

/// Modules of white that a reader wants around a code (ISO/IEC 18004, 6.3.8).
const QUIET_ZONE: usize = 4;
/// Black on white, whatever the terminal's own colours are: many readers take no inverted codes.
const COLOURS: &str = "\u{1b}[38;5;16;48;5;231m";
const PLAIN: &str = "\u{1b}[0m";

/// The code of a text, as lines to print.
pub(super) fn qr(text: &str) -> Result<String, QrError> {
    // A screen neither tears nor stains: the lowest correction makes the smallest code.
    let code = QrCode::with_error_correction_level(text, EcLevel::L)?;
    let side = code.width() + 2 * QUIET_ZONE;
    let is_dark = |x: usize, y: usize| {
        let inside = QUIET_ZONE..QUIET_ZONE + code.width();
        inside.contains(&x) && inside.contains(&y) && code[(x - QUIET_ZONE, y - QUIET_ZONE)] == Color::Dark
    };
    let half_blocks = |y: usize| -> String {
        (0..side)
            .map(|x| match (is_dark(x, y), is_dark(x, y + 1)) {
                (false, false) => ' ',
                (true, false) => '▀',
                (false, true) => '▄',
                (true, true) => '█',
            })
            .collect()
    };
    let lines: Vec<String> =
        (0..side).step_by(2).map(|y| format!("{COLOURS}{}{PLAIN}", half_blocks(y))).collect();
    Ok(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The modules that lines of half blocks show, row by row.
    fn modules(shown: &str) -> Vec<Vec<bool>> {
        let rows = |line: &str| {
            let halves: Vec<(bool, bool)> = line
                .strip_prefix(COLOURS)
                .and_then(|line| line.strip_suffix(PLAIN))
                .unwrap()
                .chars()
                .map(|shown| (matches!(shown, '▀' | '█'), matches!(shown, '▄' | '█')))
                .collect();
            [
                halves.iter().map(|(upper, _)| *upper).collect(),
                halves.iter().map(|(_, lower)| *lower).collect(),
            ]
        };
        shown.lines().flat_map(rows).collect()
    }

    #[test]
    fn the_lines_show_the_modules_of_the_code_in_a_white_frame() {
        let text = "hopline://contact/AQEI";
        let code = QrCode::with_error_correction_level(text, EcLevel::L).unwrap();
        let shown = modules(&qr(text).unwrap());
        let dark = shown.iter().flatten().filter(|dark| **dark).count();
        assert_eq!(dark, code.to_colors().iter().filter(|color| **color == Color::Dark).count());
        for (y, row) in code.to_colors().chunks(code.width()).enumerate() {
            let dark: Vec<bool> = row.iter().map(|color| *color == Color::Dark).collect();
            assert_eq!(shown[QUIET_ZONE + y][QUIET_ZONE..QUIET_ZONE + code.width()], dark);
        }
    }

    #[test]
    fn a_card_without_a_mailbox_is_no_wider_than_a_terminal_and_one_with_it_still_fits_a_code() {
        let width = |length: usize| qr(&"a".repeat(length)).map(|shown| modules(&shown)[0].len());
        assert!(width(300).unwrap() <= 80);
        assert!(width(1950).unwrap() <= 160);
        assert!(width(4000).is_err());
    }
}
