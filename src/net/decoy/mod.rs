//! The web site that everybody sees who has no ticket: pages of a folder, or another web server behind ours.

mod answer;
mod body;
mod folder;
mod page;
mod site;
mod upstream;

pub(super) use body::Body;
pub use folder::FolderError;
pub use site::Decoy;
