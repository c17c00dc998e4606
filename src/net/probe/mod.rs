//! What a host shows to a plain visitor, layer by layer: a relay should show nothing that a web site does not.

mod ask;
mod older;
mod report;

pub use ask::probe;
pub use older::Older;
pub(super) use older::offer;
pub use report::{First, Report, Tls, Visited};
