//! Which notices stand, which were withdrawn, and who gives way when there are too many (spec 3.13).
//!
//! Of one author the newest five posts stand. When the board is full, a post takes the place of one whose author
//! means less to us: ours come before those of contacts, and theirs before strangers'. Among equals nothing gives way:
//! keys cost nothing, so whoever came first stays until it expires. What finds no place is passed on and not kept.
//! Withdrawals have bounds of their own, by the same rule.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use super::error::DropReason;
use super::kept::{Keep, Kept, Shelf};
use crate::crypto::Verified;
use crate::ids::PostId;
use crate::time::UnixMillis;
use crate::wire::{Board, MAX_POST_LIFE, Post, Tombstone};

/// How far an author's clock may be ahead.
pub(super) const SKEW: Duration = Duration::from_secs(60 * 60);
/// The longest frame that is kept: what a post can have, and a route.
const MAX_FRAME_LEN: usize = 2_048;
/// The longest payload: the fields of a post, and a few that later versions may add.
pub(super) const MAX_PAYLOAD_LEN: usize = 1_024;
/// The first byte of what is kept.
const KEPT_VERSION: u8 = 1;

/// What its author means to us; the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// Nobody we know: the key proves that its posts are of one hand, and nothing else.
    Stranger,
    /// A contact.
    Known,
    /// This node.
    Own,
}

/// A post by who wrote it and what it is called: an id alone could be taken by somebody else.
pub(super) type Key = ([u8; 32], PostId);

/// What became of a notice that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Taken {
    /// A post stands that did not before; the other one of its author had to go.
    Stands { post: Post, oldest: Option<Box<Post>> },
    /// A post that stood is withdrawn.
    Withdrawn(Post),
    /// The withdrawal of a post we have not seen is remembered.
    Awaited,
}

/// What takes places of which bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Post,
    /// The withdrawal of a post that stood here.
    Grave,
    /// The withdrawal of one that never came.
    Orphan,
}

struct Limit {
    all: usize,
    of_one_author: usize,
}

impl Kind {
    const fn limit(self) -> Limit {
        match self {
            Self::Post => Limit { all: 200, of_one_author: 5 },
            Self::Grave => Limit { all: 200, of_one_author: 20 },
            Self::Orphan => Limit { all: 100, of_one_author: 5 },
        }
    }

    const fn code(self) -> u8 {
        match self {
            Self::Post => 0,
            Self::Grave => 1,
            Self::Orphan => 2,
        }
    }
}

#[derive(Debug)]
enum Content {
    Post(Post),
    Tombstone { kind: Kind, deleted: UnixMillis, until: UnixMillis },
}

#[derive(Debug)]
struct Entry {
    content: Content,
    frame: Bytes,
}

impl Entry {
    fn kind(&self) -> Kind {
        match &self.content {
            Content::Post(_) => Kind::Post,
            Content::Tombstone { kind, .. } => *kind,
        }
    }

    /// When its author made it, by the author's clock.
    fn made(&self) -> UnixMillis {
        match &self.content {
            Content::Post(post) => post.created,
            Content::Tombstone { deleted, .. } => *deleted,
        }
    }

    fn ends(&self) -> UnixMillis {
        match &self.content {
            Content::Post(post) => post.expires,
            Content::Tombstone { until, .. } => *until,
        }
    }
}

/// Everything that stands, and everything that may not come back.
#[derive(Debug, Default)]
pub(super) struct BoardStore {
    entries: BTreeMap<Key, Entry>,
    changes: Vec<Keep>,
}

impl BoardStore {
    /// Takes a notice whose author is proven; `standing` says what an author means to us.
    pub(super) fn take(
        &mut self,
        board: Verified<Board>,
        frame: Bytes,
        standing: &impl Fn(&[u8; 32]) -> Standing,
        now: UnixMillis,
    ) -> Result<Taken, DropReason> {
        if frame.len() > MAX_FRAME_LEN {
            return Err(DropReason::Payload);
        }
        self.expire(now);
        match board.into_inner() {
            Board::Post(post) => self.post(post, frame, standing, now),
            Board::Tombstone(tombstone) => self.tombstone(&tombstone, frame, standing, now),
        }
    }

