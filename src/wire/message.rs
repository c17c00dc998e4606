//! MESSAGE: public text, bare UTF-8 with nothing around it (spec 3.2).

use super::error::PayloadError;
use super::tlv;

/// The text of a public message.
pub fn text(payload: &[u8]) -> Result<&str, PayloadError> {
    tlv::text(payload, "text", 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_not_utf8_says_where() {
        assert_eq!(text("grüße".as_bytes()), Ok("grüße"));
        assert_eq!(text(b"gr\xFC\xDFe"), Err(PayloadError::NotUtf8 { field: "text", offset: 2 }));
    }
}
