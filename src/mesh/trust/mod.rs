//! Whom we trust how far (spec 5.2), and what people say about that: favourites, verification, vouches.
//!
//! * `level`: the steps of trust, and what our owner decided about somebody.
//! * `people`: what the mesh itself taught us of people, kept over a restart.
//! * `vouches`: what the verified say of others.
//! * `challenges`: verifications under way.
//! * `turn`: what the engine does with it all.

mod challenges;
pub mod event;
pub mod level;
mod people;
mod turn;
mod vouches;

pub(super) use challenges::Challenges;
pub use level::{Level, Opinion, Standing};
pub(super) use people::{Keys, Trust};
pub(super) use turn::favourite_notice;