    fn post(
        &mut self,
        post: Post,
        frame: Bytes,
        standing: &impl Fn(&[u8; 32]) -> Standing,
        now: UnixMillis,
    ) -> Result<Taken, DropReason> {
        let key = (post.author, post.id);
        match self.entries.get(&key).map(Entry::kind) {
            Some(Kind::Post) => return Err(DropReason::Duplicate),
            Some(Kind::Grave | Kind::Orphan) => return Err(DropReason::BoardStale),
            None => {}
        }
        let latest = now + SKEW;
        if post.expires <= now || post.created > latest || post.expires > latest + MAX_POST_LIFE {
            return Err(DropReason::BoardStale);
        }
        let entry = Entry { content: Content::Post(post.clone()), frame };
        let oldest = match self.make_room(key, &entry, standing)? {
            Some(Entry { content: Content::Post(oldest), .. }) if oldest.author == post.author => {
                Some(Box::new(oldest))
            }
            Some(_) | None => None,
        };
        self.put(key, entry);
        Ok(Taken::Stands { post, oldest })
    }

    fn tombstone(
        &mut self,
        tombstone: &Tombstone,
        frame: Bytes,
        standing: &impl Fn(&[u8; 32]) -> Standing,
        now: UnixMillis,
    ) -> Result<Taken, DropReason> {
        let key = (tombstone.author, tombstone.id);
        let deleted = tombstone.deleted;
        match self.entries.get(&key).map(|entry| &entry.content) {
            Some(Content::Tombstone { .. }) => Err(DropReason::Duplicate),
            Some(Content::Post(post)) => {
                let post = post.clone();
                self.remove(key);
                let content = Content::Tombstone { kind: Kind::Grave, deleted, until: post.expires };
                let entry = Entry { content, frame };
                // The post is gone even where its withdrawal finds no place.
                if self.make_room(key, &entry, standing).is_ok() {
                    self.put(key, entry);
                }
                Ok(Taken::Withdrawn(post))
            }
            None => {
                // No post that it could be about lives longer than either of these.
                let until = (deleted + MAX_POST_LIFE).min(now + SKEW + MAX_POST_LIFE);
                if until <= now {
                    return Err(DropReason::BoardStale);
                }
                let content = Content::Tombstone { kind: Kind::Orphan, deleted, until };
                let entry = Entry { content, frame };
                self.make_room(key, &entry, standing)?;
                self.put(key, entry);
                Ok(Taken::Awaited)
            }
        }
    }

    /// Lets something go for an entry, if it has to and may; what that was.
    fn make_room(
        &mut self,
        (author, id): Key,
        entry: &Entry,
        standing: &impl Fn(&[u8; 32]) -> Standing,
    ) -> Result<Option<Entry>, DropReason> {
        let Limit { all, of_one_author } = entry.kind().limit();
        let alike = || self.entries.iter().filter(|(_, other)| other.kind() == entry.kind());
        let of_author = || alike().filter(|((other, _), _)| *other == author);
        let victim = if of_author().count() >= of_one_author {
            let age = |key: &Key, entry: &Entry| (entry.made(), key.1);
            let oldest = of_author().min_by_key(|&(key, entry)| age(key, entry));
            oldest.filter(|&(key, oldest)| age(key, oldest) < (entry.made(), id)).map(|(key, _)| *key)
        } else if alike().count() >= all {
            let rank = standing(&author);
            let least = alike().min_by_key(|(key, entry)| (standing(&key.0), entry.ends(), **key));
            least.filter(|(key, _)| standing(&key.0) < rank).map(|(key, _)| *key)
        } else {
            return Ok(None);
        };
        self.remove(victim.ok_or(DropReason::BoardFull)?).map_or(Ok(None), |gone| Ok(Some(gone)))
    }

