//! `hopline status`: the node itself.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::api::betanet::{MailboxWord, PartWord, RelayReport};
use crate::api::counters::{Counters, LinkCounters, MeshCounters, MessageCounters};
use crate::api::courier::CourierReport;
use crate::api::schema::{ConnectionReport, LinkReport, PathWord, RoleWord, StatusReport};
use crate::api::sync::SyncCounters;

use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::words::{clock_off, printable, span, table};

pub(in crate::cli) async fn run(context: &Context) -> Result<(), CliError> {
    let status = context.client()?.status().await?;
    context.out.say(&status, describe(&status))
}

fn describe(status: &StatusReport) -> String {
    let row = |name: &str, value: String| vec![name.to_owned(), value];
    let clock = match (status.clock.unset, status.clock.ahead_ms) {
        (true, _) => "unset: nothing is sent until it is set".to_owned(),
        (false, Some(ahead_ms)) => clock_off(ahead_ms),
        (false, None) => "set".to_owned(),
    };
    let mut rows = vec![
        row("name", printable(&status.nickname)),
        row("peer id", status.peer_id.to_string()),
        row("fingerprint", status.fingerprint.to_string()),
        row("version", status.version.clone()),
        row("running", span(Duration::from_millis(status.uptime_ms))),
        row("clock", clock),
    ];
    for transport in &status.transports {
        let state =
            transport.reason.as_deref().map_or("works".to_owned(), |why| format!("does not work: {why}"));
        rows.push(row(&transport.transport, state));
    }
    rows.extend(
        status
            .betanet
            .iter()
            .flat_map(|betanet| &betanet.relays)
            .map(|relay| row(&format!("relay {}", printable(&relay.host)), describe_relay(relay))),
    );
    if let Some(betanet) = &status.betanet {
        rows.push(row(
            "prekeys of contacts",
            format!("{} left, each for a message through a relay", betanet.prekeys),
        ));
    }
    if status.mdns {
        rows.push(row("mDNS", "on: everybody on the local network can see this node".to_owned()));
    }
    if status.adapters.is_empty() {
        rows.push(row("adapters", "none is up yet".to_owned()));
    }
    for adapter in &status.adapters {
        let state = if adapter.up { "up" } else { "down" };
        rows.push(row(&format!("adapter {}", adapter.adapter), state.to_owned()));
    }
    if status.links.is_empty() {
        rows.push(row("links", "none".to_owned()));
    }
    rows.extend(status.links.iter().map(|link| row(&format!("link {}", link.link), describe_link(link))));
    rows.extend(
        status.connections.iter().map(|connection| row("connection", describe_connection(connection))),
    );
    let Counters { messages, mesh, link } = &status.counters;
    let counted = [describe_messages(messages), describe_packets(mesh)].concat();
    rows.extend(counted.into_iter().map(|(name, value)| row(name, value)));
    rows.extend([
        row("courier mail", describe_courier(&status.courier)),
        row(
            "prekeys",
            format!("{} left; those of {} people are known", status.courier.prekeys, status.courier.bundles),
        ),
    ]);
    rows.extend(describe_frames(link).into_iter().map(|(name, value)| row(name, value)));
    table(&rows)
}

fn describe_messages(messages: &MessageCounters) -> Vec<(&'static str, String)> {
    let MessageCounters {
        public_received,
        private_received,
        group_received,
        sent,
        delivered,
        read,
        expired,
        refused,
    } = messages;
    let what_became = format!("{delivered} delivered, {read} read, {expired} given up, {refused} refused");
    vec![
        ("messages sent", format!("{sent} ({what_became})")),
        (
            "messages received",
            format!("{public_received} public, {private_received} private, {group_received} to groups"),
        ),
    ]
}

fn describe_packets(mesh: &MeshCounters) -> Vec<(&'static str, String)> {
    let MeshCounters {
        received,
        originated,
        routed,
        relayed,
        relays_cancelled,
        spooled,
        unspooled,
        reassembled,
        nostr_events,
        sync,
        dropped,
    } = mesh;
    vec![
        ("packets made", format!("{originated} ({routed} of them sent along a route)")),
        (
            "packets heard",
            format!(
                "{received} ({reassembled} more put together); {relayed} relayed ({nostr_events} Nostr events), {relays_cancelled} spared, since all had them"
            ),
        ),
        (
            "packets kept",
            format!("{spooled} for want of a link, up to a minute; {unspooled} of them went on then"),
        ),
        ("history", describe_sync(sync)),
        ("packets dropped", describe_dropped(dropped)),
    ]
}

