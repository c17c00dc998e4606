//! How long a refused ticket takes beside a visit, a thousand of each, in turns.
//!
//! `cargo bench --bench htx_refusal_timing [-- --pairs N]`
//!
//! Both are POSTs to the tunnel path on one connection: one with a ticket of an hour too long ago, one without.
//! The buckets are lifted. What is printed is the statistic of Kolmogorov and Smirnov for two samples and its p:
//! where p is above 0.01, a thousand of each do not tell them apart. A POST to another page, which does no curve
//! operation, stands beside them.

#![expect(clippy::print_stdout, reason = "a benchmark talks to people")]
#![expect(clippy::unwrap_used, reason = "a bench that cannot run stops")]

#[path = "../tests/htx/mod.rs"]
mod htx;

use std::time::{Duration, Instant};

use hopline::htx::ticket::issue;
use hopline::time::UnixMillis;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

use htx::visitor::{Visitor, request};
use htx::{HOST, Host, TODAY, TUNNEL_PATH};

fn main() {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--pairs").skip(1);
    let pairs = arguments.next().map_or(1000, |value| value.parse().unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(run(pairs));
}

async fn run(pairs: usize) {
    let host = Host::start().await;
    let visitor = Visitor::arrive(&host.roots, HOST, host.address()).await;
    let mut rng = ChaCha20Rng::from_seed([1; 32]);
    let mut samples: [(&str, Vec<Duration>); 3] =
        ["bad ticket", "no ticket", "another page"].map(|name| (name, Vec::new()));
    for round in 0..pairs + 50 {
        let old = issue(&host.record, UnixMillis(TODAY.0 - 3 * 3_600_000), &mut rng).unwrap().value;
        let cookie = format!("{}={old}", host.record.cookie_name);
        // As long as the other and as new, so that only what it is differs: the headers of HTTP/2 are compressed.
        let reversed: String = old.chars().rev().collect();
        let other = format!("{}={reversed}", "x".repeat(host.record.cookie_name.len()));
        let mut order = [0, 1, 2];
        order.rotate_left((rng.next_u32() % 3) as usize);
        if rng.next_u32() & 1 == 0 {
            order.swap(1, 2);
        }
        for way in order {
            let (path, cookie) = match way {
                0 => (TUNNEL_PATH, &cookie),
                1 => (TUNNEL_PATH, &other),
                _ => ("/leaves/", &other),
            };
            let post = request("POST", HOST, path, &[("cookie", cookie)]);
            let started = now();
            let answer = visitor.ask(post, b"").await;
            let took = started.elapsed();
            assert_eq!(answer.status, http::StatusCode::METHOD_NOT_ALLOWED);
            // The first ones warm caches.
            if round >= 50 {
                samples[way].1.push(took);
            }
        }
    }
    for (name, sample) in &mut samples {
        sample.sort();
        println!("{name:13} median {:?}, 5% {:?}, 95% {:?}", at(sample, 50), at(sample, 5), at(sample, 95));
    }
    for other in [1, 2] {
        let (statistic, p) = kolmogorov_smirnov(&samples[0].1, &samples[other].1);
        println!("bad ticket against {}: D = {statistic:.4}, p = {p:.4}", samples[other].0);
    }
}

fn at(sorted: &[Duration], percent: usize) -> Duration {
    sorted[sorted.len() * percent / 100]
}

/// The largest distance between two sorted samples' distribution functions, and how often chance makes a larger
/// one (the asymptotic series).
fn kolmogorov_smirnov(first: &[Duration], second: &[Duration]) -> (f64, f64) {
    let share = |sample: &[Duration], value| {
        sample.partition_point(|other| *other <= value) as f64 / sample.len() as f64
    };
    let distance = first
        .iter()
        .chain(second)
        .map(|value| (share(first, *value) - share(second, *value)).abs())
        .fold(0.0, f64::max);
    let (n, m) = (first.len() as f64, second.len() as f64);
    let root = (n * m / (n + m)).sqrt();
    let lambda = (root + 0.12 + 0.11 / root) * distance;
    let term = |k: i32| {
        let sign = if k % 2 == 0 { -2.0 } else { 2.0 };
        sign * (-2.0 * f64::from(k * k) * lambda * lambda).exp()
    };
    (distance, (1..=100).map(term).sum::<f64>().clamp(0.0, 1.0))
}

#[expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
fn now() -> Instant {
    Instant::now()
}
