//! Our own texts for people who are away: which couriers have them, and which are still looked for.

use std::collections::BTreeMap;

use bytes::{Buf, BufMut, Bytes};

use super::carried::{check_life, peer};
use crate::ids::{MessageId, PeerId};
use crate::time::UnixMillis;
use crate::wire::CourierEnvelope;

/// Couriers for one text (spec 3.11).
pub(super) const MAX_COURIERS: usize = 3;
/// Copies that each courier may spread (spec 3.11).
pub(super) const COPIES: u8 = 4;
/// Texts at once for one person (spec 3.11); of these the one that expires first goes first.
const PER_PERSON: usize = 100;
/// Texts at once for everybody; whoever has the most of them gives way.
const MAX_DEPOSITS: usize = 400;
/// The most parts a text may have to be left with couriers: from each of its favourites one takes five envelopes.
pub(super) const MAX_PARTS: usize = 4;
const VERSION: u8 = 1;

/// A text that is not sealed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plain {
    /// The inner payloads, one for each part.
    pub(super) parts: Vec<Vec<u8>>,
    /// From when on nobody wants it.
    pub(super) expires: UnixMillis,
    /// It may take a day or more, so it expires a day after what is told as its time.
    pub(super) day_long: bool,
}

/// What a text is at this time.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Content {
    /// It is sealed when the first courier is there.
    Plain(Plain),
    /// The envelopes: the same for every courier.
    Sealed(Vec<CourierEnvelope>),
}

#[derive(Debug)]
struct Deposit {
    to: PeerId,
    expires: UnixMillis,
    content: Content,
    couriers: Vec<PeerId>,
    /// Its place among all, in the order in which they came.
    order: u64,
}

/// A text that a courier may be left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) id: MessageId,
    pub(super) to: PeerId,
    /// Its envelopes.
    pub(super) parts: usize,
}

/// Our texts.
#[derive(Debug, Default)]
pub(in crate::mesh) struct Deposits {
    waiting: BTreeMap<MessageId, Deposit>,
    orders: u64,
}

impl Deposits {
    /// Takes a text; nothing happens when it is known. The one that had to go for it, and whether no courier has it.
    pub(super) fn add(&mut self, id: MessageId, to: PeerId, plain: Plain) -> Option<(MessageId, bool)> {
        if self.waiting.contains_key(&id) {
            return None;
        }
        let gone = self.who_gives_way(to).and_then(|whose| self.first_of(whose));
        let unleft = gone.is_some_and(|gone| !self.remove(gone));
        self.orders += 1;
        let (expires, order) = (plain.expires, self.orders);
        let content = Content::Plain(plain);
        self.waiting.insert(id, Deposit { to, expires, content, couriers: Vec::new(), order });
        gone.map(|gone| (gone, unleft))
    }

    /// Whose text has to go for one more to this person.
    fn who_gives_way(&self, to: PeerId) -> Option<PeerId> {
        let mut shares: BTreeMap<PeerId, usize> = BTreeMap::new();
        for deposit in self.waiting.values() {
            *shares.entry(deposit.to).or_default() += 1;
        }
        if shares.get(&to).is_some_and(|&share| share >= PER_PERSON) {
            return Some(to);
        }
        let most = shares.into_iter().max_by_key(|&(_, share)| share).map(|(whose, _)| whose);
        most.filter(|_| self.waiting.len() >= MAX_DEPOSITS)
    }

    fn first_of(&self, to: PeerId) -> Option<MessageId> {
        let theirs = self.waiting.iter().filter(|(_, deposit)| deposit.to == to);
        theirs.min_by_key(|(_, deposit)| (deposit.expires, deposit.order)).map(|(id, _)| *id)
    }

    /// Whether a text is for this peer.
    pub(super) fn is_for(&self, peer: PeerId, id: MessageId) -> bool {
        self.waiting.get(&id).is_some_and(|deposit| deposit.to == peer)
    }

    /// A text is wanted no longer; true when couriers have it.
    pub(super) fn remove(&mut self, id: MessageId) -> bool {
        self.waiting.remove(&id).is_some_and(|deposit| !deposit.couriers.is_empty())
    }

    /// The texts that this courier may be left, the oldest first.
    pub(super) fn for_courier(&self, courier: PeerId) -> Vec<Due> {
        let may = |deposit: &Deposit| {
            deposit.to != courier
                && deposit.couriers.len() < MAX_COURIERS
                && !deposit.couriers.contains(&courier)
        };
        let mut due: Vec<_> = self.waiting.iter().filter(|(_, deposit)| may(deposit)).collect();
        due.sort_by_key(|(_, deposit)| (deposit.expires, deposit.order));
        due.into_iter().map(|(&id, deposit)| Due { id, to: deposit.to, parts: deposit.parts() }).collect()
    }