fn describe_frames(link: &LinkCounters) -> Vec<(&'static str, String)> {
    let LinkCounters {
        frames_sent,
        bytes_sent,
        frames_received,
        bytes_received,
        dropped_full,
        dropped_no_link,
        dropped_too_long,
        garbage_bytes,
        dialled,
        dial_failures,
        refused_links,
        silent_links,
        retired_links,
    } = link;
    vec![
        ("frames sent", format!("{frames_sent} ({bytes_sent} bytes)")),
        (
            "frames dropped",
            format!("{dropped_full} link full, {dropped_no_link} link gone, {dropped_too_long} too long"),
        ),
        (
            "frames received",
            format!("{frames_received} ({bytes_received} bytes, {garbage_bytes} more in no frame)"),
        ),
        ("dialled", format!("{dialled} times, {dial_failures} in vain")),
        (
            "links closed",
            format!(
                "{refused_links} too many, {silent_links} silent, {retired_links} replaced by a newer one"
            ),
        ),
    ]
}

fn describe_relay(relay: &RelayReport) -> String {
    let part = match relay.part {
        PartWord::InUse => "in use",
        PartWord::Warm => "warm, in case the one in use dies",
        PartWord::Down => "out of reach",
    };
    let mailbox = match relay.mailbox {
        MailboxWord::None => "",
        MailboxWord::Kept => "; a mailbox that older cards name",
        MailboxWord::OnCard => "; keeps our mailbox",
        MailboxWord::Refused => "; takes no mailbox of ours",
    };
    let trouble = relay.trouble.as_deref().map(|why| format!(": {}", printable(why))).unwrap_or_default();
    format!("{part}{trouble}{mailbox}")
}

fn describe_link(link: &LinkReport) -> String {
    let dialled = match link.role {
        RoleWord::Central => "we dialled",
        RoleWord::Peripheral => "they dialled",
    };
    let peer = link.peer.as_deref().unwrap_or("nobody announced yet");
    format!("{peer} at {} ({dialled}, frames of up to {} bytes)", link.address, link.max_frame)
}

fn describe_connection(connection: &ConnectionReport) -> String {
    let ConnectionReport { peer, path, through, round_trip_ms } = connection;
    let through = through.as_deref().map(printable).unwrap_or_default();
    let way = match path {
        PathWord::Straight => format!("straight to {through}"),
        PathWord::Relayed => format!("relayed by {through}"),
        PathWord::Unknown => "by a way not known yet".to_owned(),
    };
    format!("{peer} {way} ({round_trip_ms} ms there and back)")
}

fn describe_courier(courier: &CourierReport) -> String {
    let CourierReport { carried, waiting, deposited, taken, shared, handed, opened, .. } = courier;
    format!(
        "{carried} carried for others ({taken} taken, {shared} shared, {handed} handed over); {waiting} of ours on \
         the way ({deposited} left with couriers); {opened} opened"
    )
}

fn describe_sync(sync: &SyncCounters) -> String {
    let SyncCounters { remembered, asked, answered, sent, cut_short, taken } = sync;
    let cut = if *cut_short == 0 { String::new() } else { format!(", {cut_short} cut short") };
    format!(
        "{remembered} packets kept; asked {asked} times, got {taken}; answered {answered} times, sent {sent}{cut}"
    )
}

