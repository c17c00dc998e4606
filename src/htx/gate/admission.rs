//! The machine that admits.

use core::net::IpAddr;

use rand_chacha::ChaCha20Rng;
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use x25519_dalek::SharedSecret;

use super::replay::{ReplayEntry, ReplayMemory};
use super::sessions::Sessions;
use super::verdict::{Refusal, Verdict};
use crate::htx::buckets::{Buckets, BucketsConfig, Empty};
use crate::htx::ticket::{Carrier, Found, Payload, Presented, TicketSecret, access, hour_of, tunnel_id};
use crate::time::{Now, UnixMillis};

/// What a gate is made with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateConfig {
    /// The cookie of the node record.
    pub cookie_name: String,
    /// How often anybody may ask.
    pub buckets: BucketsConfig,
    /// The most used tickets that are remembered; beyond, tickets are refused.
    pub replay_entries: usize,
    /// The most sessions that wait for their tunnel; beyond, tickets in forms are refused.
    pub sessions: usize,
}

impl GateConfig {
    /// The usual bounds: those of [`BucketsConfig::default`], 262,144 tickets (about 12 MB, and more than twenty sources
    /// can spend in the three hours for which a ticket is remembered), 1,024 sessions.
    pub fn new(cookie_name: String) -> Self {
        Self { cookie_name, buckets: BucketsConfig::default(), replay_entries: 262_144, sessions: 1024 }
    }
}

/// A relay's admission: buckets, ticket keys, replay memory and sessions.
#[derive(Debug)]
pub struct Gate {
    cookie_name: String,
    buckets: Buckets,
    secrets: Vec<TicketSecret>,
    /// Keys that were erased and not yet told of.
    erased: Vec<[u8; 8]>,
    replay: ReplayMemory,
    sessions: Sessions,
    /// Takes the place of the key of a ticket that has none.
    dummy: TicketSecret,
    curve: Curve,
    rng: ChaCha20Rng,
}

/// Takes the place of the client's key where there is none: the base point.
const DUMMY_PUBLIC: [u8; 32] = {
    let mut point = [0; 32];
    point[0] = 9;
    point
};

impl Gate {
    /// A gate with the ticket keys and the used tickets that are on disk. The generator is for session cookies.
    pub fn new(
        config: GateConfig,
        secrets: impl IntoIterator<Item = TicketSecret>,
        remembered: impl IntoIterator<Item = ReplayEntry>,
        rng: ChaCha20Rng,
    ) -> Self {
        Self {
            cookie_name: config.cookie_name,
            buckets: Buckets::new(config.buckets),
            secrets: secrets.into_iter().collect(),
            erased: Vec::new(),
            replay: ReplayMemory::new(config.replay_entries, remembered),
            sessions: Sessions::new(config.sessions),
            dummy: TicketSecret::from_parts([0; 8], 0, &[0x42; 32]),
            curve: Curve::default(),
            rng,
        }
    }

    /// What becomes of a POST to the tunnel path. Whoever calls brings every one of them here.
    pub fn check(&mut self, source: IpAddr, presented: &Presented<'_>, now: Now) -> Verdict {
        if let Err(empty) = self.buckets.take(source, now.instant) {
            return Verdict::Refused(empty.into());
        }
        self.erase_keys(now.unix);
        let found = presented.find(&self.cookie_name);
        let ticket = match found {
            Found::Ticket(_, text) => Payload::decode(text),
            Found::Session(_) | Found::Nothing => None,
        };
        let hour = self.prove(ticket.as_ref(), now.unix);
        match (found, ticket) {
            (Found::Nothing, _) => Verdict::Refused(Refusal::NoTicket),
            (Found::Session(cookie), _) => match self.sessions.take(cookie, now.instant) {
                Some(tunnel) => Verdict::Admitted { remember: None, tunnel },
                None => Verdict::Refused(Refusal::UnknownSession),
            },
            (Found::Ticket(_, _), None) => Verdict::Refused(Refusal::Malformed),
            (Found::Ticket(carrier, _), Some(ticket)) => {
                let admitted = hour.and_then(|hour| self.admit(carrier, &ticket, hour, now));
                admitted.unwrap_or_else(Verdict::Refused)
            }
        }
    }

