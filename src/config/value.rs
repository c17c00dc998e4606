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

use super::error::Fault;
use super::quantity::{Size, Span};

/// What is wrong, and where in the file.
#[derive(Debug)]
pub struct Misread {
    /// The offset of the value, or of the element.
    pub at: usize,
    /// What is wrong.
    pub fault: Fault,
}

/// A kind of value a key can have.
pub trait Value: Sized {
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

/// A kind of value that is written as a text and reads as it prints.
pub trait Text: FromStr<Err: Into<Fault>> + Display {}

impl<T: Text> Value for T {
    fn read(written: &Spanned<DeValue<'_>>) -> Result<Self, Misread> {
        parse(written)
    }

    fn shown(&self) -> Json {
        Json::from(self.to_string())
    }
}

impl Text for String {}
impl Text for TransportKey {}
impl Text for Span {}
impl Text for SocketAddr {}

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
pub fn anything<T>(_value: &T) -> Result<(), Fault> {
    Ok(())
}

/// Only what lies within these bounds.
pub fn within<T: PartialOrd + Display>(range: RangeInclusive<T>) -> impl Fn(&T) -> Result<(), Fault> {
    move |value| {
        if range.contains(value) {
            return Ok(());
        }
        let (least, most) = (range.start().to_string(), range.end().to_string());
        Err(Fault::Range { found: value.to_string(), least, most })
    }
}

/// Only so many, each of them once.
pub fn different<T: PartialEq + Display>(most: usize) -> impl Fn(&Vec<T>) -> Result<(), Fault> {
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
pub fn not(written: &Spanned<DeValue<'_>>, wanted: &'static str) -> Misread {
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