fn describe_dropped(reasons: &BTreeMap<String, u64>) -> String {
    if reasons.is_empty() {
        return "none".to_owned();
    }
    reasons.iter().map(|(reason, count)| format!("{count} {reason}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::api::betanet::BetanetReport;
    use crate::api::schema::ClockReport;
    use crate::ids::{Fingerprint, PeerId};
    use crate::mesh::error::DropReason;

    fn report(mdns: bool) -> StatusReport {
        StatusReport {
            version: "0".to_owned(),
            peer_id: PeerId([1; 8]),
            fingerprint: Fingerprint([1; 32]),
            nickname: "ada".to_owned(),
            uptime_ms: 0,
            clock: ClockReport { unix_ms: 0, unset: false, ahead_ms: None },
            transports: Vec::new(),
            betanet: None,
            mdns,
            adapters: Vec::new(),
            links: Vec::new(),
            connections: Vec::new(),
            courier: CourierReport::default(),
            counters: Counters::default(),
        }
    }

    #[test]
    fn mail_that_is_carried_and_prekeys_are_counted() {
        let courier = CourierReport { carried: 3, prekeys: 7, bundles: 2, ..CourierReport::default() };
        let shown = describe(&StatusReport { courier, ..report(false) });
        assert!(shown.contains("3 carried for others"), "{shown}");
        assert!(shown.contains("7 left; those of 2 people are known"), "{shown}");
    }

    #[test]
    fn every_reason_for_dropping_a_packet_is_named_with_its_count() {
        let names = || DropReason::ALL.iter().map(|reason| reason.as_str().to_owned());
        let mut report = report(false);
        report.counters.mesh.dropped = names().zip(1_001..).collect();
        let shown = describe(&report);
        let (_, line) = shown.split_once("packets dropped").expect("a line of its own");
        let told: BTreeSet<&str> = line.lines().next().unwrap_or_default().trim().split(", ").collect();
        for (name, count) in names().zip(1_001..) {
            assert!(told.contains(format!("{count} {name}").as_str()), "{name}: {line}");
        }
    }

    #[test]
    fn whatever_is_counted_is_shown() {
        let mut report = report(false);
        let mut next = 1_000;
        let mut counters = serde_json::to_value(&report.counters).unwrap();
        number(&mut counters, &mut next);
        report.counters = serde_json::from_value(counters).unwrap();
        let shown = describe(&report);
        assert!(next > 1_030, "there is a lot to count");
        for count in 1_001..=next {
            assert!(shown.contains(&count.to_string()), "{count}: {shown}");
        }
    }

    /// Gives every number a value of its own.
    fn number(value: &mut serde_json::Value, next: &mut u64) {
        match value {
            serde_json::Value::Number(number) => {
                *next += 1;
                *number = (*next).into();
            }
            serde_json::Value::Object(fields) => fields.values_mut().for_each(|field| number(field, next)),
            serde_json::Value::Array(_)
            | serde_json::Value::Null
            | serde_json::Value::Bool(_)
            | serde_json::Value::String(_) => {}
        }
    }

    #[test]
    fn relays_say_what_they_are_and_why_they_are_not() {
        let relay = |host: &str, part, mailbox, trouble: Option<&str>| RelayReport {
            host: host.to_owned(),
            part,
            mailbox,
            trouble: trouble.map(str::to_owned),
        };
        let relays = vec![
            relay("one.example", PartWord::InUse, MailboxWord::OnCard, None),
            relay("two.example", PartWord::Warm, MailboxWord::Kept, None),
            relay("three.example", PartWord::Down, MailboxWord::None, Some("connection refused")),
        ];
        let shown = describe(&StatusReport {
            betanet: Some(BetanetReport { relays, others: 0, prekeys: 5 }),
            ..report(false)
        });
        for line in [
            "relay one.example    in use; keeps our mailbox",
            "relay two.example    warm, in case the one in use dies; a mailbox that older cards name",
            "relay three.example  out of reach: connection refused",
        ] {
            assert!(shown.contains(line), "{shown}");
        }
    }

    #[test]
    fn a_connection_says_which_way_it_takes() {
        let through = |path, through: &str| ConnectionReport {
            peer: PeerId([2; 8]),
            path,
            through: Some(through.to_owned()),
            round_trip_ms: 52,
        };
        let connections = vec![
            through(PathWord::Relayed, "http://relay.example/"),
            through(PathWord::Straight, "192.0.2.1:4433"),
        ];
        let described = describe(&StatusReport { connections, ..report(false) });
        let relayed = "0202020202020202 relayed by http://relay.example/ (52 ms there and back)";
        assert!(described.contains(relayed), "{described}");
        assert!(described.contains("0202020202020202 straight to 192.0.2.1:4433"), "{described}");
    }

    #[test]
    fn a_clock_that_seems_to_be_wrong_is_told_with_what_to_do() {
        let with = |unset, ahead_ms| StatusReport {
            clock: ClockReport { unix_ms: 0, unset, ahead_ms },
            ..report(false)
        };
        let ahead = describe(&with(false, Some(37 * 60_000)));
        assert!(ahead.contains("this machine's clock seems to be 37 min ahead: others drop"), "{ahead}");
        let behind = describe(&with(false, Some(-26 * 3_600_000)));
        assert!(behind.contains("seems to be 1 d 2 h behind") && behind.contains("timedatectl"), "{behind}");
        assert!(describe(&with(true, Some(1))).contains("unset: nothing is sent"));
        assert!(!describe(&with(false, None)).contains("seems"));
    }

    #[test]
    fn a_node_that_the_local_network_can_see_says_so() {
        assert!(describe(&report(true)).contains("everybody on the local network can see this node"));
        assert!(!describe(&report(false)).contains("mDNS"));
    }
}
