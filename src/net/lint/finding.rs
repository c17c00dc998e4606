//! What the lint says.

use std::fmt;

/// How a requirement fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// The relay does what is required, as far as this visit can show.
    Met,
    /// It does not.
    NotMet,
    /// Nothing about it can be seen in this visit, or it is nothing that a relay has to do.
    NotApplicable,
}

impl Verdict {
    /// As programs read it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::NotMet => "not_met",
            Self::NotApplicable => "not_applicable",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Met => "met",
            Self::NotMet => "not met",
            Self::NotApplicable => "not applicable",
        })
    }
}

/// A verdict and what it rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The verdict.
    pub verdict: Verdict,
    /// What was seen, or why nothing was; for people.
    pub because: String,
}

impl Finding {
    pub(super) fn met(because: impl Into<String>) -> Self {
        Self { verdict: Verdict::Met, because: because.into() }
    }

    pub(super) fn not_met(because: impl Into<String>) -> Self {
        Self { verdict: Verdict::NotMet, because: because.into() }
    }

    pub(super) fn not_applicable(because: impl Into<String>) -> Self {
        Self { verdict: Verdict::NotApplicable, because: because.into() }
    }

    /// A check that came to nothing is not passed.
    pub(super) fn of<E: fmt::Display>(checked: Result<Self, E>) -> Self {
        checked.unwrap_or_else(|error| Self::not_met(format!("it could not be checked: {error}")))
    }
}

/// One requirement and how it fares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The number of the requirement, from 1.
    pub number: u8,
    /// What is required, in a few words.
    pub title: &'static str,
    /// How it fares.
    pub finding: Finding,
}
