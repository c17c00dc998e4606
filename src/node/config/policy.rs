//! By whose rules the packets of others are passed on, as it is written.

use std::fmt;
use std::str::FromStr;

use crate::config::{Text, UnknownWord};
use crate::mesh::Policy;

/// A [`Policy`] that is written as the name of the program whose rules it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RelayPolicy(pub Policy);

impl Text for RelayPolicy {}

impl FromStr for RelayPolicy {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        match text {
            "hopline" => Ok(Self(Policy::Hopline)),
            "ios" => Ok(Self(Policy::Ios)),
            "android" => Ok(Self(Policy::Android)),
            _ => Err(UnknownWord { found: text.to_owned(), allowed: &["hopline", "ios", "android"] }),
        }
    }
}

impl fmt::Display for RelayPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Policy::Hopline => "hopline",
            Policy::Ios => "ios",
            Policy::Android => "android",
        })
    }
}
