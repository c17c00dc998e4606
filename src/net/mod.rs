//! TLS and HTTP/2 around a tunnel, and the web site that everyone else sees.
