//! Text in a URL (RFC 3986, 2.1).

use crate::ids::parse_hex;

/// Everything but letters, digits and `-._~` as `%` and two digits of hex.
pub(super) fn escape(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// The text without its percent signs; `None` when that is no text.
pub fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('%') {
        bytes.extend(before.as_bytes());
        let (digits, behind) = behind.split_at_checked(2)?;
        bytes.extend(parse_hex::<1>(digits).ok()?);
        rest = behind;
    }
    bytes.extend(rest.as_bytes());
    String::from_utf8(bytes).ok()
}
