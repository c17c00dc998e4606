//! What our HTTP/2 connections say about themselves. Numbers only: h2 does the rest.

use h2::{client, server};

/// The largest header block that is taken, in bytes.
pub(super) const MAX_HEADERS: u32 = 32 * 1024;
/// Requests that one connection may have under way.
pub(super) const MAX_STREAMS: u32 = 128;
/// Bytes of a body that may be under way to a server, and of all bodies of a connection: as in Go's HTTP/2, which
/// many sites run on. A tunnel's own flow control allows more ([`super::tunnel::Emulation`]), so that this one alone
/// says how much a long line holds.
const SERVER_WINDOW: u32 = 1024 * 1024;
/// Bytes that wait in h2 for the socket.
const SEND_BUFFER: usize = 256 * 1024;

/// What a client says first: the settings and the window of a current Chrome, in its order. The rest of its
/// hello is rustls's, and says so.
pub(super) fn client() -> client::Builder {
    let mut builder = client::Builder::new();
    builder
        .header_table_size(65_536)
        .enable_push(false)
        .initial_window_size(6_291_456)
        .max_header_list_size(262_144)
        .initial_connection_window_size(15_728_640)
        .max_send_buffer_size(SEND_BUFFER);
    builder
}

/// What our server says first, to everybody: visitors and tunnels come through the same listener (B-2, R34).
pub(super) fn server() -> server::Builder {
    let mut builder = server::Builder::new();
    builder
        .max_concurrent_streams(MAX_STREAMS)
        .initial_window_size(SERVER_WINDOW)
        .max_header_list_size(MAX_HEADERS)
        .initial_connection_window_size(SERVER_WINDOW)
        .max_send_buffer_size(SEND_BUFFER);
    builder
}