    /// How many envelopes of ours a courier has, as far as we know: those of a text that arrived are gone.
    pub(super) fn left(&self, courier: PeerId) -> usize {
        let has = |deposit: &&Deposit| deposit.couriers.contains(&courier);
        self.waiting.values().filter(has).map(Deposit::parts).sum()
    }

    /// A text that is not sealed yet.
    pub(super) fn plain(&self, id: MessageId) -> Option<Plain> {
        match &self.waiting.get(&id)?.content {
            Content::Plain(plain) => Some(plain.clone()),
            Content::Sealed(_) => None,
        }
    }

    /// A text was sealed, to live as long as its envelopes: nothing else of it stays.
    pub(super) fn sealed(&mut self, id: MessageId, envelopes: Vec<CourierEnvelope>, expires: UnixMillis) {
        if let Some(deposit) = self.waiting.get_mut(&id) {
            deposit.expires = expires;
            deposit.content = Content::Sealed(envelopes);
        }
    }

    /// The envelopes of a text.
    pub(super) fn envelopes(&self, id: MessageId) -> Vec<CourierEnvelope> {
        match self.waiting.get(&id).map(|deposit| &deposit.content) {
            Some(Content::Sealed(envelopes)) => envelopes.clone(),
            Some(Content::Plain(_)) | None => Vec::new(),
        }
    }

    /// A courier has it; how many do.
    pub(super) fn left_with(&mut self, id: MessageId, courier: PeerId) -> usize {
        let Some(deposit) = self.waiting.get_mut(&id) else { return 0 };
        deposit.couriers.push(courier);
        deposit.couriers.len()
    }

