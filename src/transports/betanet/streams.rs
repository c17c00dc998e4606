//! The driver's side of streams: whose letter is for which.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use rand_core::RngCore;
use tokio::sync::{mpsc, oneshot, watch};

use super::driver::Driver;
use super::handle::Request;
use super::job::{Left, Purpose};
use super::stream::{Broken, Flow, Inlet, Outlet, Part, WINDOW};
use crate::capabilities::Reach;
use crate::ids::{MessageId, PeerId};
use crate::time::Now;
use crate::transports::files::{self, FileOffer};
use crate::wire::file::Reason;
use crate::wire::letter::{Letter, StreamId};

/// Streams at once, with everybody together; a further one is told to come again.
const MAX_STREAMS: usize = 64;
/// Parts of a stream that its reader has not taken; one more breaks it.
const MAX_PARTS: usize = 64;
/// Streams that are over and remembered, so that a letter that is fetched twice does not open them anew.
const MAX_OVER: usize = 512;

type Key = (PeerId, StreamId);

/// One stream that is here.
struct Stream {
    parts: mpsc::Sender<Part>,
    flow: watch::Sender<Flow>,
    /// The number of the next letter.
    next: u64,
    received: u64,
    taken: u64,
    ended_there: bool,
    ended_here: bool,
}

/// The streams that are here.
pub(super) struct Streams {
    open: BTreeMap<Key, Stream>,
    over: VecDeque<Key>,
    requests: mpsc::WeakSender<Request>,
    taker: Option<mpsc::Sender<FileOffer>>,
}

impl Streams {
    pub(super) fn new(requests: mpsc::WeakSender<Request>) -> Self {
        Self { open: BTreeMap::new(), over: VecDeque::new(), requests, taker: None }
    }

    pub(super) fn take_files(&mut self, taker: mpsc::Sender<FileOffer>) {
        self.taker = Some(taker);
    }

    fn begin(&mut self, (peer, id): Key) -> Option<(Outlet, Inlet)> {
        let requests = self.requests.upgrade().filter(|_| self.open.len() < MAX_STREAMS)?;
        let (parts, received) = mpsc::channel(MAX_PARTS);
        let (flow, told) = watch::channel(Flow::default());
        let (ended_there, ended_here) = (false, false);
        let stream = Stream { parts, flow, next: 0, received: 0, taken: 0, ended_there, ended_here };
        self.open.insert((peer, id), stream);
        let outlet = Outlet::new(peer, id, requests.clone(), told);
        Some((outlet, Inlet::new(peer, id, requests, received)))
    }

    fn end(&mut self, key: Key) -> Option<Stream> {
        let stream = self.open.remove(&key)?;
        if self.over.len() >= MAX_OVER {
            self.over.pop_front();
        }
        self.over.push_back(key);
        Some(stream)
    }

    /// The other side broke it off.
    fn broken(&mut self, key: Key, code: u8) {
        if let Some(stream) = self.end(key) {
            stream.flow.send_modify(|flow| flow.broken = Some(Broken::Off(code)));
            // A reader that has no room for it finds the end of the channel.
            stream.parts.try_send(Part::Broken(code)).ok();
        }
    }

    /// The next part of a stream; false when it is not the next one, or there is no room for it.
    fn part(&mut self, key: Key, number: u64, part: Part) -> bool {
        let Some(stream) = self.open.get_mut(&key) else { return false };
        if number < stream.next {
            // It was fetched once more.
            return true;
        }
        let len = match &part {
            Part::Bytes(bytes) => u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            Part::End | Part::Broken(_) => 0,
        };
        stream.received = stream.received.saturating_add(len);
        let ahead = stream.received.saturating_sub(stream.taken);
        if number > stream.next || stream.ended_there || ahead > 2 * WINDOW {
            return false;
        }
        stream.next = stream.next.saturating_add(1);
        stream.ended_there = matches!(part, Part::End);
        stream.parts.try_send(part).is_ok()
    }
}

impl Driver {
    pub(super) fn open_stream(&mut self, peer: PeerId) -> Option<(Outlet, Inlet)> {
        if self.reach(peer) != Reach::Yes {
            return None;
        }
        let mut id = StreamId([0; 16]);
        self.rng.fill_bytes(&mut id.0);
        self.streams.begin((peer, id))
    }

