//! Files, live voice and Nostr events over the mesh (spec 3.9, 3.10, 3.16).

mod bursts;
mod departures;
mod engine;
pub mod event;
mod ledger;
mod speeches;

pub(super) use engine::Media;
