//! Signatures that do not fit, by link: what is done about them costs much more than sending them.
//!
//! A signature that does not fit the payload as it came may fit it as a phone compresses it, and finding that out means
//! compressing it twice (spec 2.4). A link over which too much came that fitted in no form gets one try for each packet for
//! a while: what its author signed as it came still passes, and so does everything that comes over other links.

use std::collections::BTreeMap;

use super::engine::Engine;
use super::error::DropReason;
use crate::bucket::{Bucket, Rate};
use crate::crypto::{Verified, verify};
use crate::ids::LinkId;
use crate::time::{Instant, Now};
use crate::wire::Received;

/// Packets of one link that fit in no form before they are no longer tried in all of them.
const FORGED: Rate = Rate::per_second(2, 32);

/// What came over each link lately; another transport counts as one.
#[derive(Debug, Default)]
pub(super) struct Forgeries {
    links: BTreeMap<Option<LinkId>, Bucket>,
}

impl Forgeries {
    /// In how many forms a packet that came over this link is tried.
    fn tries(&self, link: Option<LinkId>, now: Instant) -> usize {
        let spent = self.links.get(&link).is_some_and(|bucket| bucket.after_one(FORGED, now).is_err());
        if spent { 1 } else { usize::MAX }
    }

    /// One fitted in none.
    fn found(&mut self, link: Option<LinkId>, now: Instant) {
        let bucket = self.links.entry(link).or_default();
        *bucket = bucket.after_one(FORGED, now).unwrap_or(*bucket);
    }

    /// Forgets a link that is gone.
    pub(super) fn link_down(&mut self, link: LinkId) {
        self.links.remove(&Some(link));
    }
}

impl Engine {
    /// Checks the signature of a packet that came over a link, and vouches for `value` when it is made with this key.
    pub(super) fn vouched_for<T>(
        &mut self,
        value: T,
        received: &Received,
        key: &[u8; 32],
        link: Option<LinkId>,
        now: Now,
    ) -> Result<Verified<T>, DropReason> {
        let signature = received.packet().signature.ok_or(DropReason::Unsigned)?;
        let forms = received.signing_preimages().take(self.forgeries.tries(link, now.instant));
        verify(key, &signature, forms, value).map_err(|_| {
            self.forgeries.found(link, now.instant);
            DropReason::Signature
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::ids::AdapterId;

    #[test]
    fn a_link_that_brought_too_much_that_fits_in_no_form_gets_one_try_for_a_while_and_others_all() {
        let link = |serial| Some(LinkId { adapter: AdapterId(0), serial });
        let at = |seconds| Instant::from_start(Duration::from_secs(seconds));
        let mut forgeries = Forgeries::default();
        let tried = (0..100).filter(|_| {
            forgeries.found(link(1), at(0));
            forgeries.tries(link(1), at(0)) > 1
        });
        assert_eq!(tried.count(), 31);
        assert_eq!((forgeries.tries(link(2), at(0)), forgeries.tries(None, at(0))), (usize::MAX, usize::MAX));
        assert_eq!(forgeries.tries(link(1), at(1)), usize::MAX);
        forgeries.link_down(LinkId { adapter: AdapterId(0), serial: 1 });
        assert!(forgeries.links.is_empty());
    }
}
