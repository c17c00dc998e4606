//! An address to listen on, as it is written.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use crate::config::{Text, ValueError};
use crate::transports::direct::Bind;

/// `ADDRESS:PORT`, or `ADDRESS:PORT/BITS` for one that talks only within its network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listen {
    address: SocketAddr,
    /// Leading bits that the other side's address has in common with this one; 0 for anybody.
    bits: u8,
}

impl From<Listen> for Bind {
    fn from(listen: Listen) -> Self {
        Self { address: listen.address, prefix: listen.bits, required: true }
    }
}

impl FromStr for Listen {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let wrong = || ValueError::Listen(text.to_owned());
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, bits.parse().map_err(|_| wrong())?),
            None => (text, 0),
        };
        let address: SocketAddr = address.parse().map_err(|_| wrong())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        if bits > most {
            return Err(wrong());
        }
        Ok(Self { address, bits })
    }
}

impl Text for Listen {}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.bits {
            0 => self.address.fmt(f),
            bits => write!(f, "{}/{bits}", self.address),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_reads_as_it_prints_with_or_without_a_network() {
        for text in ["0.0.0.0:4433", "192.168.1.5:0/24", "[::1]:7/128"] {
            assert_eq!(text.parse::<Listen>().unwrap().to_string(), text);
        }
        for text in ["", "0.0.0.0", "10.0.0.1:1/33", "10.0.0.1:1/", "host:1"] {
            assert_eq!(text.parse::<Listen>(), Err(ValueError::Listen(text.to_owned())));
        }
    }
}
