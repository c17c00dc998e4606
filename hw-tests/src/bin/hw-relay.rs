//! An iroh relay for tests: `hw-relay 10.0.0.1:3340`. It serves plain HTTP, prints its URL, and runs until it
//! is killed.

use std::net::SocketAddr;
use std::process::ExitCode;

use iroh_relay::server::{RelayConfig, Server, ServerConfig};

#[tokio::main]
async fn main() -> ExitCode {
    let Some(address) = std::env::args().nth(1).and_then(|address| address.parse::<SocketAddr>().ok()) else {
        eprintln!("usage: hw-relay ADDRESS:PORT");
        return ExitCode::FAILURE;
    };
    let mut config = ServerConfig::default();
    config.relay = Some(RelayConfig::new(address));
    match Server::spawn(config).await {
        Ok(server) => {
            if let Some(address) = server.http_addr() {
                println!("http://{address}");
            }
            std::future::pending().await
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
