//! A ticket for one tunnel.

use std::fmt;

use rand_core::{CryptoRng, RngCore};
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

use super::carrier::{Carrier, FORM_NAME};
use super::error::IssueError;
use super::payload::{Payload, access, tunnel_id};
use super::policy::Policy;
use super::secret::{begins, ends, hour_of};
use crate::time::UnixMillis;
use crate::wire::record::{NodeRecord, TicketKey};

/// A ticket and how to show it. Whoever sees it before the relay does can use it in the client's place.
#[derive(Clone, PartialEq, Eq)]
pub struct Issued {
    /// Where it stands in the request.
    pub carrier: Carrier,
    /// Under which name: the record's cookie, or [`FORM_NAME`].
    pub name: String,
    /// The ticket: 172 to 226 characters of base64url.
    pub value: String,
    /// What the tunnel is called in logs, here and at the relay.
    pub tunnel: [u8; 32],
}

impl Issued {
    /// `name=value`: the `Cookie` header, the query behind the path, or the body of the form.
    pub fn pair(&self) -> String {
        format!("{}={}", self.name, self.value)
    }
}

impl fmt::Debug for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issued").field("carrier", &self.carrier).finish_non_exhaustive()
    }
}

/// A ticket for the relay with this record, which somebody has accepted (`htx::record::accept`).
///
/// Draws a client key (32 bytes), a nonce (32), the carrier, the length of the padding, and the padding. It is good in
/// this hour, the one before and the one after, once.
pub fn issue<R: RngCore + CryptoRng + ?Sized>(
    record: &NodeRecord,
    now: UnixMillis,
    rng: &mut R,
) -> Result<Issued, IssueError> {
    let policy = Policy::parse(&record.policy)?;
    let key = key_for(&record.ticket_keys, now)?;
    let mut secret = Zeroizing::new([0; 32]);
    rng.fill_bytes(secret.as_mut_slice());
    let secret = StaticSecret::from(*secret);
    let mut nonce = [0; 32];
    rng.fill_bytes(&mut nonce);
    let carrier = policy.draw_carrier(rng);
    let mut padding = vec![0; policy.draw_padding(rng)];
    rng.fill_bytes(&mut padding);

    let shared = secret.diffie_hellman(&PublicKey::from(key.public));
    if !shared.was_contributory() {
        return Err(IssueError::LowOrder { day: key.day });
    }
    let payload = Payload {
        client_public: PublicKey::from(&secret).to_bytes(),
        key_id: key.id,
        nonce,
        access: *access(shared.as_bytes(), &key.id, hour_of(now)),
    };
    let name = match carrier {
        Carrier::Cookie => record.cookie_name.as_str(),
        Carrier::Query | Carrier::Body => FORM_NAME,
    };
    Ok(Issued { carrier, name: name.to_owned(), value: payload.encode(&padding), tunnel: tunnel_id(&nonce) })
}