    /// The hour that a ticket was made for.
    ///
    /// One operation on the curve and three comparisons, whatever is wrong with the ticket, and when there is none.
    fn prove(&mut self, ticket: Option<&Payload>, now: UnixMillis) -> Result<u64, Refusal> {
        let known = ticket.and_then(|ticket| Some((ticket, accepted(&self.secrets, &ticket.key_id, now)?)));
        let dummy = (&self.dummy, &DUMMY_PUBLIC, &[0; 8], &[0; 32]);
        let (secret, client_public, key_id, shown) = known.map_or(dummy, |(ticket, secret)| {
            (secret, &ticket.client_public, &ticket.key_id, &ticket.access)
        });
        let shared = self.curve.agree(secret, client_public);
        let this = hour_of(now);
        let (mut hour, mut matches) = (0, Choice::from(0));
        for candidate in [this.saturating_sub(1), this, this.saturating_add(1)] {
            let same = access(shared.as_bytes(), key_id, candidate).ct_eq(shown);
            hour.conditional_assign(&candidate, same);
            matches |= same;
        }
        if known.is_none() {
            Err(Refusal::UnknownKey)
        } else if !shared.was_contributory() {
            Err(Refusal::LowOrder)
        } else if !bool::from(matches) {
            Err(Refusal::Mismatch)
        } else {
            Ok(hour)
        }
    }

    fn admit(&mut self, carrier: Carrier, ticket: &Payload, hour: u64, now: Now) -> Result<Verdict, Refusal> {
        let entry = ReplayEntry::of(&ticket.access, hour);
        let tunnel = tunnel_id(&ticket.nonce);
        match carrier {
            Carrier::Cookie | Carrier::Query => {
                self.replay.remember(entry, now.unix)?;
                Ok(Verdict::Admitted { remember: Some(entry), tunnel })
            }
            Carrier::Body if self.sessions.has_room(now.instant) => {
                self.replay.remember(entry, now.unix)?;
                let cookie = self.sessions.make(tunnel, now.instant, &mut self.rng);
                Ok(Verdict::Session { remember: entry, cookie, tunnel })
            }
            Carrier::Body => Err(Refusal::SessionsFull),
        }
    }

    /// Takes a token for something else that costs the relay work.
    pub fn charge(&mut self, source: IpAddr, now: Now) -> Result<(), Empty> {
        self.buckets.take(source, now.instant)
    }

    /// Adds the key of a later day.
    pub fn add(&mut self, secret: TicketSecret) {
        self.secrets.push(secret);
    }

    /// Erases the keys whose time is over and forgets the tickets that need no longer be remembered. Returns the keys
    /// that were erased since the last call, to be erased from disk as well.
    pub fn erase(&mut self, now: UnixMillis) -> Vec<[u8; 8]> {
        self.replay.forget(now);
        self.erase_keys(now);
        std::mem::take(&mut self.erased)
    }

    fn erase_keys(&mut self, now: UnixMillis) {
        let over = self.secrets.extract_if(.., |secret| secret.ends() <= now);
        self.erased.extend(over.map(|secret| secret.id()));
    }

    /// When [`Self::erase`] has something to do; `None` without a key.
    pub fn next_erasure(&self) -> Option<UnixMillis> {
        self.secrets.iter().map(TicketSecret::ends).min()
    }

    /// How many operations on the curve were done: one for every request that found a token.
    pub fn curve_operations(&self) -> u64 {
        self.curve.operations
    }
}

/// The key of this id, if its time has begun; those whose time is over are erased.
fn accepted<'a>(secrets: &'a [TicketSecret], id: &[u8; 8], now: UnixMillis) -> Option<&'a TicketSecret> {
    secrets.iter().find(|secret| secret.id() == *id && secret.begins() <= now)
}

