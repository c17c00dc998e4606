//! An iroh endpoint that keeps to itself.

use std::sync::Arc;
use std::time::Duration;

use iroh::endpoint::{
    BindOpts, Connection, Endpoint, Incoming, NetReportConfig, PortmapperConfig, QuicTransportConfig, VarInt,
    presets,
};
use iroh::{EndpointId, RelayMap, RelayMode, SecretKey};
use iroh_mdns_address_lookup::MdnsAddressLookup;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::config::Config;
use super::error::StartError;
use super::health::{self, Surroundings};
use crate::wire::direct::ALPN;

/// Streams a contact may have open at once, for files; messages have one of their own.
const MAX_FILE_STREAMS: u32 = 8;
/// Longest pulse that is kept for a reader nobody needs: pulses are only acknowledged, by QUIC itself.
const PULSE_BUFFER: usize = 64;
/// Handshakes that may be under way at once; whoever comes then is not answered and tries again.
const MAX_HANDSHAKES: usize = 32;
/// How long a handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// The name contacts look for each other under on the local network.
const MDNS_SERVICE: &str = "hopline";

/// Binds an endpoint that publishes nothing, asks no DNS, maps no port and uses only the relays it is given.
async fn bind(config: &Config, secret: &[u8; 32]) -> Result<Endpoint, StartError> {
    if config.bind.is_empty() {
        return Err(StartError::NoAddress);
    }
    // The test for a captive portal is a plain HTTP request.
    let mut net_report = NetReportConfig::default();
    net_report.captive_portal_check = false;

    let mut builder = Endpoint::builder(presets::Minimal)
        .secret_key(SecretKey::from_bytes(secret))
        .alpns(vec![ALPN.to_vec()])
        .transport_config(quic())
        .net_report_config(net_report)
        .portmapper_config(PortmapperConfig::Disabled)
        .relay_mode(relay_mode(config))
        .clear_ip_transports();
    for bind in &config.bind {
        let options = BindOpts::default().set_prefix_len(bind.prefix).set_is_required(bind.required);
        builder = builder
            .bind_addr_with_opts(bind.address, options)
            .map_err(|source| StartError::Address { address: bind.address, source })?;
    }
    let endpoint = builder.bind().await?;
    if config.mdns {
        let mdns = MdnsAddressLookup::builder().service_name(MDNS_SERVICE).build(endpoint.id())?;
        endpoint.address_lookup()?.add(mdns);
    }
    Ok(endpoint)
}

/// Bounds on what a contact may make us hold. Keep-alives and idle timeouts are iroh's own (5 s and 15 s); a
/// connection in use has a faster pulse.
fn quic() -> QuicTransportConfig {
    QuicTransportConfig::builder()
        .max_concurrent_bidi_streams(VarInt::from_u32(MAX_FILE_STREAMS))
        .max_concurrent_uni_streams(VarInt::from_u32(1))
        .datagram_receive_buffer_size(Some(PULSE_BUFFER))
        .build()
}

fn relay_mode(config: &Config) -> RelayMode {
    if config.relays.is_empty() {
        RelayMode::Disabled
    } else {
        RelayMode::Custom(config.relays.iter().cloned().collect::<RelayMap>())
    }
}

/// One endpoint with one key: who knows another key of ours does not find it.
pub(super) struct Station {
    pub(super) endpoint: Endpoint,
    pub(super) surroundings: watch::Receiver<Surroundings>,
    tasks: [JoinHandle<()>; 2],
}

/// Somebody connected to the endpoint of this id, and proved a key; nothing more is known.
pub(super) type Accepted = (EndpointId, Connection);

impl Station {
    /// Opens the sockets, and hands on whoever connects.
    pub(super) async fn open(
        config: &Config,
        secret: &[u8; 32],
        accepted: mpsc::Sender<Accepted>,
        news: Arc<Notify>,
    ) -> Result<Self, StartError> {
        let endpoint = bind(config, secret).await?;
        let (surroundings, following) = health::follow(&endpoint, news);
        let accepting = tokio::spawn(accept(endpoint.clone(), accepted));
        Ok(Self { endpoint, surroundings, tasks: [accepting, following] })
    }

    /// Says goodbye to whoever is connected, and closes the sockets.
    pub(super) async fn close(self) {
        self.endpoint.close().await;
        for task in self.tasks {
            task.abort();
            // It ends by the abort; what it held is dropped then.
            task.await.ok();
        }
    }
}

/// Takes whoever connects through the handshake. When it is aborted, so is every handshake under way.
async fn accept(endpoint: Endpoint, accepted: mpsc::Sender<Accepted>) {
    let mut handshakes = JoinSet::new();
    loop {
        let incoming = tokio::select! {
            Some(_) = handshakes.join_next() => continue,
            incoming = endpoint.accept() => incoming,
        };
        let Some(incoming) = incoming else { return };
        if handshakes.len() >= MAX_HANDSHAKES {
            incoming.ignore();
            continue;
        }
        let (id, accepted) = (endpoint.id(), accepted.clone());
        handshakes.spawn(async move {
            match tokio::time::timeout(HANDSHAKE_TIMEOUT, handshake(incoming)).await {
                // When nobody listens, the driver has stopped.
                Ok(Some(connection)) => accepted.send((id, connection)).await.unwrap_or_default(),
                Ok(None) | Err(_) => tracing::debug!("a handshake from outside failed"),
            }
        });
    }
}

async fn handshake(incoming: Incoming) -> Option<Connection> {
    incoming.accept().ok()?.await.ok()
}
