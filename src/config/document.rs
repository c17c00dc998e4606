//! A configuration file that is walked key by key: what was read is taken out, what is left over is unknown.

use std::ops::RangeInclusive;
use std::path::Path;

use serde_json::Value as Json;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, Fault, Problem};
use super::value::{Misread, Value, not, within};

/// A key, its value, and why it has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// The key with its section, like `router.priority`.
    pub key: String,
    /// Its value; `null` where there is none yet.
    pub value: Json,
    /// Where it comes from.
    pub origin: Origin,
}

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Nobody said anything.
    Default,
    /// The configuration file says it.
    File {
        /// On this line.
        line: usize,
    },
    /// The home remembers it from an earlier start.
    Remembered,
    /// The command line says it.
    CommandLine,
}

/// A file on its way to a configuration.
pub struct Document<'a> {
    file: &'a Path,
    text: &'a str,
    moved: fn(&str) -> Option<Fault>,
    root: DeTable<'a>,
    sections: Vec<&'static str>,
    problems: Vec<Problem>,
    settings: Vec<Setting>,
}

/// One section of it.
pub struct Section<'d, 'a> {
    document: &'d mut Document<'a>,
    name: &'static str,
    table: DeTable<'a>,
    known: Vec<&'static str>,
}

impl<'a> Document<'a> {
    /// Reads the file's TOML; where it is none, every place is named at once. `moved` knows where a key that is
    /// not known went.
    pub fn parse(
        file: &'a Path,
        text: &'a str,
        moved: fn(&str) -> Option<Fault>,
    ) -> Result<Self, ConfigError> {
        let (root, errors) = DeTable::parse_recoverable(text);
        let document = Self {
            file,
            text,
            moved,
            root: root.into_inner(),
            sections: Vec::new(),
            problems: Vec::new(),
            settings: Vec::new(),
        };
        if errors.is_empty() {
            return Ok(document);
        }
        // What could be read of a broken file may be something else than was meant.
        let problem = |error: &toml::de::Error| {
            let line = document.line(error.span().map_or(0, |span| span.start));
            let written = text.lines().nth(line - 1).unwrap_or_default();
            let key = written.split('=').next().unwrap_or_default().trim().to_owned();
            Problem { line, key, fault: Fault::Syntax(error.message().to_owned()) }
        };
        let mut problems: Vec<Problem> = errors.iter().map(problem).collect();
        // A second complaint about a line follows from the first.
        problems.dedup_by_key(|problem| problem.line);
        Err(ConfigError::Faulty { file: file.to_owned(), problems })
    }

    /// Begins a section.
    pub fn section(&mut self, name: &'static str) -> Section<'_, 'a> {
        self.sections.push(name);
        let table = match self.root.remove_entry(name) {
            None => DeTable::new(),
            Some((_, written)) if written.get_ref().is_table() => into_table(written),
            Some((_, written)) => {
                self.misread(name.to_owned(), not(&written, "a section"));
                DeTable::new()
            }
        };
        Section { document: self, name, table, known: Vec::new() }
    }

    /// Every setting, or everything that is wrong.
    pub fn finish(mut self) -> Result<Vec<Setting>, ConfigError> {
        let left = std::mem::take(&mut self.root);
        self.unknown("", left, &self.sections.clone());
        if self.problems.is_empty() {
            return Ok(self.settings);
        }
        self.problems.sort_by_key(|problem| problem.line);
        Err(ConfigError::Faulty { file: self.file.to_owned(), problems: self.problems })
    }

    fn unknown(&mut self, section: &str, left: DeTable<'a>, known: &[&'static str]) {
        for (key, _) in left {
            let line = self.line(key.span().start);
            let name = key.into_inner();
            let fault = (self.moved)(&name).unwrap_or_else(|| Fault::Unknown { known: known.to_vec() });
            let key = if section.is_empty() { name.into_owned() } else { format!("{section}.{name}") };
            self.problems.push(Problem { line, key, fault });
        }
    }

    fn misread(&mut self, key: String, Misread { at, fault }: Misread) {
        let line = self.line(at);
        self.problems.push(Problem { line, key, fault });
    }

    fn line(&self, offset: usize) -> usize {
        self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
    }
}

impl Section<'_, '_> {
    /// Reads a key: what the file says if `check` allows it, or else the default.
    pub fn key<T: Value>(
        &mut self,
        name: &'static str,
        default: T,
        check: impl Fn(&T) -> Result<(), Fault>,
    ) -> T {
        self.given(name, None, default, check)
    }

    /// Reads a whole number between two bounds.
    pub fn number<T>(&mut self, name: &'static str, default: T, range: RangeInclusive<T>) -> T
    where
        T: Copy + TryFrom<u64> + TryInto<u64>,
    {
        let wide = |number: T| number.try_into().unwrap_or(u64::MAX);
        let read = self.key(name, wide(default), within(wide(*range.start())..=wide(*range.end())));
        // What lies between two numbers of a type is one of that type.
        T::try_from(read).unwrap_or(default)
    }

    /// The same as [`Self::key`] for a key that the command line may have given.
    pub fn given<T: Value>(
        &mut self,
        name: &'static str,
        given: Option<T>,
        default: T,
        check: impl Fn(&T) -> Result<(), Fault>,
    ) -> T {
        let written = self.optional(name, check);
        let (value, origin) = match (given, written) {
            (Some(given), _) => (given, Origin::CommandLine),
            (None, Some((written, line))) => (written, Origin::File { line }),
            (None, None) => (default, Origin::Default),
        };
        self.set(name, value.shown(), origin);
        value
    }

    /// Reads a key that has no default, and the line it stands on; whoever asks calls [`Self::set`].
    pub fn optional<T: Value>(
        &mut self,
        name: &'static str,
        check: impl Fn(&T) -> Result<(), Fault>,
    ) -> Option<(T, usize)> {
        self.known.push(name);
        let (key, written) = self.table.remove_entry(name)?;
        let allowed = |value: T| match check(&value) {
            Ok(()) => Ok(value),
            Err(fault) => Err(Misread { at: key.span().start, fault }),
        };
        match T::read(&written).and_then(allowed) {
            Ok(value) => Some((value, self.document.line(key.span().start))),
            Err(misread) => {
                self.document.misread(format!("{}.{name}", self.name), misread);
                None
            }
        }
    }

    /// Takes down what a key is.
    pub fn set(&mut self, name: &'static str, value: Json, origin: Origin) {
        self.document.settings.push(Setting { key: format!("{}.{name}", self.name), value, origin });
    }

    /// Ends the section: what was not asked for is unknown.
    pub fn end(mut self) {
        let left = std::mem::take(&mut self.table);
        self.document.unknown(self.name, left, &self.known);
    }
}

fn into_table(written: Spanned<DeValue<'_>>) -> DeTable<'_> {
    match written.into_inner() {
        DeValue::Table(table) => table,
        DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_)
        | DeValue::Array(_) => DeTable::new(),
    }
}
