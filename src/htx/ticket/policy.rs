//! The line of a record that says how tickets are carried.

use std::fmt;
use std::ops::RangeInclusive;

use rand_core::{CryptoRng, RngCore};

use super::carrier::Carrier;
use super::error::PolicyError;
use super::payload::PADDING;

/// What a policy begins with.
const VERSION: &str = "BN-Ticket: v1";
/// Digits behind the point of a probability that count.
const DIGITS: usize = 9;
/// One, in the unit of the weights.
const ONE: u64 = 1_000_000_000;

/// How often each carrier is used, and how long the padding is (betanet-htx 4, D-7).
///
/// ```text
/// BN-Ticket: v1; carriers=cookie:0.5,query:0.3,body:0.2; len=24..64
/// ```
///
/// The probabilities are decimals and count in proportion to their sum. Carriers and parts that nobody knows are
/// passed over, a carrier that is missing is not used; without `len` the padding is 24 to 64 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// In billionths, in the order of [`Carrier::ALL`]; at most 1,000 each, and not all zero.
    weights: [u64; 3],
    padding: RangeInclusive<u8>,
}

impl Policy {
    /// Reads a policy line.
    pub fn parse(line: &str) -> Result<Self, PolicyError> {
        let mut parts = line.split(';').map(str::trim);
        if parts.next() != Some(VERSION) {
            return Err(PolicyError::Version);
        }
        let (mut weights, mut padding) = (None, None);
        for (part, text) in parts.enumerate().filter(|(_, text)| !text.is_empty()) {
            let bad = PolicyError::Part { part };
            let (name, value) = text.split_once('=').ok_or(bad)?;
            match name.trim() {
                "carriers" if weights.is_none() => weights = Some(parse_carriers(value, bad)?),
                "len" if padding.is_none() => padding = Some(parse_padding(value)?),
                "carriers" | "len" => return Err(bad),
                _ => {}
            }
        }
        let weights = weights.filter(|weights| weights.iter().any(|weight| *weight > 0));
        Ok(Self { weights: weights.ok_or(PolicyError::NoCarrier)?, padding: padding.unwrap_or(PADDING) })
    }

    /// How often a carrier is used, among how many.
    pub fn share(&self, carrier: Carrier) -> (u64, u64) {
        let weight = Carrier::ALL.iter().zip(self.weights).find(|(other, _)| **other == carrier);
        (weight.map_or(0, |(_, weight)| weight), self.total())
    }

    /// The lengths of the padding.
    pub fn padding(&self) -> RangeInclusive<u8> {
        self.padding.clone()
    }

    fn total(&self) -> u64 {
        self.weights.iter().sum()
    }

    pub(super) fn draw_carrier<R: RngCore + CryptoRng + ?Sized>(&self, rng: &mut R) -> Carrier {
        let mut left = below(rng, self.total());
        for (carrier, weight) in Carrier::ALL.into_iter().zip(self.weights) {
            match left.checked_sub(weight) {
                Some(rest) => left = rest,
                None => return carrier,
            }
        }
        Carrier::Cookie
    }

    pub(super) fn draw_padding<R: RngCore + CryptoRng + ?Sized>(&self, rng: &mut R) -> usize {
        let (least, most) = (*self.padding.start(), *self.padding.end());
        let lengths = u64::from(most.saturating_sub(least)).saturating_add(1);
        let more = usize::try_from(below(rng, lengths)).unwrap_or(0);
        usize::from(least).saturating_add(more)
    }
}

impl Default for Policy {
    /// Cookies for half of the tickets, queries for three in ten, forms for the rest.
    fn default() -> Self {
        Self { weights: [ONE / 2, ONE / 10 * 3, ONE / 5], padding: PADDING }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{VERSION}; carriers=")?;
        for (index, (carrier, weight)) in Carrier::ALL.iter().zip(self.weights).enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{}:{}", carrier.as_str(), decimal(weight))?;
        }
        write!(f, "; len={}..{}", self.padding.start(), self.padding.end())
    }
}

/// A number from 0 to below `bound`, each as likely as the others; 0 for a bound of 0.
fn below<R: RngCore + CryptoRng + ?Sized>(rng: &mut R, bound: u64) -> u64 {
    let Some(rest) = u64::MAX.checked_rem(bound) else { return 0 };
    // The numbers above this would make the lowest of the results more likely than the others.
    let highest = u64::MAX.saturating_sub(rest);
    loop {
        let number = rng.next_u64();
        if number < highest {
            return number % bound;
        }
    }
}

fn parse_carriers(list: &str, bad: PolicyError) -> Result<[u64; 3], PolicyError> {
    let mut weights = [None; 3];
    for (carrier, text) in list.split(',').enumerate() {
        let (name, probability) = text.split_once(':').ok_or(bad)?;
        let weight = parse_decimal(probability.trim()).ok_or(PolicyError::Probability { carrier })?;
        let known = Carrier::ALL.iter().zip(&mut weights).find(|(known, _)| known.as_str() == name.trim());
        match known {
            Some((_, slot @ None)) => *slot = Some(weight),
            Some((_, Some(_))) => return Err(bad),
            None => {}
        }
    }
    Ok(weights.map(Option::unwrap_or_default))
}

