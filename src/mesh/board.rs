//! The notice board: posts that stand for up to a week, whoever is there meanwhile (spec 3.13).
//!
//! A post is believed for the signature inside it, so it may come from whoever carries it. `board_store` says
//! what stands; here are the packets and what the node is told.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use rand_core::RngCore;

pub use super::board_store::Standing;
use super::board_store::{BoardStore, MAX_PAYLOAD_LEN, Restored, SKEW, Taken};
use super::egress::Aim;
use super::engine::Engine;
use super::error::{DropReason, Refusal};
use super::event;
use super::kept::Kept;
use crate::crypto::{Verified, verify};
use crate::ids::{Fingerprint, PostId};
use crate::nickname;
use crate::time::{Instant, Now, UnixMillis};
use crate::wire::{
    self, MAX_POST_LEN, MAX_POST_LIFE, MAX_POST_NICKNAME_LEN, PacketType, Post, Received, Tombstone,
};

/// The shortest a post of ours may stand.
pub const MIN_LIFE: Duration = Duration::from_secs(60);
/// How often what has expired is taken off the disk; nobody sees it meanwhile.
const SWEEP_EVERY: Duration = Duration::from_secs(10 * 60);

/// What the node asks of the board. The answer comes within the same turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Put up a notice; answered by `Posted` or `Refused`.
    Post {
        /// What it says: 1 to [`MAX_POST_LEN`] bytes.
        text: String,
        /// Whether it is urgent.
        urgent: bool,
        /// How long it stands: [`MIN_LIFE`] to [`MAX_POST_LIFE`].
        life: Duration,
    },
    /// Withdraw a notice of ours; answered by `Withdrawn` or `Refused`.
    Remove {
        /// Which.
        id: PostId,
    },
}

/// What happens on the board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A notice stands that did not before.
    Posted(Notice),
    /// A notice that stood is withdrawn.
    Withdrawn(Notice),
    /// A notice of ours had to go for a newer one of ours: of one author, five stand.
    GaveWay(Notice),
    /// What was asked of the board was not done.
    Refused(BoardRefusal),
}

/// Why the board did not do what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum BoardRefusal {
    /// The reasons that all messages share.
    #[error(transparent)]
    Message(#[from] Refusal),
    /// It would stand too short, or too long.
    #[error("a notice stands for 1 minute to 7 days")]
    Life,
    /// No notice has this id.
    #[error("there is no such notice")]
    NoSuchPost,
    /// Only its author can withdraw a notice.
    #[error("that notice is somebody else's")]
    NotOurs,
    /// As many of ours stand as may, all of them later than the clock says it is.
    #[error("the clock was set back: the notices of this node that stand are of a later time")]
    ClockSetBack,
}

/// A notice that stands, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Its id.
    pub id: PostId,
    /// The Ed25519 key that signed it.
    pub author: [u8; 32],
    /// The identity that goes with this key, when it was heard or is a contact.
    pub fingerprint: Option<Fingerprint>,
    /// What its author is called: a contact's or peer's name, or what the post says.
    pub nickname: String,
    /// What its author means to us.
    pub standing: Standing,
    /// What it says.
    pub text: String,
    /// The geohash of the place it is for; empty for the mesh.
    pub geohash: String,
    /// Whether its author calls it urgent.
    pub urgent: bool,
    /// When it was made, by its author's clock.
    pub created: UnixMillis,
    /// Until when it stands.
    pub expires: UnixMillis,
}

/// The board of one engine.
#[derive(Debug, Default)]
pub(super) struct Board {
    store: BoardStore,
    sweep: Option<Instant>,
}

impl Board {
    /// The packets of everything that stands or was withdrawn.
    pub(super) fn frames(&self, now: UnixMillis) -> impl Iterator<Item = &Bytes> {
        self.store.frames(now)
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.sweep
    }
}

impl Engine {
    /// The notices that stand: urgent ones first, then the newest.
    pub fn notices(&self, now: Now) -> Vec<Notice> {
        let shown = self.board.store.posts(now.unix).filter(|post| !self.trust.is_blocked_key(&post.author));
        let mut notices: Vec<Notice> = shown.map(|post| self.notice(post)).collect();
        notices.sort_by_key(|notice| (!notice.urgent, std::cmp::Reverse(notice.created), notice.id));
        notices
    }