    fn put(&mut self, key: Key, entry: Entry) {
        let value = kept_value(&entry);
        self.changes.push(Keep::Put(Kept { shelf: Shelf::Board, key: kept_key(key), value }));
        self.entries.insert(key, entry);
    }

    fn remove(&mut self, key: Key) -> Option<Entry> {
        let removed = self.entries.remove(&key)?;
        self.changes.push(Keep::Remove { shelf: Shelf::Board, key: kept_key(key) });
        Some(removed)
    }

    /// Forgets what has expired.
    pub(super) fn expire(&mut self, now: UnixMillis) {
        let expired: Vec<Key> =
            self.entries.iter().filter(|(_, entry)| entry.ends() <= now).map(|(key, _)| *key).collect();
        for key in expired {
            self.remove(key);
        }
    }

    /// What is to be kept or no longer kept since this was last asked.
    pub(super) fn take_changes(&mut self) -> Vec<Keep> {
        std::mem::take(&mut self.changes)
    }

    /// The posts that stand.
    pub(super) fn posts(&self, now: UnixMillis) -> impl Iterator<Item = &Post> {
        self.entries.values().filter_map(move |entry| match &entry.content {
            Content::Post(post) if post.expires > now => Some(post),
            Content::Post(_) | Content::Tombstone { .. } => None,
        })
    }

