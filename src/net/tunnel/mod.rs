//! One running tunnel: a task that owns the HTTP/2 connection and the machine, and the handles on it.
//!
//! [`Tunnel`] is for whoever keeps the tunnel, [`Opener`] for those who open streams in it, [`Stream`] for one
//! conversation. They talk to the task over bounded channels; data waits wherever its reader is slow, up to the
//! other end.

mod carrier;
mod driver;
mod handle;
mod life;
mod outgoing;
mod port;
mod ports;
mod request;
mod stream;
mod vigil;

pub(super) use carrier::{Carrier, Socket};
pub(super) use driver::{Driver, Parts};
pub(super) use handle::Closer;
pub use handle::{Closed, OpenError, Opener, Tunnel};
pub use life::Emulation;
pub(super) use life::Life;
pub use stream::{Receiver, Sender, Stream};
