//! What must hold for an engine and its parts, whatever they are told: the bodies of the targets in `fuzz/`.

mod course;
mod orders;
mod pieces;
mod trial;

pub use pieces::reassembly;
pub use trial::engine;