/// The only way of the gate to the curve, which counts.
#[derive(Debug, Default)]
struct Curve {
    operations: u64,
}

impl Curve {
    fn agree(&mut self, secret: &TicketSecret, public: &[u8; 32]) -> SharedSecret {
        self.operations = self.operations.saturating_add(1);
        secret.agree(public)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rand_core::SeedableRng;
    use x25519_dalek::{PublicKey, StaticSecret};

    use super::*;
    use crate::bucket::Rate;
    use crate::htx::record::tests::record;
    use crate::htx::ticket::{Issued, issue};
    use crate::ids::parse_hex;
    use crate::time::Instant;
    use crate::wire::record::NodeRecord;

    const DAY: u32 = 20_000;
    const HOUR_MS: u64 = 3_600_000;
    /// Noon of that day.
    const NOON: u64 = 20_000 * 24 + 12;

    /// A moment of an hour, in both clocks.
    fn at(hour: u64, ms: u64) -> Now {
        let unix = hour * HOUR_MS + ms;
        Now { instant: Instant::from_start(Duration::from_millis(unix)), unix: UnixMillis(unix) }
    }

    fn secret(day: u32) -> TicketSecret {
        TicketSecret::from_parts([1, 1, 1, 1, 1, 1, 1, 1], day, &[7; 32])
    }

    fn source() -> IpAddr {
        IpAddr::from([192, 0, 2, 1])
    }

    /// A gate whose buckets are never empty.
    fn gate(remembered: impl IntoIterator<Item = ReplayEntry>) -> Gate {
        let lifted = Rate { burst: 1, interval: Duration::ZERO };
        let buckets = BucketsConfig { source: lifted, global: lifted, sources: 1 };
        let config = GateConfig { buckets, ..GateConfig::new("__Host-sid".to_owned()) };
        Gate::new(config, [secret(DAY)], remembered, ChaCha20Rng::from_seed([1; 32]))
    }

    fn issued(carrier: Carrier, now: Now, seed: u8) -> Issued {
        let policy = format!("BN-Ticket: v1; carriers={}:1", carrier.as_str());
        let record = NodeRecord { policy, ticket_keys: vec![secret(DAY).public()], ..record() };
        issue(&record, now.unix, &mut ChaCha20Rng::from_seed([seed; 32])).unwrap()
    }

    /// A request that shows this pair where its carrier has it.
    fn show(carrier: Carrier, pair: &str) -> Presented<'_> {
        let pair = pair.as_bytes();
        match carrier {
            Carrier::Cookie => Presented { cookie: Some(pair), ..Presented::default() },
            Carrier::Query => Presented { query: Some(pair), ..Presented::default() },
            Carrier::Body => Presented { form: Some(pair), ..Presented::default() },
        }
    }

    fn check(gate: &mut Gate, issued: &Issued, now: Now) -> Verdict {
        gate.check(source(), &show(issued.carrier, &issued.pair()), now)
    }

    fn remembered(verdict: &Verdict) -> Option<ReplayEntry> {
        match verdict {
            Verdict::Admitted { remember, .. } => *remember,
            Verdict::Session { remember, .. } => Some(*remember),
            Verdict::Refused(_) => None,
        }
    }

    /// A ticket from these parts, as if its client had another key than it shows.
    fn forged(client_public: [u8; 32], agreed: &[u8; 32], key_id: [u8; 8], hour: u64) -> String {
        let access = *access(agreed, &key_id, hour);
        let payload = Payload { client_public, key_id, nonce: [5; 32], access };
        format!("bn1={}", payload.encode(&[0; 30]))
    }

    /// The secret that this client agrees on with the gate's key.
    fn agreed(client_secret: [u8; 32]) -> [u8; 32] {
        let relay = PublicKey::from(secret(DAY).public().public);
        StaticSecret::from(client_secret).diffie_hellman(&relay).to_bytes()
    }

