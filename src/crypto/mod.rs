//! Keys, handshakes, ciphers and proofs. All randomness comes from the RNG handed in.
