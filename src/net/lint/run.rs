//! The whole list, from the outside to the inside.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use zeroize::Zeroizing;

use super::finding::{Finding, Line, Verdict};
use super::guest::{Guest, Place};
use super::requirement::{COUNT, elsewhere, title};
use super::{door, inside, outside, papers};
use crate::clock::Clock;
use crate::htx::cover::Baseline;
use crate::htx::handshake::Suite;
use crate::net::session::{Step, VisitError};
use crate::net::tls::{Roots, client_config};
use crate::wire::record::SignedRecord;

/// What is looked at.
#[derive(Debug, Clone)]
pub struct Subject {
    /// The host's name, as in its certificate.
    pub host: String,
    /// Where it is asked.
    pub address: SocketAddr,
    /// The record of the relay there; without it, only what any visitor sees is checked.
    pub record: Option<SignedRecord>,
}

/// Findings, by requirement.
type Ledger = BTreeMap<u8, Finding>;

/// Holds a relay against all requirements; one line for each, in order.
///
/// Takes some 30 connections, one after the other, and 40 of the 60 requests that a relay grants a network at once.
/// Where the relay's bucket runs dry on the way, it waits, a minute and a half at most. An error is a host that cannot be reached; a check that fails is a finding.
pub async fn lint(
    subject: &Subject,
    roots: &Roots,
    clock: Clock,
    seed: Zeroizing<[u8; 32]>,
) -> Result<Vec<Line>, VisitError> {
    let place = Place { tls: client_config(roots)?, host: subject.host.clone(), address: subject.address };
    let mut ledger = Ledger::new();
    let baseline = look_from_outside(&place, &mut ledger).await?;
    if let Some(signed) = &subject.record {
        let rng = ChaCha20Rng::from_seed(*seed);
        let mut guest = Guest { place: &place, record: signed.record(), clock, rng, opened: false, rests: 0 };
        let proven = look_inside(&mut guest, baseline.as_ref(), &mut ledger).await;
        ledger.insert(39, papers::versions(signed));
        ledger.insert(54, papers::encoding(signed));
        ledger.insert(55, papers::signature(signed, proven, clock.now().unix));
    }
    Ok((1..=COUNT)
        .map(|number| {
            let finding = ledger.remove(&number);
            let finding = finding.unwrap_or_else(|| Finding::not_applicable(elsewhere(number)));
            Line { number, title: title(number), finding }
        })
        .collect())
}

/// What any visitor sees.
async fn look_from_outside(place: &Place, ledger: &mut Ledger) -> Result<Option<Baseline>, VisitError> {
    let baseline = match outside::twice(place).await {
        Ok(twice) => {
            ledger.insert(3, twice.same_protocol());
            ledger.insert(4, twice.same_everything());
            Some(twice.baseline)
        }
        Err(error @ (VisitError::Connect(_) | VisitError::TimedOut(Step::Connect) | VisitError::Tls(_))) => {
            return Err(error);
        }
        Err(error) => {
            let finding = Finding::not_met(format!("no client gets that far: {error}"));
            ledger.insert(3, finding.clone());
            ledger.insert(4, finding);
            None
        }
    };
    ledger.insert(1, outside::older_tls(place).await);
    ledger.insert(6, Finding::of(outside::early_data(place).await));
    Ok(baseline)
}

/// What it takes a record to see; tells whether the relay has proved to hold the record's Noise key.
async fn look_inside(guest: &mut Guest<'_>, baseline: Option<&Baseline>, ledger: &mut Ledger) -> bool {
    ledger.insert(9, Finding::of(door::strangers(guest).await));
    let carriers = Finding::of(door::carriers(guest).await);
    let opens = carriers.verdict == Verdict::Met;
    ledger.insert(11, carriers);
    if !opens {
        return no_tunnel(ledger, "no good ticket opens a tunnel here (R11)");
    }
    let rests = guest.rests;
    try_bad_tickets(guest, ledger).await;
    ledger.insert(13, Finding::of(door::replayed(guest).await));
    if guest.rests > rests {
        // The bucket was empty: what was refused before may not have been looked at.
        try_bad_tickets(guest, ledger).await;
    }
    let doorway = match guest.enter().await {
        Ok(doorway) => doorway,
        Err(error) => return no_tunnel(ledger, &error.to_string()),
    };
    if let Some(baseline) = baseline {
        ledger.insert(34, outside::same_settings(baseline, &doorway.session));
    }
    match inside::shake(guest, doorway, Suite::Hybrid).await {
        Ok(mut hand) => {
            let sizes = "suite 0x02 was done in messages of 1232, 1136 and 64 bytes";
            ledger.insert(17, Finding::met(sizes));
            ledger.insert(20, inside::same_keys(&mut hand).await);
            ledger.insert(30, inside::ping(&mut hand).await);
            ledger.insert(29, inside::credit(&mut hand).await);
            ledger.insert(22, inside::rekey(&mut hand).await);
            ledger.insert(31, inside::close(&mut hand).await);
            ledger.insert(36, inside::nothing_else(&hand));
        }
        Err(error) => {
            ledger.insert(17, Finding::not_met(error.to_string()));
            return no_tunnel(ledger, "no handshake was done (R17)");
        }
    }
    match inside::classical(guest).await {
        Ok((xk, late)) => ledger.extend([(16, xk), (18, late)]),
        Err(error) => ledger.extend([16, 18].map(|number| (number, Finding::of(Err(&error))))),
    }
    ledger.insert(19, Finding::of(inside::other_session(guest).await));
    ledger.insert(21, Finding::of(inside::reflected(guest).await));
    ledger.insert(23, Finding::of(inside::old_key(guest).await));
    ledger.insert(25, Finding::of(inside::no_frames(guest).await));
    ledger.insert(27, Finding::of(inside::flipped(guest).await));
    ledger.insert(28, Finding::of(inside::ids(guest).await));
    true
}

async fn try_bad_tickets(guest: &mut Guest<'_>, ledger: &mut Ledger) {
    ledger.insert(10, Finding::of(door::hours(guest).await));
    ledger.insert(12, Finding::of(door::padding(guest).await));
    ledger.insert(14, Finding::of(door::malformed(guest).await));
}

/// Nothing inside can be looked at.
fn no_tunnel(ledger: &mut Ledger, why: &str) -> bool {
    for number in [10, 12, 13, 14, 16, 17, 18, 19, 20, 21, 22, 23, 25, 27, 28, 29, 30, 31, 34, 36] {
        ledger.entry(number).or_insert_with(|| Finding::not_applicable(why));
    }
    false
}
