//! Hopline: a peer-to-peer messaging node for Linux, native to the BitChat Bluetooth mesh and at home on IP.
//!
//! ```text
//! 10  cli                     people             ┐
//!  9  api                     programs           │
//!  8  node  relay             the two programs   │
//!  7  transports              who carries        │  shell: tokio, disk, sockets, D-Bus
//!  6  radio  net  storage     air / IP / disk    │  (cargo features)
//!  5  clock  config           time, settings     ┘
//!  ═════════ the wall: below it no runtime is in the dependency graph ═════════
//!  4  sim                     a virtual world    ┐
//!  3  mesh  router            BitChat; which way │
//!  2  link  htx               frames, tunnels    │  pure: bytes, state, time as an argument
//!  1  wire  crypto            formats, keys      │  (always compiled)
//!  0  ids time message        vocabulary         │
//!     nickname bucket capabilities               ┘
//! ```
//!
//! A room imports only lower floors. Read [`mesh::Engine`] first: it is one BitChat node without a radio, a
//! clock or a task; then [`mesh::event`], its port. [`router::Router`] and [`router::event`] are the same for the
//! choice between transports. `docs/architecture.md` tells the rest.

pub mod bucket;
pub mod capabilities;
pub mod ids;
pub mod message;
pub mod nickname;
pub mod time;

pub mod crypto;
pub mod wire;

pub mod htx;
pub mod link;

pub mod mesh;
pub mod router;

pub mod sim;

#[cfg(feature = "node")]
pub mod clock;
#[cfg(feature = "node")]
pub mod config;
#[cfg(feature = "node")]
pub mod net;
#[cfg(feature = "node")]
pub mod radio;
#[cfg(feature = "node")]
pub mod storage;

#[cfg(feature = "node")]
pub mod transports;

#[cfg(feature = "node")]
pub mod node;
#[cfg(feature = "node")]
pub mod relay;

#[cfg(feature = "api")]
pub mod api;

#[cfg(feature = "cli")]
pub mod cli;