    /// A letter of a stream came.
    pub(super) fn stream_letter(&mut self, from: PeerId, letter: Letter, now: Now) {
        match letter {
            Letter::Piece { stream, number, bytes } => self.piece((from, stream), number, bytes, now),
            Letter::Finish { stream, number } => {
                let key = (from, stream);
                if self.streams.open.contains_key(&key) && !self.streams.part(key, number, Part::End) {
                    self.break_off(key, Reason::Protocol, now);
                }
            }
            Letter::Taken { stream, bytes } => {
                if let Some(stream) = self.streams.open.get(&(from, stream)) {
                    stream.flow.send_modify(|flow| flow.taken = flow.taken.max(bytes));
                }
            }
            Letter::Broken { stream, code } => self.streams.broken((from, stream), code),
            Letter::Message { .. } | Letter::Ack(_) | Letter::Declined(_) | Letter::Prekeys(_) => {}
        }
    }

    fn piece(&mut self, key: Key, number: u64, bytes: Bytes, now: Now) {
        if self.streams.over.contains(&key) {
            return;
        }
        if !self.streams.open.contains_key(&key) {
            let trusted = self.people.get(&key.0).is_some_and(|(contact, _)| contact.trusted);
            let refused = match (trusted, number, &self.streams.taker) {
                (false, ..) => Some(Reason::NotAccepted),
                // This node was stopped in the middle of it, or is starting.
                (true, 1.., _) | (true, 0, None) => Some(Reason::Busy),
                (true, 0, Some(_)) => None,
            };
            if let Some(reason) = refused {
                return self.break_off(key, reason, now);
            }
            match self.streams.begin(key) {
                Some((outlet, inlet)) => self.hand_on(key.0, outlet, inlet),
                None => return self.break_off(key, Reason::Busy, now),
            }
        }
        if !self.streams.part(key, number, Part::Bytes(bytes)) {
            self.break_off(key, Reason::Protocol, now);
        }
    }

    fn hand_on(&mut self, peer: PeerId, outlet: Outlet, inlet: Inlet) {
        let taker = self.streams.taker.clone();
        let (outlet, inlet) = (files::Outlet::Mail(outlet), files::Inlet::Mail(inlet));
        self.lines.spawn(async move {
            if let Err(error) = files::hand_on(outlet, inlet, peer, taker).await {
                tracing::debug!(%peer, %error, "a contact's stream has no file to offer");
            }
        });
    }

    fn break_off(&mut self, key: Key, reason: Reason, now: Now) {
        let (peer, stream) = key;
        self.streams.broken(key, reason.code());
        self.answer(peer, Letter::Broken { stream, code: reason.code() }, now);
    }

    /// A writer wants a letter left, and waits for the relay's word.
    pub(super) fn leave_stream_letter(
        &mut self,
        peer: PeerId,
        letter: &Letter,
        done: oneshot::Sender<Left>,
        now: Now,
    ) {
        if let Letter::Finish { stream, .. } = letter
            && let Some(stream) = self.streams.open.get_mut(&(peer, *stream))
        {
            stream.ended_here = true;
        }
        let mut id = MessageId([0; 16]);
        self.rng.fill_bytes(&mut id.0);
        // Where it cannot be sealed nobody answers, and the writer takes that for the end.
        if let Some(envelope) = self.seal(peer, None, (id, now.unix), letter) {
            self.leave(peer, envelope, Purpose::Stream(done), now);
        }
    }

    /// One half says something of its own accord: how far it is, or that it wants no more.
    pub(super) fn say(&mut self, peer: PeerId, letter: Letter, now: Now) {
        match &letter {
            Letter::Taken { stream, bytes } => {
                if let Some(stream) = self.streams.open.get_mut(&(peer, *stream)) {
                    stream.taken = *bytes;
                }
            }
            Letter::Broken { stream, .. } => {
                let Some(ended) = self.streams.end((peer, *stream)) else { return };
                if ended.ended_here && ended.ended_there {
                    return;
                }
            }
            Letter::Message { .. }
            | Letter::Ack(_)
            | Letter::Declined(_)
            | Letter::Prekeys(_)
            | Letter::Piece { .. }
            | Letter::Finish { .. } => {}
        }
        self.answer(peer, letter, now);
    }

    /// Streams of which both halves are gone are over; the other side is told where it does not know.
    pub(super) fn sweep_streams(&mut self, now: Now) {
        let is_left = |stream: &Stream| stream.parts.is_closed() && stream.flow.receiver_count() == 0;
        let left: Vec<Key> =
            self.streams.open.iter().filter(|(_, stream)| is_left(stream)).map(|(key, _)| *key).collect();
        for key in left {
            if let Some(stream) = self.streams.end(key)
                && !(stream.ended_here && stream.ended_there)
            {
                self.answer(key.0, Letter::Broken { stream: key.1, code: 0 }, now);
            }
        }
    }
}