    /// The packets of everything that stands or was withdrawn, as they came: for whoever was away.
    pub(super) fn frames(&self, now: UnixMillis) -> impl Iterator<Item = &Bytes> {
        self.entries.values().filter(move |entry| entry.ends() > now).map(|entry| &entry.frame)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Takes back what an earlier run kept, its signature checked again; false when it is worth nothing.
    pub(super) fn restore(&mut self, kept: &Restored, board: Verified<Board>, now: UnixMillis) -> bool {
        let (key, content) = match board.into_inner() {
            Board::Post(post) => ((post.author, post.id), Content::Post(post)),
            Board::Tombstone(tombstone) => {
                let kind = if kept.orphan { Kind::Orphan } else { Kind::Grave };
                let until = kept.until.min(now + SKEW + MAX_POST_LIFE);
                let content = Content::Tombstone { kind, deleted: tombstone.deleted, until };
                ((tombstone.author, tombstone.id), content)
            }
        };
        let entry = Entry { content, frame: kept.frame.clone() };
        if kept.key != kept_key(key)
            || entry.ends() <= now
            || self.make_room(key, &entry, &|_| Standing::Stranger).is_err()
        {
            return false;
        }
        self.entries.insert(key, entry);
        true
    }
}

/// A value as it was kept, not yet believed.
pub(super) struct Restored {
    key: Bytes,
    orphan: bool,
    until: UnixMillis,
    /// The packet.
    pub(super) frame: Bytes,
}

impl Restored {
    /// Reads a kept value; `None` for one that another version wrote.
    pub(super) fn read(key: &Bytes, value: &Bytes) -> Option<Self> {
        let (head, frame) = value.split_first_chunk::<10>()?;
        let [version, kind, until @ ..] = *head;
        (version == KEPT_VERSION && frame.len() <= MAX_FRAME_LEN).then(|| Self {
            key: key.clone(),
            orphan: kind == Kind::Orphan.code(),
            until: UnixMillis(u64::from_be_bytes(until)),
            frame: value.slice_ref(frame),
        })
    }
}

fn kept_key((author, id): Key) -> Bytes {
    [author.as_slice(), &id.0].concat().into()
}

/// The version, the kind, until when, the packet.
fn kept_value(entry: &Entry) -> Bytes {
    let head = [KEPT_VERSION, entry.kind().code()];
    [head.as_slice(), &entry.ends().0.to_be_bytes(), &entry.frame].concat().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{Identity, verify};
    use proptest::prelude::*;

    const NOW: UnixMillis = UnixMillis(1_800_000_000_000);
    const HOUR: u64 = 60 * 60 * 1000;

    fn author(seed: u8) -> Identity {
        Identity::from_bytes(&[seed; 64])
    }

    fn stranger(_: &[u8; 32]) -> Standing {
        Standing::Stranger
    }

    fn believed(board: Board) -> Verified<Board> {
        let (author, signature, preimage) = (*board.author(), *board.signature(), board.signing_preimage());
        verify(&author, &signature, [preimage], board).unwrap()
    }

    /// A post of this author, made and ending so many milliseconds after `NOW` (minus an hour).
    fn post(by: &Identity, id: u8, made: u64, life: u64) -> Verified<Board> {
        let created = UnixMillis(NOW.0 - HOUR + made);
        let mut post = Post {
            id: PostId([id; 16]),
            geohash: String::new(),
            content: format!("{id}"),
            author: by.signing_public(),
            nickname: "x".to_owned(),
            created,
            expires: UnixMillis(created.0 + life),
            flags: 0,
            signature: [0; 64],
        };
        post.signature = by.sign(&post.signing_preimage());
        believed(Board::Post(post))
    }

    fn tombstone(by: &Identity, id: u8) -> Verified<Board> {
        let mut tombstone =
            Tombstone { id: PostId([id; 16]), author: by.signing_public(), deleted: NOW, signature: [0; 64] };
        tombstone.signature = by.sign(&tombstone.signing_preimage());
        believed(Board::Tombstone(tombstone))
    }

    fn take(store: &mut BoardStore, board: Verified<Board>) -> Result<Taken, DropReason> {
        store.take(board, Bytes::from_static(b"frame"), &stranger, NOW)
    }

    fn ids(store: &BoardStore) -> Vec<u8> {
        let mut ids: Vec<u8> = store.posts(NOW).map(|post| post.id.0[0]).collect();
        ids.sort_unstable();
        ids
    }

    #[test]
    fn of_one_author_the_newest_five_stand_in_whatever_order_they_come() {
        let ada = author(1);
        for order in [[0, 1, 2, 3, 4, 5, 6], [6, 5, 4, 3, 2, 1, 0], [3, 6, 0, 5, 1, 4, 2]] {
            let mut store = BoardStore::default();
            for id in order {
                let taken = take(&mut store, post(&ada, id, u64::from(id), 2 * HOUR));
                assert!(matches!(taken, Ok(Taken::Stands { .. }) | Err(DropReason::BoardFull)));
            }
            assert_eq!(ids(&store), [2, 3, 4, 5, 6]);
        }
    }

    #[test]
    fn a_withdrawn_post_stays_away_whichever_comes_first() {
        let (ada, mallory) = (author(1), author(2));
        let mut store = BoardStore::default();
        assert!(take(&mut store, post(&ada, 1, 0, 2 * HOUR)).is_ok());
        assert_eq!(take(&mut store, tombstone(&mallory, 1)), Ok(Taken::Awaited), "another author's");
        assert_eq!(ids(&store), [1]);
        assert!(matches!(take(&mut store, tombstone(&ada, 1)), Ok(Taken::Withdrawn(_))));
        assert_eq!(take(&mut store, post(&ada, 1, 0, 2 * HOUR)), Err(DropReason::BoardStale));
        assert_eq!(take(&mut store, tombstone(&ada, 2)), Ok(Taken::Awaited));
        assert_eq!(take(&mut store, post(&ada, 2, 0, 2 * HOUR)), Err(DropReason::BoardStale));
        assert!(ids(&store).is_empty());
        assert_eq!(take(&mut store, tombstone(&ada, 2)), Err(DropReason::Duplicate));
    }

    #[test]
    fn what_is_over_or_not_yet_or_too_long_is_refused() {
        let ada = author(1);
        let mut store = BoardStore::default();
        assert_eq!(take(&mut store, post(&ada, 1, 0, HOUR)), Err(DropReason::BoardStale), "over");
        assert_eq!(
            take(&mut store, post(&ada, 2, 2 * HOUR + 1, HOUR)),
            Err(DropReason::BoardStale),
            "not yet"
        );
        assert!(take(&mut store, post(&ada, 3, 2 * HOUR, 7 * 24 * HOUR)).is_ok());
        store.expire(NOW + SKEW + MAX_POST_LIFE);
        assert!(store.is_empty());
    }

    #[test]
    fn invented_keys_push_out_nobody_and_a_contact_pushes_out_an_invented_key() {
        let (ada, contact) = (author(1), author(2));
        let mut store = BoardStore::default();
        take(&mut store, post(&ada, 1, 0, 2 * HOUR)).unwrap();
        let mut refused = 0;
        for seed in 3..=255_u8 {
            let taken = take(&mut store, post(&author(seed), seed, HOUR, 7 * 24 * HOUR));
            refused += u32::from(taken == Err(DropReason::BoardFull));
        }
        assert_eq!((store.posts(NOW).count(), refused), (200, 54));
        assert!(ids(&store).contains(&1), "the stranger who came first stays");
        let known = |key: &[u8; 32]| {
            if *key == contact.signing_public() { Standing::Known } else { Standing::Stranger }
        };
        let taken = store.take(post(&contact, 2, 0, 3 * HOUR), Bytes::new(), &known, NOW);
        assert!(matches!(taken, Ok(Taken::Stands { oldest: None, .. })));
        assert_eq!(store.posts(NOW).count(), 200);
        assert!(!ids(&store).contains(&1), "the stranger's that would have ended first");
        let flood = store.take(post(&author(255), 255, HOUR, 7 * 24 * HOUR), Bytes::new(), &known, NOW);
        assert_eq!(flood, Err(DropReason::BoardFull));
    }

    #[test]
    fn withdrawals_of_posts_nobody_saw_are_bounded_for_each_author_and_for_all() {
        let mut store = BoardStore::default();
        for id in 0..10 {
            take(&mut store, tombstone(&author(1), id)).ok();
        }
        assert_eq!(store.frames(NOW).count(), 5);
        for seed in 2..=200_u8 {
            take(&mut store, tombstone(&author(seed), 0)).ok();
        }
        assert_eq!(store.frames(NOW).count(), 100);
    }

    proptest! {
        /// What was kept is what stands, after any sequence, and a restart changes nothing.
        #[test]
        fn what_is_kept_is_what_stands(steps in proptest::collection::vec((1_u8..4, 0_u8..9, any::<bool>()), 0..60)) {
            let mut store = BoardStore::default();
            let mut disk: BTreeMap<Bytes, Bytes> = BTreeMap::new();
            let mut boards: BTreeMap<Bytes, Verified<Board>> = BTreeMap::new();
            for (by, id, withdraw) in steps {
                let by = author(by);
                let board =
                    if withdraw { tombstone(&by, id) } else { post(&by, id, u64::from(id), 2 * HOUR) };
                let frame = Bytes::from(board.encode().unwrap());
                boards.insert(frame.clone(), board.clone());
                store.take(board, frame, &stranger, NOW).ok();
                for change in store.take_changes() {
                    match change {
                        Keep::Put(Kept { key, value, .. }) => disk.insert(key, value),
                        Keep::Remove { key, .. } => disk.remove(&key),
                    };
                }
            }
            let mut again = BoardStore::default();
            for (key, value) in &disk {
                let restored = Restored::read(key, value).unwrap();
                let board = boards.get(&restored.frame).unwrap().clone();
                prop_assert!(again.restore(&restored, board, NOW));
            }
            prop_assert_eq!(again.frames(NOW).collect::<Vec<_>>(), store.frames(NOW).collect::<Vec<_>>());
            prop_assert_eq!(ids(&again), ids(&store));
        }
    }
}
