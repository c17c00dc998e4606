//! The requirements, and why one visit does not show some of them.

/// How many there are.
pub(super) const COUNT: u8 = 55;

const MIXES: &str = "of mixes and the directory, no part of HTX itself";

/// What is required, in a few words.
pub(super) const fn title(number: u8) -> &'static str {
    match number {
        1 => "TLS 1.3 only",
        2 => "client hello of a browser",
        3 => "same protocol each time",
        4 => "tunnel looks like a visit",
        5 => "tolerance of 15 %",
        6 => "no 0-RTT",
        7 => "QUIC",
        8 => "ECH",
        9 => "failed ticket, same answer",
        10 => "tickets of three hours",
        11 => "three carriers",
        12 => "padding 24 to 64",
        13 => "no ticket twice",
        14 => "malformed tickets",
        15 => "buckets before the curve",
        16 => "Noise XK",
        17 => "hybrid handshake",
        18 => "XK alone refused from 2027",
        19 => "bound to the TLS session",
        20 => "key schedule",
        21 => "no reflected frame",
        22 => "keys change in time",
        23 => "no frame under an old key",
        24 => "no counter twice",
        25 => "malformed frames",
        26 => "wire 1.2",
        27 => "headers are authenticated",
        28 => "stream ids",
        29 => "flow control",
        30 => "PING answered once",
        31 => "CLOSE",
        32 => "gaps between pings",
        33 => "idle padding",
        34 => "same SETTINGS",
        35 => "PRIORITY rate",
        36 => "no transition header",
        37 => "transition control stream",
        38 => "path switch within 300 ms",
        39 => "protocol ids",
        40 => "rendezvous ids",
        41 => "proof of work",
        42 => "buckets of the directory",
        43 => "five peers before joining",
        44 => "beacons",
        45 => "mix seed",
        46 => "verifiable draw of hops",
        47 => "weights of mixes",
        48 => "hops by mode",
        49 => "hop sets not reused",
        50 => "fall back from UDP",
        51 => "aliases, vouchers, governance",
        52 => "reproducible build",
        53 => "logs without secrets",
        54 => "DET-CBOR",
        55 => "node record",
        _ => "unknown",
    }
}

/// Why nothing about it can be seen in a visit, and what shows it instead.
pub(super) const fn elsewhere(number: u8) -> &'static str {
    match number {
        2 => "of clients in the `covert` build",
        5 => "of clients: r05_",
        7 | 26 | 35 | 37 | 50 => "level SHOULD, not built",
        8 => "of clients, level SHOULD, not built",
        15 => "it would take flooding the relay: r15_",
        24 => "it would take a million frames: r24_",
        32 => "statistics over a thousand gaps, of clients: r32_",
        33 => "statistics over a thousand pauses: r33_",
        38 => "of clients: r38_",
        40..=49 => MIXES,
        51 => "out of scope (chapter 13)",
        52 => "of the build, not of a running relay",
        53 => "no log is seen from outside: r53_",
        _ => "it takes the relay's record: give it with --record",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_requirement_has_a_title() {
        assert!((1..=COUNT).all(|number| title(number) != "unknown"));
        assert_eq!(title(COUNT + 1), "unknown");
    }
}
