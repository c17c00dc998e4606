//! A ranking in words: what `hopline route --explain` prints.

use std::fmt;
use std::time::Duration;

use super::error::Reason;
use super::measured::Record;
use super::selection::{Choice, Exclusion, Ground, Ranking};
use crate::capabilities::BatteryImpact;
use crate::message::Recipient;

/// What a router would do with a message, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// The verdict on every transport.
    pub ranking: Ranking,
    /// Why such a message is not accepted at all; nothing when it is.
    pub refused: Option<Reason>,
    /// What was measured of each transport to this recipient.
    pub measured: Vec<Record>,
    /// Messages to this recipient that wait for their turn or for a way.
    pub waiting: usize,
}

impl Explanation {
    /// The same in sentences; `name` is what the recipient is called.
    pub fn sentences(&self, name: &str) -> Vec<String> {
        let mut sentences = Vec::new();
        if let Some(reason) = &self.refused {
            sentences.push(format!("It is not accepted: {reason}."));
        }
        sentences.extend(self.ranking.sentences(name));
        sentences.extend(self.measured.iter().map(measured_sentence));
        match self.waiting {
            0 => {}
            1 => sentences.push(format!("1 message to {name} waits already.")),
            waiting => sentences.push(format!("{waiting} messages to {name} wait already.")),
        }
        sentences
    }
}

impl Ranking {
    /// The ranking in sentences; `name` is what the recipient is called.
    pub fn sentences(&self, name: &str) -> Vec<String> {
        let mut sentences = Vec::new();
        let mut fallbacks = self.eligible.as_slice();
        let together = self.ask.requirements.urgent || self.ask.to == Recipient::Everyone;
        if let (true, [_, _, ..]) = (together, fallbacks) {
            let names: Vec<&str> = fallbacks.iter().map(|choice| choice.transport.as_str()).collect();
            let why = if self.ask.requirements.urgent { "it is urgent" } else { "it is for everyone" };
            sentences.push(format!("It goes over {} at once: {why}.", names.join(" and ")));
            sentences
                .extend(fallbacks.iter().map(|choice| sentence(choice.transport.as_str(), choice, name)));
            fallbacks = &[];
        }
        for (place, choice) in fallbacks.iter().enumerate() {
            let lead = match place {
                0 => format!("It goes over {}", choice.transport),
                1 => format!("Next would be {}", choice.transport),
                _ => format!("Then {}", choice.transport),
            };
            sentences.push(sentence(&lead, choice, name));
        }
        if let Some(reason) = self.waits() {
            sentences.push(format!("It waits: {reason}."));
        }
        for (transport, exclusion) in &self.excluded {
            sentences.push(format!("{transport} is out: {}.", exclusion.words(name)));
        }
        sentences
    }
}

impl fmt::Display for Ranking {
    /// The sentences, the recipient by its id.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentences(&called(self.ask.to)).join(" "))
    }
}

impl fmt::Display for Explanation {
    /// The sentences, the recipient by its id.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentences(&called(self.ranking.ask.to)).join(" "))
    }
}

impl Exclusion {
    /// The reason in words; `name` is what the recipient is called.
    pub fn words(self, name: &str) -> String {
        match self {
            Self::Absent => "this node has no such transport".to_owned(),
            Self::NotAsked { only } => format!("{only} and no other was asked for"),
            Self::NotPrivate { level } => format!("privacy is required, and {}", hides(level)),
            Self::NoBroadcast => "it carries nothing to everyone".to_owned(),
            Self::NoUnicast => "it carries nothing to one peer alone".to_owned(),
            Self::NoEncryption => format!("it does not encrypt for {name} alone"),
            Self::TooLong { max } => format!("it takes at most {max} bytes"),
            Self::Down(reason) => format!("it does not work ({reason})"),
            Self::NoInternet => "it needs the internet, and there is none".to_owned(),
            Self::NoWay => format!("it knows no way to {name}"),
        }
    }
}

impl Ground {
    /// The ground in words; `name` is what the recipient is called.
    pub fn words(self, name: &str) -> String {
        match self {
            Self::Private => "nobody learns who talks with whom".to_owned(),
            Self::Asked => "it was asked for".to_owned(),
            Self::NeedsNoInternet => "it needs no internet, and there is none".to_owned(),
            Self::Reaches { max_hops: 1 } => format!("a connection to {name} stands"),
            Self::Reaches { max_hops } => format!("it has a way to {name}, over at most {max_hops} hops"),
            Self::MayReach => format!("it may have a way to {name}, not tried lately"),
            Self::Silent => "it did not answer the last time".to_owned(),
            Self::Measured { latency, success } if success >= 0.995 => {
                format!("the last messages took {}", in_words(latency))
            }
            Self::Measured { latency, success } => {
                let (latency, success) = (in_words(latency), percent(success));
                format!("the last messages took {latency}, {success} % were answered in time")
            }
            Self::Typical(latency) => format!("a message usually takes {}", in_words(latency)),
            Self::Battery(impact) => {
                let needs = match impact {
                    BatteryImpact::Low => "little",
                    BatteryImpact::Medium => "some of it",
                    BatteryImpact::High => "much of it",
                };
                format!("the battery is low, and it needs {needs}")
            }
            Self::Metered => "every byte over it costs money".to_owned(),
            Self::Kept { rival } => format!("it is in use, and {rival} is not clearly better"),
        }
    }
}

fn sentence(lead: &str, choice: &Choice, name: &str) -> String {
    let grounds: Vec<String> = choice.grounds.iter().map(|ground| ground.words(name)).collect();
    format!("{lead}: {}.", grounds.join("; "))
}

fn measured_sentence(record: &Record) -> String {
    let Record { transport, success, latency, samples, .. } = record;
    let (latency, success) = (in_words(*latency), percent(*success));
    let samples = if *samples == 1 { "1 sample".to_owned() } else { format!("{samples} samples") };
    format!("Measured over {transport}: {latency}, {success} % answered in time, {samples}.")
}

fn hides(level: u8) -> &'static str {
    match level {
        0 => "it shows the recipient our address",
        1 => "it hides names, not who talks with whom",
        2 => "it hides addresses, not who talks with whom",
        _ => "it does not hide who talks with whom",
    }
}

fn called(to: Recipient) -> String {
    match to {
        Recipient::Everyone => "everyone in reach".to_owned(),
        Recipient::Peer(peer) => peer.to_string(),
    }
}

fn percent(share: f64) -> String {
    format!("{:.0}", share * 100.0)
}

fn in_words(span: Duration) -> String {
    let millis = span.as_millis();
    match millis {
        0..1_000 => format!("{millis} ms"),
        1_000..10_000 if millis % 1_000 >= 100 => format!("{:.1} s", span.as_secs_f64()),
        _ => format!("{} s", span.as_secs()),
    }
}