    #[test]
    fn r10_a_ticket_is_accepted_in_its_hour_the_one_before_and_the_one_after_and_in_no_other() {
        for (hour, ms, accepted) in [
            (NOON - 3, 0, false),
            (NOON - 2, HOUR_MS - 1, false),
            (NOON - 1, 0, true),
            (NOON, 0, true),
            (NOON, HOUR_MS - 1, true),
            (NOON + 1, HOUR_MS - 1, true),
            (NOON + 2, 0, false),
            (NOON + 5, 0, false),
        ] {
            let ticket = issued(Carrier::Cookie, at(NOON, 1_000_000), 1);
            let verdict = check(&mut gate([]), &ticket, at(hour, ms));
            if accepted {
                let remember = remembered(&verdict).unwrap();
                assert_eq!(verdict, Verdict::Admitted { remember: Some(remember), tunnel: ticket.tunnel });
                assert_eq!(remember.hour, NOON);
            } else {
                assert_eq!(verdict, Verdict::Refused(Refusal::Mismatch), "hour {hour}");
            }
        }
    }

    #[test]
    fn r11_all_three_carriers_lead_to_a_tunnel_and_a_form_by_way_of_a_session() {
        let now = at(NOON, 0);
        let mut gate = gate([]);
        for carrier in [Carrier::Cookie, Carrier::Query] {
            let ticket = issued(carrier, now, 1);
            let verdict = check(&mut gate, &ticket, now);
            assert!(matches!(verdict, Verdict::Refused(Refusal::Replayed)) == (carrier == Carrier::Query));
        }
        let ticket = issued(Carrier::Query, now, 2);
        assert!(matches!(check(&mut gate, &ticket, now), Verdict::Admitted { remember: Some(_), .. }));

        let ticket = issued(Carrier::Body, now, 3);
        let Verdict::Session { cookie, tunnel, .. } = check(&mut gate, &ticket, now) else {
            panic!("a form makes a session")
        };
        assert_eq!(tunnel, ticket.tunnel);
        let opened =
            gate.check(source(), &show(Carrier::Cookie, &format!("__Host-sid={}", cookie.as_str())), now);
        assert_eq!(opened, Verdict::Admitted { remember: None, tunnel });
    }

    #[test]
    fn r11_a_session_opens_one_tunnel_within_30_seconds_and_under_the_name_of_the_record() {
        let mut gate = gate([]);
        let unknown = Verdict::Refused(Refusal::UnknownSession);
        for (seed, name, later, opens) in [
            (1, "__Host-sid", 0, true),
            (2, "__Host-sid", 29_999, true),
            (3, "__Host-sid", 30_000, false),
            (4, "sid", 0, false),
        ] {
            let posted = u64::from(seed) * 60_000;
            let ticket = issued(Carrier::Body, at(NOON, 0), seed);
            let Verdict::Session { cookie, .. } = check(&mut gate, &ticket, at(NOON, posted)) else {
                panic!("a form makes a session")
            };
            assert_eq!(cookie.as_str().len(), 22);
            let pair = format!("{name}={}", cookie.as_str());
            let opened = gate.check(source(), &show(Carrier::Cookie, &pair), at(NOON, posted + later));
            assert_eq!(
                matches!(opened, Verdict::Admitted { .. }),
                opens,
                "{name} after {later} ms: {opened:?}"
            );
            let again = gate.check(source(), &show(Carrier::Cookie, &pair), at(NOON, posted + later));
            assert!(again == unknown || name != "__Host-sid", "a session counts once: {again:?}");
        }
        let made_up = format!("__Host-sid={}", "A".repeat(22));
        assert_eq!(gate.check(source(), &show(Carrier::Cookie, &made_up), at(NOON, 600_000)), unknown);
    }

