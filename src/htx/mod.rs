//! HTX: a tunnel that looks like ordinary web traffic, one connection at a time, client and server.