    /// The texts whose time is over; they are gone from here on.
    pub(super) fn expire(&mut self, now: UnixMillis) -> Vec<MessageId> {
        let old = self.waiting.iter().filter(|(_, deposit)| deposit.expires <= now);
        let gone: Vec<MessageId> = old.map(|(&id, _)| id).collect();
        for id in &gone {
            self.waiting.remove(id);
        }
        gone
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// A sealed text with its couriers, to be kept. One that is not sealed yet comes again out of the outbox.
    pub(super) fn encode(&self, id: MessageId) -> Option<Bytes> {
        let Deposit { to, expires, content: Content::Sealed(envelopes), couriers, .. } =
            self.waiting.get(&id)?
        else {
            return None;
        };
        let mut value = vec![VERSION];
        value.put_slice(to.as_bytes());
        value.put_u64(expires.0);
        value.put_u8(u8::try_from(couriers.len()).ok()?);
        couriers.iter().for_each(|courier| value.put_slice(courier.as_bytes()));
        for envelope in envelopes {
            let payload = envelope.encode().ok()?;
            value.put_u16(u16::try_from(payload.len()).ok()?);
            value.extend(payload);
        }
        Some(value.into())
    }

    /// Takes back what [`Self::encode`] wrote, and says how many couriers have it; nothing when it is none, or of no
    /// use any more.
    pub(super) fn restore(&mut self, id: MessageId, value: Bytes, now: UnixMillis) -> Option<usize> {
        let mut deposit = decode(value).filter(|deposit| deposit.expires > now)?;
        self.orders += 1;
        deposit.order = self.orders;
        let couriers = (self.waiting.len() < MAX_DEPOSITS).then_some(deposit.couriers.len())?;
        self.waiting.insert(id, deposit);
        Some(couriers)
    }
}

impl Deposit {
    fn parts(&self) -> usize {
        match &self.content {
            Content::Plain(plain) => plain.parts.len(),
            Content::Sealed(envelopes) => envelopes.len(),
        }
    }
}

fn decode(mut value: Bytes) -> Option<Deposit> {
    if value.try_get_u8().ok()? != VERSION {
        return None;
    }
    let to = peer(&mut value)?;
    let expires = UnixMillis(value.try_get_u64().ok()?);
    let count = usize::from(value.try_get_u8().ok()?);
    let couriers: Option<Vec<PeerId>> = (0..count.min(MAX_COURIERS)).map(|_| peer(&mut value)).collect();
    let mut envelopes = Vec::new();
    while value.has_remaining() && envelopes.len() < MAX_PARTS {
        let len = usize::from(value.try_get_u16().ok()?);
        let payload = (len <= value.len()).then(|| value.split_to(len))?;
        envelopes.push(CourierEnvelope::decode(&payload).ok()?);
    }
    let content = Content::Sealed(envelopes);
    Some(Deposit { to, expires, content, couriers: couriers?, order: 0 })
}

/// Whether envelopes that were sealed before may still be left with anybody.
pub(super) fn all_alive(envelopes: &[CourierEnvelope], now: UnixMillis) -> bool {
    envelopes.iter().all(|envelope| check_life(envelope, now).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_800_000_000_000);
    const BEN: PeerId = PeerId([2; 8]);

    fn id(number: u8) -> MessageId {
        MessageId([number; 16])
    }

    fn courier(number: u8) -> PeerId {
        PeerId([100 + number; 8])
    }

    fn plain(expires: UnixMillis, parts: usize) -> Plain {
        Plain { parts: vec![vec![1]; parts], expires, day_long: true }
    }

    fn deposits() -> Deposits {
        let mut deposits = Deposits::default();
        deposits.add(id(1), BEN, plain(UnixMillis(NOW.0 + 1000), 1));
        deposits
    }

    fn envelope() -> CourierEnvelope {
        let expires = UnixMillis(NOW.0 + 1000);
        CourierEnvelope {
            tag: [7; 16],
            expires,
            ciphertext: vec![1, 2].into(),
            copies: COPIES,
            prekey: Some(3),
        }
    }

    #[test]
    fn a_text_is_left_with_three_couriers_and_never_with_its_recipient() {
        let mut deposits = deposits();
        assert_eq!(deposits.for_courier(BEN), []);
        for number in 1..=3 {
            assert_eq!(deposits.for_courier(courier(number)), [Due { id: id(1), to: BEN, parts: 1 }]);
            assert_eq!(deposits.left_with(id(1), courier(number)), usize::from(number));
            assert_eq!(deposits.left(courier(number)), 1);
            assert_eq!(deposits.for_courier(courier(number)), []);
        }
        assert_eq!(deposits.for_courier(courier(4)), []);
        assert!(deposits.remove(id(1)) && !deposits.remove(id(1)));
        assert_eq!(deposits.left(courier(1)), 0, "it arrived");
    }

    #[test]
    fn a_hundred_for_each_of_four_people_and_the_one_that_expires_first_goes() {
        let mut deposits = deposits();
        deposits.left_with(id(1), courier(1));
        assert_eq!(deposits.add(id(1), BEN, plain(NOW, 1)), None);
        assert_eq!(deposits.for_courier(courier(1)), [], "it is the one that was left already");
        let later = UnixMillis(NOW.0 + 2000);
        let many =
            |person: u8, number: u8| MessageId([person, number, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9]);
        for number in 2..=100 {
            assert_eq!(deposits.add(many(BEN.0[0], number), BEN, plain(later, 1)), None);
        }
        for (person, number) in (3..6).flat_map(|person| (1..=100).map(move |number| (person, number))) {
            assert_eq!(deposits.add(many(person, number), PeerId([person; 8]), plain(later, 1)), None);
        }
        assert_eq!(deposits.add(id(101), BEN, plain(later, 1)), Some((id(1), false)), "a courier has it");
        assert_eq!(deposits.add(id(102), BEN, plain(later, 1)), Some((many(2, 2), true)), "none has it");
        let somebody = deposits.add(id(103), PeerId([7; 8]), plain(later, 1));
        assert_eq!(somebody, Some((many(5, 1), true)), "whoever has the most gives way");
        assert_eq!(deposits.expire(later).len(), MAX_DEPOSITS);
    }

    #[test]
    fn the_oldest_is_left_first() {
        let mut deposits = Deposits::default();
        for (number, life) in [(9, 1000), (3, 1000), (5, 900), (7, 1000)] {
            deposits.add(id(number), BEN, plain(UnixMillis(NOW.0 + life), 2));
        }
        let order: Vec<MessageId> = deposits.for_courier(courier(1)).iter().map(|due| due.id).collect();
        assert_eq!(order, [id(5), id(9), id(3), id(7)]);
    }

    #[test]
    fn a_sealed_text_comes_back_with_its_couriers() {
        let mut deposits = deposits();
        assert_eq!(deposits.encode(id(1)), None, "what is not sealed comes out of the outbox again");
        let sealed_until = UnixMillis(NOW.0 + 500);
        deposits.sealed(id(1), vec![envelope(), envelope()], sealed_until);
        assert_eq!(deposits.plain(id(1)), None);
        deposits.left_with(id(1), courier(1));
        let value = deposits.encode(id(1)).unwrap();
        let mut again = Deposits::default();
        assert_eq!(again.restore(id(1), value.clone(), NOW), Some(1));
        assert_eq!(again.envelopes(id(1)), deposits.envelopes(id(1)));
        assert_eq!(again.for_courier(courier(1)), []);
        assert_eq!(Deposits::default().restore(id(1), value.clone(), sealed_until), None);
        assert_eq!(deposits.expire(sealed_until), [id(1)]);
        for len in 0..value.len() {
            Deposits::default().restore(id(1), value.slice(..len), NOW);
        }
    }
}