    #[test]
    fn sessions_are_bounded_and_a_form_that_finds_no_room_does_not_use_up_its_ticket() {
        let mut gate = gate([]);
        gate.sessions = Sessions::new(1);
        let (first, second) = (issued(Carrier::Body, at(NOON, 0), 1), issued(Carrier::Body, at(NOON, 0), 2));
        assert!(matches!(check(&mut gate, &first, at(NOON, 0)), Verdict::Session { .. }));
        assert_eq!(check(&mut gate, &second, at(NOON, 0)), Verdict::Refused(Refusal::SessionsFull));
        assert!(matches!(check(&mut gate, &second, at(NOON, 30_000)), Verdict::Session { .. }));
    }

    /// Every pair of moments at which a ticket of that hour is accepted, in steps of twenty minutes and at the very
    /// ends of hours; with a restart between them or without.
    #[test]
    fn r13_a_replay_is_refused_as_long_as_the_ticket_would_be_accepted_across_hours_and_restarts() {
        let ticket = issued(Carrier::Cookie, at(NOON, 0), 1);
        let in_hour = [0, 1_200_000, 2_400_000, HOUR_MS - 1];
        let moments: Vec<Now> =
            [NOON - 1, NOON, NOON + 1].iter().flat_map(|hour| in_hour.map(|ms| at(*hour, ms))).collect();
        for (index, first) in moments.iter().enumerate() {
            for later in &moments[index..] {
                let mut before = gate([]);
                let entry = remembered(&check(&mut before, &ticket, *first)).expect("the first is accepted");
                assert!(later.unix < entry.ends(), "what is on disk is kept as long");
                for mut gate in [before, gate([entry])] {
                    let verdict = check(&mut gate, &ticket, *later);
                    assert_eq!(verdict, Verdict::Refused(Refusal::Replayed), "{first:?}, then {later:?}");
                }
            }
        }
    }

    #[test]
    fn r13_a_ticket_used_through_one_carrier_is_used_for_all() {
        let mut gate = gate([]);
        let ticket = issued(Carrier::Cookie, at(NOON, 0), 1);
        assert!(remembered(&check(&mut gate, &ticket, at(NOON, 0))).is_some());
        for carrier in [Carrier::Query, Carrier::Body] {
            let pair = format!("bn1={}", ticket.value);
            let verdict = gate.check(source(), &show(carrier, &pair), at(NOON, 0));
            assert_eq!(verdict, Verdict::Refused(Refusal::Replayed), "{carrier:?}");
        }
    }

    /// Three more keys that agree on the same secret as the client's own: with the highest bit set; with the point of
    /// order two added, which turns u into 1/u (computed with Python's `pow`); and both.
    #[test]
    fn r13_a_used_ticket_is_refused_under_another_key_of_the_same_secret() {
        let client: [u8; 32] =
            parse_hex("202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f").unwrap();
        let own = PublicKey::from(&StaticSecret::from(client)).to_bytes();
        let inverse: [u8; 32] =
            parse_hex("e0c0efb518bee249116529870317e7a3c69987abc45dd0e368374798cde9a05e").unwrap();
        let high = |mut key: [u8; 32]| {
            key[31] |= 0x80;
            key
        };
        let shared = agreed(client);
        let mut gate = gate([]);
        for (index, key) in [own, high(own), inverse, high(inverse)].into_iter().enumerate() {
            assert_eq!(secret(DAY).agree(&key).to_bytes(), shared, "they agree on one secret");
            let pair = forged(key, &shared, secret(DAY).id(), NOON);
            let verdict = gate.check(source(), &show(Carrier::Query, &pair), at(NOON, 0));
            assert_eq!(matches!(verdict, Verdict::Admitted { .. }), index == 0, "key {index}: {verdict:?}");
        }
    }

    #[test]
    fn r13_a_full_replay_memory_admits_nobody_new() {
        let mut gate = gate([]);
        gate.replay = ReplayMemory::new(1, []);
        let (first, second) =
            (issued(Carrier::Cookie, at(NOON, 0), 1), issued(Carrier::Cookie, at(NOON, 0), 2));
        assert!(matches!(check(&mut gate, &first, at(NOON, 0)), Verdict::Admitted { .. }));
        assert_eq!(check(&mut gate, &second, at(NOON, 0)), Verdict::Refused(Refusal::MemoryFull));
        assert_eq!(check(&mut gate, &first, at(NOON, 0)), Verdict::Refused(Refusal::Replayed));
    }

