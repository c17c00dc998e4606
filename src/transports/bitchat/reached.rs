//! Whom the mesh reaches: everybody it hears, while any link is up.

use std::collections::BTreeSet;

use crate::capabilities::Reach;
use crate::ids::{LinkId, PeerId};
use crate::mesh::event::{self, Event};
use crate::message::Recipient;

/// Links and peers there are, and what was told of them.
#[derive(Debug, Default)]
pub(super) struct Reached {
    links: BTreeSet<LinkId>,
    heard: BTreeSet<PeerId>,
    told: BTreeSet<Recipient>,
}

impl Reached {
    /// Takes note of what the engine said; whoever is reached from here on, or no longer.
    pub(super) fn note(&mut self, event: &Event) -> Vec<(Recipient, Reach)> {
        let changed = match event {
            Event::LinkUp { link } => self.links.insert(*link),
            Event::LinkDown { link } => self.links.remove(link),
            Event::Peer(peer) => match peer.reach {
                event::Reach::Direct | event::Reach::Mesh => self.heard.insert(peer.id),
                event::Reach::Gone => self.heard.remove(&peer.id),
            },
            Event::PeerGone { peer, .. } => self.heard.remove(peer),
            Event::Adapter { .. }
            | Event::Session { .. }
            | Event::PublicMessage(_)
            | Event::PrivateMessage(_)
            | Event::Card { .. }
            | Event::Sent { .. }
            | Event::Expired { .. }
            | Event::Refused { .. }
            | Event::Receipt { .. }
            | Event::Media(_)
            | Event::Diagnostics(_)
            | Event::Board(_)
            | Event::Group(_)
            | Event::People(_)
            | Event::Courier(_)
            | Event::ClockUnset
            | Event::ClockOff { .. } => false,
        };
        if changed { self.changes() } else { Vec::new() }
    }

    fn changes(&mut self) -> Vec<(Recipient, Reach)> {
        let reached: BTreeSet<Recipient> = if self.links.is_empty() {
            BTreeSet::new()
        } else {
            self.heard.iter().map(|&peer| Recipient::Peer(peer)).chain([Recipient::Everyone]).collect()
        };
        let lost = self.told.difference(&reached).map(|&to| (to, Reach::No));
        let found = reached.difference(&self.told).map(|&to| (to, Reach::Yes));
        let changes = lost.chain(found).collect();
        self.told = reached;
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{AdapterId, Fingerprint};
    use crate::mesh::event::PeerInfo;
    use crate::mesh::trust::{Level, Standing};
    use crate::time::UnixMillis;

    const LINK: LinkId = LinkId { adapter: AdapterId(0), serial: 1 };
    const BEN: PeerId = PeerId([2; 8]);

    fn heard() -> Event {
        Event::Peer(PeerInfo {
            id: BEN,
            fingerprint: Fingerprint([2; 32]),
            nickname: "ben".to_owned(),
            reach: event::Reach::Mesh,
            links: Vec::new(),
            last_seen: UnixMillis(1),
            session: false,
            noise_public: [2; 32],
            signing_public: [2; 32],
            trust: Level::Known,
            standing: Standing::default(),
            favours_us: false,
        })
    }

    #[test]
    fn without_a_link_nobody_is_reached_and_with_it_again_all_that_are_heard() {
        let (everyone, ben) = (Recipient::Everyone, Recipient::Peer(BEN));
        let mut reached = Reached::default();
        assert_eq!(reached.note(&Event::LinkUp { link: LINK }), [(everyone, Reach::Yes)]);
        assert_eq!(reached.note(&heard()), [(ben, Reach::Yes)]);
        assert_eq!(reached.note(&heard()), [], "that is known");
        let down = reached.note(&Event::LinkDown { link: LINK });
        assert_eq!(down, [(everyone, Reach::No), (ben, Reach::No)]);
        let up = reached.note(&Event::LinkUp { link: LINK });
        assert_eq!(up, [(everyone, Reach::Yes), (ben, Reach::Yes)]);
        assert_eq!(reached.note(&Event::PeerGone { peer: BEN, left: true }), [(ben, Reach::No)]);
    }
}