    /// The packets of everything that stands or was withdrawn, ours and those of the absent, as they came: what whoever
    /// was away has to be told.
    pub fn board_packets(&self, now: Now) -> impl Iterator<Item = &Bytes> {
        self.board.frames(now.unix)
    }

    pub(super) fn board_packet(&mut self, received: &Received, now: Now) -> Result<(), DropReason> {
        match self.take_notice(believed(&received.packet().payload)?, received.kept(), now) {
            // What finds no place here may find one elsewhere.
            Err(reason @ DropReason::BoardFull) => {
                self.counters.drop(reason);
                Ok(())
            }
            taken => taken,
        }
    }

    pub(super) fn board_command(&mut self, command: Command, now: Now) {
        let done = match command {
            Command::Post { text, urgent, life } => self.post(&text, urgent, life, now),
            Command::Remove { id } => self.withdraw(id, now),
        };
        if let Err(refusal) = done {
            self.emit(event::Event::Board(Event::Refused(refusal)));
        }
    }

    fn post(&mut self, text: &str, urgent: bool, life: Duration, now: Now) -> Result<(), BoardRefusal> {
        let text = text.trim();
        match text.len() {
            0 => return Err(Refusal::Empty.into()),
            len if len > MAX_POST_LEN => return Err(Refusal::TooLong { len, max: MAX_POST_LEN }.into()),
            _ => {}
        }
        if !(MIN_LIFE..=MAX_POST_LIFE).contains(&life) {
            return Err(BoardRefusal::Life);
        }
        let created = self.time_of_next(now.unix);
        let mut post = Post {
            id: PostId([0; 16]),
            geohash: String::new(),
            content: text.to_owned(),
            author: self.identity.signing_public(),
            nickname: cut(&self.config.nickname, MAX_POST_NICKNAME_LEN).to_owned(),
            created,
            expires: created + life,
            flags: Post::flags(urgent),
            signature: [0; 64],
        };
        self.rng.fill_bytes(&mut post.id.0);
        post.signature = self.identity.sign(&post.signing_preimage());
        self.put_up(wire::Board::Post(post), now)
    }

    /// When a notice of ours is made: after all that stand, of which the newest stay, though our clock was set back since.
    fn time_of_next(&self, now: UnixMillis) -> UnixMillis {
        let own = self.identity.signing_public();
        let ours = self.board.store.posts(now).filter(|post| post.author == own);
        let next = ours.map(|post| UnixMillis(post.created.0.saturating_add(1))).max();
        next.filter(|next| (now..=now + SKEW).contains(next)).unwrap_or(now)
    }

    fn withdraw(&mut self, id: PostId, now: Now) -> Result<(), BoardRefusal> {
        let author = self.identity.signing_public();
        let alike = || self.board.store.posts(now.unix).filter(|post| post.id == id);
        if alike().next().is_none() {
            return Err(BoardRefusal::NoSuchPost);
        }
        if !alike().any(|post| post.author == author) {
            return Err(BoardRefusal::NotOurs);
        }
        let mut tombstone = Tombstone { id, author, deleted: now.unix, signature: [0; 64] };
        tombstone.signature = self.identity.sign(&tombstone.signing_preimage());
        self.put_up(wire::Board::Tombstone(tombstone), now)
    }

    /// Takes a notice of ours, and tells everyone who is there; gossip tells those who come.
    fn put_up(&mut self, board: wire::Board, now: Now) -> Result<(), BoardRefusal> {
        if let Some(refusal) = self.clock_refusal(now) {
            return Err(refusal.into());
        }
        let payload: Bytes = board.encode().map_err(|_| Refusal::NotPublic)?.into();
        let packet = self.signed(PacketType::BoardPost, payload, now).ok_or(Refusal::NotPublic)?;
        let frame: Bytes = packet.encode().map_err(|_| Refusal::NotPublic)?.into();
        let board = believed(&packet.payload).map_err(|_| Refusal::NotPublic)?;
        // Nothing of ours gives way to others, and of ours only to what is later.
        self.take_notice(board, frame, now).map_err(|reason| match reason == DropReason::BoardFull {
            true => BoardRefusal::ClockSetBack,
            false => Refusal::NotPublic.into(),
        })?;
        self.put(&packet, Aim::Everyone, now);
        Ok(())
    }