    /// The eight encodings of points of low order that RFC 7748 implementations check for, highest bit clear.
    const LOW_ORDER: [&str; 7] = [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ];

    #[test]
    fn r14_a_key_of_low_order_gets_nobody_in_though_its_ticket_fits() {
        for key in LOW_ORDER {
            let pair = forged(parse_hex(key).unwrap(), &[0; 32], secret(DAY).id(), NOON);
            let verdict = gate([]).check(source(), &show(Carrier::Query, &pair), at(NOON, 0));
            assert_eq!(verdict, Verdict::Refused(Refusal::LowOrder), "{key}");
        }
    }

    #[test]
    fn r14_a_wrong_key_id_and_a_ticket_with_any_bit_flipped_are_refused() {
        let client = [9; 32];
        let own = PublicKey::from(&StaticSecret::from(client)).to_bytes();
        let refusal = |pair: &str| match gate([]).check(source(), &show(Carrier::Query, pair), at(NOON, 0)) {
            Verdict::Refused(refusal) => Some(refusal),
            Verdict::Admitted { .. } | Verdict::Session { .. } => None,
        };
        assert_eq!(refusal(&forged(own, &agreed(client), secret(DAY).id(), NOON)), None);
        assert_eq!(refusal(&forged(own, &agreed(client), [2; 8], NOON)), Some(Refusal::UnknownKey));
        for bit in 0..256 {
            let mut access = *access(&agreed(client), &secret(DAY).id(), NOON);
            access[bit / 8] ^= 1 << (bit % 8);
            let payload = Payload { client_public: own, key_id: secret(DAY).id(), nonce: [5; 32], access };
            let pair = format!("bn1={}", payload.encode(&[0; 24]));
            assert_eq!(refusal(&pair), Some(Refusal::Mismatch), "bit {bit}");
        }
    }

    #[test]
    fn r14_every_request_costs_one_curve_operation_whatever_it_shows() {
        let now = at(NOON, 0);
        let good = issued(Carrier::Cookie, now, 1);
        let form = issued(Carrier::Body, now, 2);
        let low = forged([0; 32], &[0; 32], secret(DAY).id(), NOON);
        let unknown = forged([3; 32], &[0; 32], [2; 8], NOON);
        let mismatch = forged([3; 32], &[0; 32], secret(DAY).id(), NOON);
        let junk = format!("bn1={}", "!".repeat(200));
        let version = format!("bn1=B{}", &good.value[1..]);
        let session = format!("__Host-sid={}", "A".repeat(22));
        let (good, form) = (good.pair(), form.pair());
        let nothing = Presented::default();
        let mut gate = gate([]);
        for (index, (presented, expected)) in [
            (nothing, Some(Refusal::NoTicket)),
            (show(Carrier::Cookie, "__Host-sid=of-the-decoy"), Some(Refusal::NoTicket)),
            (show(Carrier::Cookie, &good), None),
            (show(Carrier::Cookie, &good), Some(Refusal::Replayed)),
            (show(Carrier::Body, &form), None),
            (show(Carrier::Cookie, &session), Some(Refusal::UnknownSession)),
            (show(Carrier::Query, &low), Some(Refusal::LowOrder)),
            (show(Carrier::Query, &unknown), Some(Refusal::UnknownKey)),
            (show(Carrier::Query, &mismatch), Some(Refusal::Mismatch)),
            (show(Carrier::Query, &junk), Some(Refusal::Malformed)),
            (show(Carrier::Body, &version), Some(Refusal::Malformed)),
        ]
        .into_iter()
        .enumerate()
        {
            let verdict = gate.check(source(), &presented, now);
            let refusal = match verdict {
                Verdict::Refused(refusal) => Some(refusal),
                Verdict::Admitted { .. } | Verdict::Session { .. } => None,
            };
            assert_eq!(refusal, expected, "request {index}");
            assert_eq!(gate.curve_operations(), index as u64 + 1, "request {index}");
        }
    }

