//! What a message asks of its way, as programs say it.

use std::time::Duration;

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::error::{Code, Rejection};
use crate::capabilities::TransportKey;
use crate::message::{MAX_AGE, Preference, Requirements};

/// What a message asks of its way; nothing but what it says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Wishes {
    /// Nobody may learn who talks with whom, or it waits.
    pub private: bool,
    /// Over all transports at once.
    pub urgent: bool,
    /// How long it may take, in milliseconds; by default as long as the configuration says.
    pub max_age_ms: Option<u64>,
    /// The transport to take first.
    pub prefer: Option<String>,
    /// That transport or none.
    pub only: bool,
}

impl Wishes {
    /// The same for the router; `usual` says what nobody said.
    pub(super) fn requirements(&self, usual: Requirements) -> Result<Requirements, Rejection> {
        let preference = match &self.prefer {
            Some(transport) => {
                let transport: TransportKey =
                    transport.parse().map_err(|error| bad_request(format!("{error}")))?;
                Some(Preference { transport, only: self.only })
            }
            None if self.only => return Err(bad_request("`only` wants a transport in `prefer`".to_owned())),
            None => None,
        };
        let max_age = self.max_age_ms.map_or(usual.max_age, Duration::from_millis);
        if max_age.is_zero() || max_age > MAX_AGE {
            return Err(bad_request("a message may take from 1 ms to 7 days".to_owned()));
        }
        Ok(Requirements { private: self.private, urgent: self.urgent, max_age, preference })
    }
}

impl From<&Requirements> for Wishes {
    fn from(requirements: &Requirements) -> Self {
        let Requirements { private, urgent, max_age, preference } = *requirements;
        Self {
            private,
            urgent,
            max_age_ms: Some(u64::try_from(max_age.as_millis()).unwrap_or(u64::MAX)),
            prefer: preference.map(|preference| preference.transport.to_string()),
            only: preference.is_some_and(|preference| preference.only),
        }
    }
}

fn bad_request(message: String) -> Rejection {
    Rejection { status: StatusCode::BAD_REQUEST, code: Code::BadRequest, message, hint: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Requirements, String> {
        let wishes: Wishes = serde_json::from_str(json).map_err(|error| error.to_string())?;
        wishes.requirements(Requirements::default()).map_err(|rejection| rejection.message)
    }

    #[test]
    fn who_wishes_nothing_gets_what_is_usual() {
        assert_eq!(read("{}"), Ok(Requirements::default()));
    }

    #[test]
    fn wishes_are_read_and_written_alike() {
        let requirements = Requirements {
            private: true,
            urgent: true,
            max_age: Duration::from_secs(60),
            preference: Some(Preference { transport: TransportKey::Direct, only: true }),
        };
        let written = serde_json::to_string(&Wishes::from(&requirements)).unwrap();
        assert_eq!(read(&written), Ok(requirements));
    }

    #[test]
    fn a_wish_that_cannot_be_is_refused() {
        assert!(read(r#"{"prefer":"lora"}"#).unwrap_err().contains("lora"));
        assert!(read(r#"{"only":true}"#).unwrap_err().contains("prefer"));
        assert!(read(r#"{"max_age_ms":0}"#).unwrap_err().contains("7 days"));
        assert!(read(r#"{"max_age_ms":604800001}"#).unwrap_err().contains("7 days"));
        assert!(read(r#"{"hidden":true}"#).unwrap_err().contains("hidden"));
    }
}
