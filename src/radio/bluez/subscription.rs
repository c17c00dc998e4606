//! The way to a central: the file descriptor on which BlueZ takes our notifications.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bluer::gatt::CharacteristicWriter;
use bytes::Bytes;

use super::MAX_FRAME;
use crate::ids::LinkId;

/// Frames remembered to avoid sending one to everybody several times.
const REMEMBERED_FRAMES: usize = 64;

/// A notify file descriptor. It may lead to several centrals ([`super::quirks::NotifyScope`]).
#[derive(Debug)]
pub(super) struct Subscription {
    writer: CharacteristicWriter,
    audience: Mutex<Audience>,
}

impl Subscription {
    pub(super) fn new(writer: CharacteristicWriter) -> Self {
        Self { writer, audience: Mutex::default() }
    }

    /// The longest frame it takes. Five bytes go off the MTU, not three: BlueZ notifies in the form for several
    /// values where the central takes it, and cuts off what does not fit.
    pub(super) fn max_frame(&self) -> usize {
        self.writer.mtu().min(MAX_FRAME)
    }

    /// This link's central listens, too.
    pub(super) fn join(&self, link: LinkId) {
        self.audience().links.insert(link);
    }

    /// This link is gone.
    pub(super) fn leave(&self, link: LinkId) {
        self.audience().links.remove(&link);
    }

    /// Notifies one frame, unless this link's central heard it when another link sent the very same one.
    pub(super) async fn notify(&self, link: LinkId, frame: &Bytes) -> io::Result<()> {
        let due = self.audience().due(link, frame);
        if due { self.writer.send(frame).await } else { Ok(()) }
    }

    fn audience(&self) -> MutexGuard<'_, Audience> {
        self.audience.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nobody listens any more.
    pub(super) fn is_closed(&self) -> bool {
        self.writer.is_closed().unwrap_or(true)
    }

    /// Returns when nobody listens any more.
    pub(super) async fn closed(&self) {
        while !self.is_closed() {
            if self.writer.closed().await.is_err() {
                return;
            }
        }
    }
}

/// The links whose centrals listen, and which of the latest frames they heard without asking for them.
///
/// The mesh floods a packet by sending the same frame on every link. Where one descriptor leads to all centrals,
/// the first of these sends reaches them all, and the others would only cost air time.
#[derive(Debug, Default)]
struct Audience {
    links: BTreeSet<LinkId>,
    overheard: VecDeque<(Bytes, BTreeSet<LinkId>)>,
}

impl Audience {
    /// Whether this frame must be sent for this link; if so, all others overhear it.
    fn due(&mut self, link: LinkId, frame: &Bytes) -> bool {
        let known = self.overheard.iter().position(|(sent, _)| sent == frame);
        let links = known.and_then(|index| self.overheard.get_mut(index)).map(|(_, links)| links);
        if links.is_some_and(|links| links.remove(&link)) {
            return false;
        }
        if let Some(index) = known {
            self.overheard.remove(index);
        } else if self.overheard.len() == REMEMBERED_FRAMES {
            self.overheard.pop_front();
        }
        let others = self.links.iter().copied().filter(|other| *other != link).collect();
        self.overheard.push_back((frame.clone(), others));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::AdapterId;

    fn link(serial: u32) -> LinkId {
        LinkId { adapter: AdapterId(0), serial }
    }

    fn audience(serials: impl IntoIterator<Item = u32>) -> Audience {
        Audience { links: serials.into_iter().map(link).collect(), ..Audience::default() }
    }

    #[test]
    fn a_flooded_frame_is_notified_once() {
        let (mut audience, frame) = (audience(1..=3), Bytes::from_static(b"announce"));
        assert!(audience.due(link(1), &frame));
        assert!(!audience.due(link(2), &frame));
        assert!(!audience.due(link(3), &frame));
    }

    #[test]
    fn a_frame_that_a_link_repeats_is_repeated_for_all() {
        let (mut audience, frame) = (audience(1..=2), Bytes::from_static(b"announce"));
        assert!(audience.due(link(1), &frame));
        assert!(!audience.due(link(2), &frame));
        assert!(audience.due(link(1), &frame));
        assert!(!audience.due(link(2), &frame));
        assert!(audience.due(link(2), &frame));
    }

    #[test]
    fn a_link_that_came_later_has_not_heard_the_frame() {
        let (mut audience, frame) = (audience([1]), Bytes::from_static(b"announce"));
        assert!(audience.due(link(1), &frame));
        audience.links.insert(link(2));
        assert!(audience.due(link(2), &frame));
        assert!(!audience.due(link(1), &frame));
    }

    #[test]
    fn only_the_latest_frames_are_remembered() {
        let mut audience = audience(1..=2);
        let first = Bytes::from_static(b"first");
        assert!(audience.due(link(1), &first));
        for number in 0..REMEMBERED_FRAMES {
            assert!(audience.due(link(1), &Bytes::from(number.to_be_bytes().to_vec())));
        }
        assert!(audience.due(link(2), &first));
        assert_eq!(audience.overheard.len(), REMEMBERED_FRAMES);
    }
}
