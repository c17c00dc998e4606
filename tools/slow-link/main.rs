//! A proxy that makes loopback a long line.
//!
//! `cargo run --example slow-link -- LISTEN TARGET [--rtt MILLISECONDS] [--mbit RATE]`

#![expect(clippy::print_stdout, reason = "a tool talks to people")]

mod link;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use link::Line;
use tokio::net::TcpListener;

const USAGE: &str = "usage: slow-link LISTEN TARGET [--rtt MILLISECONDS] [--mbit RATE]";

#[tokio::main]
async fn main() -> ExitCode {
    let Some((listen, target, line)) = read(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let listener = match TcpListener::bind(listen).await {
        Ok(listener) => listener,
        Err(error) => {
            eprintln!("slow-link: {listen}: {error}");
            return ExitCode::FAILURE;
        }
    };
    let bound = listener.local_addr().map_or_else(|_| listen.to_string(), |bound| bound.to_string());
    println!("{bound} leads to {target}, {:?} each way", line.delay);
    link::run(listener, target, line).await;
    ExitCode::FAILURE
}

fn read(mut arguments: impl Iterator<Item = String>) -> Option<(SocketAddr, SocketAddr, Line)> {
    let (listen, target) = (arguments.next()?.parse().ok()?, arguments.next()?.parse().ok()?);
    let mut line = Line { delay: Duration::from_millis(25), rate: None };
    while let Some(argument) = arguments.next() {
        let value: f64 = arguments.next()?.parse().ok().filter(|value| *value > 0.0)?;
        match argument.as_str() {
            "--rtt" => line.delay = Duration::from_secs_f64(value / 2000.0),
            "--mbit" => line.rate = Some(value * 125_000.0),
            _ => return None,
        }
    }
    Some((listen, target, line))
}
