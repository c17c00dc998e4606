//! `[courier]`: how much mail of others this node carries.

use crate::config::Document;
use crate::mesh::courier::Limits;

/// Reads the section; the defaults are what the apps do.
pub(super) fn read(document: &mut Document<'_>) -> Limits {
    let usual = Limits::default();
    let mut section = document.section("courier");
    let envelopes = section.number("envelopes", usual.envelopes, 0..=4_096);
    let read = Limits {
        envelopes,
        from_verified: section.number("from_verified", usual.from_verified.min(envelopes), 0..=envelopes),
        per_favourite: section.number("per_favourite", usual.per_favourite.min(envelopes), 0..=envelopes),
        per_verified: section.number("per_verified", usual.per_verified.min(envelopes), 0..=envelopes),
        per_stranger: section.number("per_stranger", usual.per_stranger.min(envelopes), 0..=envelopes),
    };
    section.end();
    read
}