    #[test]
    fn r15_with_an_empty_bucket_nothing_is_done_on_the_curve_and_visitors_are_charged_like_clients() {
        let config = GateConfig::new("__Host-sid".to_owned());
        let mut gate = Gate::new(config, [secret(DAY)], [], ChaCha20Rng::from_seed([1; 32]));
        let now = at(NOON, 0);
        for _ in 0..60 {
            let visitor = gate.check(source(), &Presented::default(), now);
            assert_eq!(visitor, Verdict::Refused(Refusal::NoTicket));
        }
        assert_eq!(gate.curve_operations(), 60);
        let ticket = issued(Carrier::Cookie, now, 1);
        let refused = Verdict::Refused(Refusal::SourceBucket);
        assert_eq!(check(&mut gate, &ticket, now), refused);
        assert_eq!(gate.check(source(), &Presented::default(), now), refused);
        assert_eq!(
            gate.charge(source(), now),
            Err(Empty::Source),
            "other work is charged to the same bucket"
        );
        assert_eq!(gate.curve_operations(), 60, "no token, no curve");

        let other = gate.check(IpAddr::from([198, 51, 100, 1]), &show(Carrier::Cookie, &ticket.pair()), now);
        assert!(
            matches!(other, Verdict::Admitted { .. }),
            "what was refused for want of a token is not used up"
        );
        assert!(matches!(
            check(&mut gate, &issued(Carrier::Cookie, now, 2), at(NOON, 1000)),
            Verdict::Admitted { .. }
        ));
    }

    #[test]
    fn a_key_is_accepted_from_three_hours_before_its_day_to_three_hours_after_and_then_erased() {
        let (first, end) = (u64::from(DAY) * 24 - 3, u64::from(DAY) * 24 + 27);
        for (now, accepted) in [
            (at(first - 1, HOUR_MS - 1), false),
            (at(first, 0), true),
            (at(end - 1, HOUR_MS - 1), true),
            (at(end, 0), false),
        ] {
            let client = [9; 32];
            let own = PublicKey::from(&StaticSecret::from(client)).to_bytes();
            let hour = hour_of(now.unix);
            let pair = forged(own, &agreed(client), secret(DAY).id(), hour);
            let mut gate = gate([]);
            let verdict = gate.check(source(), &show(Carrier::Query, &pair), now);
            assert_eq!(matches!(verdict, Verdict::Admitted { .. }), accepted, "hour {hour}: {verdict:?}");
            assert_eq!(gate.curve_operations(), 1);
        }

        let mut gate = gate([]);
        assert_eq!(gate.next_erasure(), Some(at(end, 0).unix));
        assert_eq!(gate.erase(at(end - 1, HOUR_MS - 1).unix), [[0; 8]; 0]);
        gate.check(source(), &Presented::default(), at(end, 0));
        assert!(
            gate.secrets.is_empty(),
            "erased by the first request after its time, if nobody asked before"
        );
        assert_eq!(gate.erase(at(end, 0).unix), [secret(DAY).id()], "and told of");
        assert_eq!(gate.erase(at(end, 0).unix), [[0; 8]; 0], "once");
        assert_eq!(gate.next_erasure(), None);
        gate.add(secret(DAY + 2));
        assert_eq!(gate.next_erasure(), Some(at(end + 48, 0).unix));
    }

    #[test]
    fn r53_debug_shows_neither_cookie_nor_key() {
        let mut gate = gate([]);
        let ticket = issued(Carrier::Body, at(NOON, 0), 1);
        let verdict = check(&mut gate, &ticket, at(NOON, 0));
        let Verdict::Session { cookie, .. } = &verdict else { panic!("a form makes a session") };
        let shown = format!("{gate:?} {verdict:?}");
        assert!(!shown.contains(cookie.as_str()) && !shown.contains("7, 7, 7, 7"));
    }
}