    fn take_notice(
        &mut self,
        board: Verified<wire::Board>,
        frame: Bytes,
        now: Now,
    ) -> Result<(), DropReason> {
        let own = self.identity.signing_public();
        let known: BTreeSet<[u8; 32]> = self.peers.contact_keys().collect();
        let standing = |key: &[u8; 32]| match key {
            key if *key == own => Standing::Own,
            key if known.contains(key) => Standing::Known,
            _ => Standing::Stranger,
        };
        let taken = self.board.store.take(board, frame, &standing, now.unix);
        self.keep_board(now);
        match taken? {
            // Kept for others all the same: a block is nobody's business but ours (spec 5.5).
            Taken::Stands { post, .. } | Taken::Withdrawn(post)
                if self.trust.is_blocked_key(&post.author) =>
            {
                self.counters.drop(DropReason::Blocked);
            }
            Taken::Stands { post, oldest } => {
                if let Some(oldest) = oldest.filter(|oldest| oldest.author == own) {
                    let oldest = self.notice(&oldest);
                    self.emit(event::Event::Board(Event::GaveWay(oldest)));
                }
                let notice = self.notice(&post);
                self.emit(event::Event::Board(Event::Posted(notice)));
            }
            Taken::Withdrawn(post) => {
                let notice = self.notice(&post);
                self.emit(event::Event::Board(Event::Withdrawn(notice)));
            }
            Taken::Awaited => {}
        }
        Ok(())
    }

    /// Takes back a notice that an earlier run kept; false when it is worth nothing.
    pub(super) fn restore_notice(&mut self, kept: &Kept, now: Now) -> bool {
        let restored = Restored::read(&kept.key, &kept.value).is_some_and(|restored| {
            let board = Received::decode(&restored.frame)
                .map_err(|_| DropReason::Malformed)
                .and_then(|received| believed(&received.packet().payload));
            board.is_ok_and(|board| self.board.store.restore(&restored, board, now.unix))
        });
        self.keep_board(now);
        restored
    }

    pub(super) fn sweep_board(&mut self, now: Now) {
        if self.board.sweep.is_some_and(|sweep| sweep <= now.instant) {
            self.board.sweep = None;
            self.board.store.expire(now.unix);
            self.keep_board(now);
        }
    }

    fn keep_board(&mut self, now: Now) {
        let changes = self.board.store.take_changes();
        self.keep_all(changes);
        let next = self.board.sweep.unwrap_or(now.instant + SWEEP_EVERY);
        self.board.sweep = (!self.board.store.is_empty()).then_some(next);
    }

    fn notice(&self, post: &Post) -> Notice {
        let peer = self.peers.of_signing_key(&post.author);
        let own = post.author == self.identity.signing_public();
        let standing = match peer {
            _ if own => Standing::Own,
            Some(peer) if peer.is_contact() => Standing::Known,
            Some(_) | None => Standing::Stranger,
        };
        let said = nickname::received(&post.nickname);
        Notice {
            id: post.id,
            author: post.author,
            fingerprint: if own {
                Some(self.identity.fingerprint())
            } else {
                peer.map(|peer| peer.fingerprint)
            },
            nickname: peer.map(|peer| peer.nickname.clone()).filter(|name| !name.is_empty()).unwrap_or(said),
            standing,
            text: post.content.clone(),
            geohash: post.geohash.clone(),
            urgent: post.is_urgent(),
            created: post.created,
            expires: post.expires,
        }
    }
}

/// Reads a notice and checks the signature inside it.
fn believed(payload: &Bytes) -> Result<Verified<wire::Board>, DropReason> {
    if payload.len() > MAX_PAYLOAD_LEN {
        return Err(DropReason::Payload);
    }
    let board = wire::Board::decode(payload).map_err(|_| DropReason::Payload)?;
    let (author, signature, preimage) = (*board.author(), *board.signature(), board.signing_preimage());
    verify(&author, &signature, [preimage], board).map_err(|_| DropReason::Signature)
}

/// The front of a text, so many bytes at most, no character cut.
pub(super) fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}