/// Today's key; where there is none, because the record is of yesterday or its relay's clock is ahead, one that is
/// accepted as well.
fn key_for(keys: &[TicketKey], now: UnixMillis) -> Result<&TicketKey, IssueError> {
    let day = now.day();
    let today = keys.iter().find(|key| key.day == day);
    let accepted = || keys.iter().find(|key| (begins(key.day)..ends(key.day)).contains(&now));
    today.or_else(accepted).ok_or(IssueError::NoKey { day })
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;
    use crate::htx::record::tests::record;
    use crate::htx::ticket::TicketSecret;

    const DAY: u32 = 20_000;

    fn noon(day: u32) -> UnixMillis {
        UnixMillis(u64::from(day) * 86_400_000 + 43_200_000)
    }

    fn rng(seed: u8) -> ChaCha20Rng {
        ChaCha20Rng::from_seed([seed; 32])
    }

    fn with_keys(days: &[u32]) -> NodeRecord {
        let ticket_keys = days.iter().map(|day| TicketSecret::generate(*day, &mut rng(1)).public()).collect();
        NodeRecord { ticket_keys, ..record() }
    }

    /// Issues as many tickets and counts something of each.
    fn sample<T>(record: &NodeRecord, count: usize, of: impl Fn(&Issued) -> T) -> Vec<T> {
        let mut rng = rng(2);
        (0..count).map(|_| of(&issue(record, noon(DAY), &mut rng).unwrap())).collect()
    }

    #[test]
    fn r11_carriers_are_drawn_as_often_as_the_policy_says() {
        const COUNT: usize = 10_000;
        let record = with_keys(&[DAY]);
        let drawn = sample(&record, COUNT, |issued| issued.carrier);
        for (carrier, share) in [(Carrier::Cookie, 0.5), (Carrier::Query, 0.3), (Carrier::Body, 0.2)] {
            let count = drawn.iter().filter(|drawn| **drawn == carrier).count() as f64;
            let (mean, sigma) = (COUNT as f64 * share, (COUNT as f64 * share * (1.0 - share)).sqrt());
            assert!((count - mean).abs() < 3.0 * sigma, "{carrier:?}: {count} times, {mean} expected");
        }
    }

    #[test]
    fn r11_a_carrier_the_policy_does_not_allow_is_never_drawn() {
        let policy = "BN-Ticket: v1; carriers=query:1,header:9".to_owned();
        let record = NodeRecord { policy, ..with_keys(&[DAY]) };
        assert!(sample(&record, 1000, |issued| issued.carrier).iter().all(|drawn| *drawn == Carrier::Query));
    }

    /// Chi-square over the 41 lengths: 40 degrees of freedom, of which 73.4 is the quantile for p = 0.001.
    #[test]
    fn r12_padding_is_uniform_from_24_to_64() {
        const COUNT: usize = 10_000;
        let record = with_keys(&[DAY]);
        let lengths = sample(&record, COUNT, |issued| issued.value.len() * 3 / 4 - 105);
        let expected = COUNT as f64 / 41.0;
        let chi_square: f64 = (24..=64)
            .map(|length| {
                let count = lengths.iter().filter(|drawn| **drawn == length).count() as f64;
                (count - expected).powi(2) / expected
            })
            .sum();
        assert!(lengths.iter().all(|length| (24..=64).contains(length)));
        assert!(chi_square < 73.4, "chi-square {chi_square}");
    }

    #[test]
    fn a_ticket_is_named_after_its_carrier() {
        let record = with_keys(&[DAY]);
        let mut names = sample(&record, 100, |issued| (issued.carrier, issued.name.clone()));
        names.sort();
        names.dedup();
        let name = |carrier, name: &str| (carrier, name.to_owned());
        assert_eq!(
            names,
            [name(Carrier::Cookie, "__Host-sid"), name(Carrier::Query, "bn1"), name(Carrier::Body, "bn1")]
        );
    }

    #[test]
    fn no_two_tickets_have_a_key_or_a_nonce_in_common() {
        let record = with_keys(&[DAY]);
        let mut keys = sample(&record, 1000, |issued| Payload::decode(issued.value.as_bytes()).unwrap());
        let mut nonces: Vec<_> = keys.iter().map(|payload| payload.nonce).collect();
        keys.sort_by_key(|payload| payload.client_public);
        keys.dedup_by_key(|payload| payload.client_public);
        nonces.sort_unstable();
        nonces.dedup();
        assert_eq!((keys.len(), nonces.len()), (1000, 1000));
    }

    #[test]
    fn the_key_of_today_is_used_or_else_one_that_is_still_accepted() {
        let key = |days: &[u32], now| key_for(&with_keys(days).ticket_keys, now).map(|key| key.day);
        assert_eq!(key(&[DAY - 1, DAY, DAY + 1], noon(DAY)), Ok(DAY));
        assert_eq!(key(&[DAY - 1, DAY + 1], noon(DAY)), Err(IssueError::NoKey { day: DAY }));
        let one_at_night = UnixMillis(u64::from(DAY) * 86_400_000 + 3_600_000);
        assert_eq!(key(&[DAY - 1], one_at_night), Ok(DAY - 1));
        assert_eq!(key(&[], noon(DAY)), Err(IssueError::NoKey { day: DAY }));
    }

    #[test]
    fn r14_a_ticket_key_of_low_order_is_refused_by_the_client() {
        let low = TicketKey { id: [0; 8], public: [0; 32], day: DAY };
        let record = NodeRecord { ticket_keys: vec![low], ..record() };
        assert_eq!(issue(&record, noon(DAY), &mut rng(1)), Err(IssueError::LowOrder { day: DAY }));
    }

    #[test]
    fn r53_debug_shows_no_ticket() {
        let record = with_keys(&[DAY]);
        let issued = issue(&record, noon(DAY), &mut rng(1)).unwrap();
        assert!(!format!("{issued:?}").contains(&issued.value[..20]));
    }
}
