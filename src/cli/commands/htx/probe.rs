//! `hopline htx probe`: what a host shows to a visitor, and with its record, whether a tunnel can be made.

use std::time::Duration;

use serde_json::json;

use crate::clock::Clock;
use crate::htx::error::ErrorCode;
use crate::net::client::{Client, ClientError, ClientOptions, ConnectError, Preflight, Target as Relay};
use crate::net::lint::Subject;
use crate::net::probe::probe;
use crate::net::tls::Roots;
use crate::net::tunnel::Emulation;
use crate::wire::record::SignedRecord;

use crate::cli::context::Context;
use crate::cli::error::CliError;

use super::layers::{Layer, State, of_record, of_site, of_tunnel};
use super::target::{Target, seed};

pub(super) async fn run(context: &Context, target: Target) -> Result<(), CliError> {
    let (subject, roots) = (target.subject().await?, target.roots()?);
    let clock = Clock::start();
    let report = probe(&subject.host, subject.address, &roots).await.map_err(ClientError::from)?;
    let mut layers = of_site(&report, subject.record.is_some());
    let site_stands = report.first.is_ok();
    if let Some(signed) = &subject.record {
        layers.extend(of_record(&subject, signed, clock.now().unix));
        if site_stands {
            layers.push(of_tunnel(signed, tunnel(&subject, signed, roots, clock).await?));
        }
    }
    let bad = layers.iter().filter(|layer| layer.state == State::Bad).count();
    let object = json!({
        "host": subject.host,
        "address": subject.address.to_string(),
        "good": bad == 0,
        "layers": layers,
    });
    context.out.say(&object, text(&subject, &layers, bad))?;
    if bad == 0 { Ok(()) } else { Err(CliError::BadLayers(bad)) }
}

/// Makes a tunnel, and asks whether somebody is there.
async fn tunnel(
    subject: &Subject,
    signed: &SignedRecord,
    roots: Roots,
    clock: Clock,
) -> Result<Result<Option<Duration>, ConnectError>, CliError> {
    let options = ClientOptions {
        roots,
        preflight: Preflight::Strict,
        emulation: Emulation { pings: false, padding: false, lifetime: false },
        ..ClientOptions::new(seed()?)
    };
    let client = Client::new(options, clock)?;
    let relay = Relay::new(signed.record().clone()).at(subject.address);
    let tunnel = match client.connect(&relay).await {
        Ok(tunnel) => tunnel,
        Err(error) => return Ok(Err(error)),
    };
    let after = tunnel.opener().ping().await;
    tunnel.close(ErrorCode::Ok).await;
    Ok(Ok(after))
}

fn text(subject: &Subject, layers: &[Layer], bad: usize) -> String {
    let lines: Vec<String> = layers.iter().map(Layer::text).collect();
    let sum = match (bad, &subject.record) {
        (0, Some(_)) => "This is the relay of the record, and it can be used.",
        (0, None) => {
            "This is a web site that a relay could stand behind; whether one does is not for visitors to see.\n\
             With the relay's record (--record) there is more to look at."
        }
        (_, _) => "Each BAD layer says what to do next.",
    };
    format!("{} at {}\n{}\n{sum}", subject.host, subject.address, lines.join("\n"))
}