/// A decimal without sign or exponent, in billionths; digits behind the ninth do not count.
fn parse_decimal(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() && fraction.is_empty() || whole.len() > 3 || !digits(whole) || !digits(fraction) {
        return None;
    }
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let counted: String = fraction.chars().chain("0".repeat(DIGITS).chars()).take(DIGITS).collect();
    whole.checked_mul(ONE)?.checked_add(counted.parse().ok()?)
}

fn decimal(weight: u64) -> String {
    let fraction = format!("{:09}", weight % ONE);
    match fraction.trim_end_matches('0') {
        "" => (weight / ONE).to_string(),
        fraction => format!("{}.{fraction}", weight / ONE),
    }
}

fn parse_padding(range: &str) -> Result<RangeInclusive<u8>, PolicyError> {
    let (least, most) = range.split_once("..").ok_or(PolicyError::Padding)?;
    let bound = |text: &str| text.trim().parse::<u8>().map_err(|_| PolicyError::Padding);
    let (least, most) = (bound(least)?, bound(most)?);
    if least > most || !PADDING.contains(&least) || !PADDING.contains(&most) {
        return Err(PolicyError::Padding);
    }
    Ok(least..=most)
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    const LINE: &str = "BN-Ticket: v1; carriers=cookie:0.5,query:0.3,body:0.2; len=24..64";

    fn shares(line: &str) -> Result<[u64; 3], PolicyError> {
        Policy::parse(line).map(|policy| policy.weights)
    }

    #[test]
    fn the_policy_of_the_specification_is_the_one_we_use() {
        assert_eq!(Policy::parse(LINE), Ok(Policy::default()));
        assert_eq!(Policy::default().to_string(), LINE);
        assert_eq!(Policy::default().share(Carrier::Query), (300_000_000, 1_000_000_000));
    }

    #[test]
    fn unknown_carriers_are_passed_over_and_missing_ones_are_zero() {
        let line = "BN-Ticket: v1; carriers=header:0.5,query:3; later=1; len=30..30";
        let policy = Policy::parse(line).unwrap();
        assert_eq!(policy.share(Carrier::Query), (3 * ONE, 3 * ONE));
        assert_eq!(policy.share(Carrier::Cookie), (0, 3 * ONE));
        assert_eq!(policy.padding(), 30..=30);
        assert_eq!(policy.to_string(), "BN-Ticket: v1; carriers=cookie:0,query:3,body:0; len=30..30");
        assert_eq!(Policy::parse("BN-Ticket: v1; carriers=cookie:1").unwrap().padding(), 24..=64);
    }

    #[test]
    fn probabilities_are_decimals() {
        let cookie = |text: &str| shares(&format!("BN-Ticket: v1; carriers=query:1,cookie:{text}"));
        for (text, weight) in
            [("1", ONE), ("1.0", ONE), (".5", ONE / 2), ("0.25", ONE / 4), ("999.", 999 * ONE)]
        {
            assert_eq!(cookie(text), Ok([weight, ONE, 0]), "{text}");
        }
        assert_eq!(cookie("0.0000000019999"), Ok([1, ONE, 0]), "digits behind the ninth do not count");
        for text in ["", ".", "-1", "+1", "1e3", "0.5.5", "1000", "NaN", "0,5", "½"] {
            assert!(cookie(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_no_policy_says_why() {
        let refused = |line: &str| Policy::parse(line).unwrap_err();
        for line in ["", "BN-Ticket: v2; carriers=cookie:1", "BN-Ticket", "carriers=cookie:1"] {
            assert_eq!(refused(line), PolicyError::Version, "{line}");
        }
        for carriers in ["", "; carriers=header:1", "; carriers=cookie:0", "; carriers=cookie:0,query:0.0"] {
            assert_eq!(refused(&format!("BN-Ticket: v1{carriers}")), PolicyError::NoCarrier, "{carriers}");
        }
        for len in ["23..64", "24..65", "64..24", "24", "24-64", "24..", "a..b", "24..320"] {
            let line = format!("BN-Ticket: v1; carriers=cookie:1; len={len}");
            assert_eq!(refused(&line), PolicyError::Padding, "{len}");
        }
        let part = |part| PolicyError::Part { part };
        assert_eq!(refused("BN-Ticket: v1; carriers"), part(0));
        assert_eq!(refused("BN-Ticket: v1; carriers=cookie:1; len=24..64; len=24..64"), part(2));
        assert_eq!(refused("BN-Ticket: v1; carriers=cookie:1,cookie:1"), part(0));
        assert_eq!(refused("BN-Ticket: v1; carriers=cookie"), part(0));
        assert_eq!(
            refused("BN-Ticket: v1; carriers=cookie:1,query:x"),
            PolicyError::Probability { carrier: 1 }
        );
    }

    #[test]
    fn a_number_below_a_bound_is_below_it() {
        let mut rng = ChaCha20Rng::from_seed([1; 32]);
        for bound in [1, 2, 3, 41, ONE, u64::MAX] {
            assert!((0..100).all(|_| below(&mut rng, bound) < bound));
        }
        assert_eq!(below(&mut rng, 0), 0);
    }
}
