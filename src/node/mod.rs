//! The running node: what it is asked, what it keeps, and which transport carries what.
//!
//! [`lifecycle::start`] begins it and gives a [`NodeHandle`], which is all that anybody else holds. One task, the
//! driver, owns the router and hands every turn to the carrier, which stores first and sends afterwards; the
//! transports are tasks of their own behind [`crate::transports::port`].

mod carrier;
pub mod conditions;
pub mod config;
pub mod contacts;
mod driver;
pub mod error;
pub mod event;
pub mod files;
pub mod groups;
pub mod handle;
pub mod home;
pub mod lifecycle;
pub mod name;
pub mod notices;
mod people;
mod ports;
mod public;
pub mod radio;
pub mod status;
mod store;
pub mod survey;
mod visit;

pub use handle::NodeHandle;
