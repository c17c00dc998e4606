//! Where in a request a ticket stands.

use super::payload::{MAX_TICKET_TEXT, MIN_TICKET_TEXT};

/// The name of a ticket in a query or a form.
pub const FORM_NAME: &str = "bn1";
/// The characters of a session cookie: 16 bytes.
const SESSION_TEXT: usize = 22;

/// Where a ticket stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Carrier {
    /// In the cookie that the record names, on the request that opens the tunnel.
    Cookie,
    /// In the query of that request.
    Query,
    /// In a form, posted before; its answer sets a cookie for the request that opens the tunnel.
    Body,
}

impl Carrier {
    /// All of them, in the order in which a relay looks.
    pub const ALL: [Self; 3] = [Self::Cookie, Self::Query, Self::Body];

    /// Its name in a policy.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cookie => "cookie",
            Self::Query => "query",
            Self::Body => "body",
        }
    }
}

/// What a request to the tunnel path shows, as it came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Presented<'a> {
    /// The `Cookie` headers, joined by `; ` where there are several.
    pub cookie: Option<&'a [u8]>,
    /// What stands behind the `?` of the path.
    pub query: Option<&'a [u8]>,
    /// The body of a short form, `application/x-www-form-urlencoded`; `None` for a request of another type, which
    /// could only open a tunnel.
    pub form: Option<&'a [u8]>,
}

/// The one thing in a request that is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::htx) enum Found<'a> {
    /// Something as long as a session cookie, in the cookie.
    Session(&'a [u8]),
    /// Something as long as a ticket.
    Ticket(Carrier, &'a [u8]),
    /// Nothing.
    Nothing,
}

impl<'a> Presented<'a> {
    /// What is looked at: the first of cookie, query and form that has something of the right length under its name.
    ///
    /// The decoy's own cookie may bear the same name. It is passed over, unless it happens to be of such a length.
    pub(in crate::htx) fn find(&self, cookie_name: &str) -> Found<'a> {
        let cookie = self.cookie.and_then(|cookies| value(cookies, b';', cookie_name));
        if let Some(session) = cookie.filter(|value| value.len() == SESSION_TEXT) {
            return Found::Session(session);
        }
        let query = self.query.and_then(|query| value(query, b'&', FORM_NAME));
        let form = self.form.and_then(|form| value(form.trim_ascii_end(), b'&', FORM_NAME));
        let found = Carrier::ALL.into_iter().zip([cookie, query, form]).find_map(|(carrier, text)| {
            let text = text.filter(|text| (MIN_TICKET_TEXT..=MAX_TICKET_TEXT).contains(&text.len()))?;
            Some(Found::Ticket(carrier, text))
        });
        found.unwrap_or(Found::Nothing)
    }
}

/// The value of the first pair of this name.
fn value<'a>(pairs: &'a [u8], separator: u8, name: &str) -> Option<&'a [u8]> {
    pairs.split(|byte| *byte == separator).find_map(|pair| {
        let (found, value) = pair.trim_ascii().split_at_checked(name.len())?;
        if found == name.as_bytes() { value.strip_prefix(b"=") } else { None }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(len: usize) -> String {
        "A".repeat(len)
    }

    fn in_cookies(cookies: &str) -> Found<'_> {
        Presented { cookie: Some(cookies.as_bytes()), ..Presented::default() }.find("__Host-sid")
    }

    #[test]
    fn r11_only_the_cookie_of_the_record_is_looked_at() {
        let ticket = text(200);
        let found = Found::Ticket(Carrier::Cookie, ticket.as_bytes());
        assert_eq!(in_cookies(&format!("__Host-sid={ticket}")), found);
        assert_eq!(in_cookies(&format!("a=b; __Host-sid={ticket}; c=d")), found);
        for other in ["__Host-si", "__Host-sida", "x__Host-sid", "__host-sid", "bn1"] {
            assert_eq!(in_cookies(&format!("{other}={ticket}")), Found::Nothing, "{other}");
        }
        assert_eq!(in_cookies("__Host-sid"), Found::Nothing);
        assert_eq!(in_cookies(""), Found::Nothing);
    }

    #[test]
    fn r11_a_session_and_a_ticket_are_told_apart_by_their_length() {
        let cookie = |len| {
            let cookies = format!("__Host-sid={}", text(len));
            match in_cookies(&cookies) {
                Found::Session(_) => "session",
                Found::Ticket(_, _) => "ticket",
                Found::Nothing => "nothing",
            }
        };
        for (len, kind) in [
            (0, "nothing"),
            (21, "nothing"),
            (22, "session"),
            (23, "nothing"),
            (171, "nothing"),
            (172, "ticket"),
            (226, "ticket"),
            (227, "nothing"),
        ] {
            assert_eq!(cookie(len), kind, "{len}");
        }
    }

    #[test]
    fn r11_carriers_are_looked_at_in_their_order_and_one_counts() {
        let pair = |name: &str| format!("{name}={}", text(180));
        let (cookie, query, form) = (pair("sid"), pair("bn1"), pair("bn1"));
        let mut presented = Presented {
            cookie: Some(cookie.as_bytes()),
            query: Some(query.as_bytes()),
            form: Some(form.as_bytes()),
        };
        let carrier = |presented: &Presented| match presented.find("sid") {
            Found::Ticket(carrier, _) => Some(carrier),
            Found::Session(_) | Found::Nothing => None,
        };
        assert_eq!(carrier(&presented), Some(Carrier::Cookie));
        presented.cookie = Some(b"sid=of-the-decoy");
        assert_eq!(carrier(&presented), Some(Carrier::Query));
        presented.query = Some(b"page=2");
        assert_eq!(carrier(&presented), Some(Carrier::Body));
        presented.form = None;
        assert_eq!(carrier(&presented), None);
    }

    #[test]
    fn a_query_and_a_form_may_hold_other_things() {
        let ticket = text(226);
        let pairs = format!("a=b&bn1={ticket}&c=d");
        let query = Presented { query: Some(pairs.as_bytes()), ..Presented::default() };
        assert_eq!(query.find("sid"), Found::Ticket(Carrier::Query, ticket.as_bytes()));
        let line = format!("bn1={ticket}\r\n");
        let form = Presented { form: Some(line.as_bytes()), ..Presented::default() };
        assert_eq!(form.find("sid"), Found::Ticket(Carrier::Body, ticket.as_bytes()));
    }
}
