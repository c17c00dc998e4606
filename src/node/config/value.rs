//! How each kind of value is read from TOML, and shown.

use std::fmt::Display;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;

use serde_json::Value as Json;
use toml::Spanned;
use toml::de::DeValue;

use crate::capabilities::TransportKey;
use crate::node::conditions::BatterySetting;

use super::error::Fault;
use super::listen::Listen;
use super::quantity::{Size, Span};
use super::radio::RadioChoice;
use super::sections::{FilePolicy, RelayUrl};

/// What is wrong, and where in the file.
#[derive(Debug)]
pub(super) struct Misread {
    /// The offset of the value, or of the element.
    pub(super) at: usize,
    pub(super) fault: Fault,
}

/// A kind of value a key can have.
pub(super) trait Value: Sized {
    /// Reads it.
    fn read(written: &Spanned<DeValue<'_>>) -> Result<Self, Misread>;
    /// The same for people and programs.
    fn shown(&self) -> Json;
}

impl Value for bool {
    fn read(written: &Spanned<DeValue<'_>>) -> Result<Self, Misread> {
        written.get_ref().as_bool().ok_or_else(|| not(written, "true or false"))
    }

    fn shown(&self) -> Json {
        Json::from(*self)
    }
}

impl Value for u64 {
    fn read(written: &Spanned<DeValue<'_>>) -> Result<Self, Misread> {
        let wanted = "a whole number from 0 up";
        let number = written.get_ref().as_integer().ok_or_else(|| not(written, wanted))?;
        let found = if number.as_str().starts_with('-') { "a negative one" } else { "one of so many digits" };
        let fault = Fault::Kind { wanted, found };
        Self::from_str_radix(number.as_str(), number.radix())
            .map_err(|_| Misread { at: written.span().start, fault })
    }

    fn shown(&self) -> Json {
        Json::from(*self)
    }
}

/// What is written as a text and reads as it prints.
macro_rules! texts {
    ($($text:ty),*) => {$(
        impl Value for $text {
            fn read(written: &Spanned<DeValue<'_>>) -> Result<Self, Misread> {
                parse(written)
            }

            fn shown(&self) -> Json {
                Json::from(self.to_string())
            }
        }
    )*};
}

texts!(String, TransportKey, RadioChoice, Span, Listen, SocketAddr, RelayUrl, BatterySetting, FilePolicy);

impl Value for Size {
    fn read(written: &Spanned<DeValue<'_>>) -> Result<Self, Misread> {
        if written.get_ref().is_str() {
            return parse(written);
        }
        u64::read(written).map(Self)
    }

    fn shown(&self) -> Json {
        Json::from(self.to_string())
    }
}

impl Value for PathBuf {
    fn read(written: &Spanned<DeValue<'_>>) -> Result<Self, Misread> {
        let path: Self = parse(written)?;
        if path.as_os_str().is_empty() {
            return Err(Misread { at: written.span().start, fault: Fault::NoPath });
        }
        Ok(path)
    }

    fn shown(&self) -> Json {
        Json::from(self.display().to_string())
    }
}

impl<T: Value> Value for Vec<T> {
    fn read(written: &Spanned<DeValue<'_>>) -> Result<Self, Misread> {
        match written.get_ref() {
            DeValue::Array(elements) => elements.iter().map(T::read).collect(),
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Table(_) => Err(not(written, "a list")),
        }
    }

    fn shown(&self) -> Json {
        self.iter().map(T::shown).collect()
    }
}

/// Anything of its kind.
pub(super) fn anything<T>(_value: &T) -> Result<(), Fault> {
    Ok(())
}

/// Only what lies within these bounds.
pub(super) fn within<T: PartialOrd + Display>(range: RangeInclusive<T>) -> impl Fn(&T) -> Result<(), Fault> {
    move |value| {
        if range.contains(value) {
            return Ok(());
        }
        let (least, most) = (range.start().to_string(), range.end().to_string());
        Err(Fault::Range { found: value.to_string(), least, most })
    }
}

/// Only so many, each of them once.
pub(super) fn different<T: PartialEq + Display>(most: usize) -> impl Fn(&Vec<T>) -> Result<(), Fault> {
    move |list| {
        if list.len() > most {
            return Err(Fault::Many { found: list.len(), most });
        }
        let again =
            |(index, element): &(usize, &T)| list.iter().take(*index).any(|earlier| earlier == *element);
        match list.iter().enumerate().find(again) {
            Some((_, element)) => Err(Fault::Twice(element.to_string())),
            None => Ok(()),
        }
    }
}

/// The value is of another kind than wanted.
pub(super) fn not(written: &Spanned<DeValue<'_>>, wanted: &'static str) -> Misread {
    let found = match written.get_ref() {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a section",
    };
    Misread { at: written.span().start, fault: Fault::Kind { wanted, found } }
}

fn parse<T: FromStr<Err: Into<Fault>>>(written: &Spanned<DeValue<'_>>) -> Result<T, Misread> {
    let text = written.get_ref().as_str().ok_or_else(|| not(written, "a text"))?;
    text.parse().map_err(|error: T::Err| Misread { at: written.span().start, fault: error.into() })
}
