//! Numbers for Prometheus: how much, never who. They are served on an address of their own, for this machine alone.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::Registry;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::net::server::Counters;
use crate::storage::MailboxTotals;

/// Connections served at once; a further one waits.
const CONNECTIONS: usize = 8;
/// How long a request may take to come, and a connection in all.
const DEADLINE: Duration = Duration::from_secs(10);
/// What every name begins with.
const PREFIX: &str = "hopline_relay";
/// The media type of the text format.
const TEXT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type Labels<const N: usize> = [(&'static str, &'static str); N];

/// What the relay counts itself.
#[derive(Debug, Clone, Default)]
pub(super) struct Metrics {
    requests: Family<Labels<2>, Counter>,
    refusals: Family<Labels<1>, Counter>,
    mailboxes: Gauge,
    envelopes: Gauge,
    bytes: Gauge,
}

impl Metrics {
    /// A request was answered.
    pub(super) fn answered(&self, op: &'static str, answer: &'static str) {
        self.requests.get_or_create(&[("op", op), ("answer", answer)]).inc();
    }

    /// A request was refused, and why.
    pub(super) fn refused(&self, why: &'static str) {
        self.refusals.get_or_create(&[("why", why)]).inc();
    }

    /// How much is kept.
    pub(super) fn keeps(&self, totals: MailboxTotals) {
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        self.mailboxes.set(number(totals.mailboxes));
        self.envelopes.set(number(totals.envelopes));
        self.bytes.set(number(totals.bytes));
    }

    fn registry(self, tunnels: Arc<Counters>) -> Registry {
        let mut registry = Registry::with_prefix(PREFIX);
        registry.register("requests", "Requests of tunnels, by operation and answer", self.requests);
        registry.register(
            "refusals",
            "Requests that were refused, by the reason nobody is told",
            self.refusals,
        );
        registry.register("mailboxes", "Mailboxes", self.mailboxes);
        registry.register("envelopes", "Envelopes that wait", self.envelopes);
        registry.register("envelope_bytes", "Bytes of these", self.bytes);
        registry.register_collector(Box::new(Listener(tunnels)));
        registry
    }
}

/// What the listener counts.
#[derive(Debug)]
struct Listener(Arc<Counters>);

impl Collector for Listener {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let now = self.0.snapshot();
        let counts = [
            ("connections", "Connections that were accepted", now.connections),
            ("connections_refused", "Connections closed at once, being too many", now.connections_refused),
            ("handshakes_failed", "TLS handshakes that came to nothing", now.handshakes_failed),
            ("http_requests", "HTTP requests, of visitors and for tunnels", now.requests),
            ("tunnel_posts", "HTTP requests to the tunnel path", now.tunnel_posts),
            ("tickets_admitted", "Tickets that were good", now.tickets_admitted),
            ("tickets_refused", "Requests to the tunnel path without a good ticket", now.tickets_refused),
            ("tickets_over_budget", "Requests of sources that had no token left", now.tickets_over_budget),
            ("tunnels", "Tunnels that were established", now.tunnels),
            ("inner_handshakes_failed", "Tunnels that were never established", now.inner_failed),
        ];
        for (name, help, count) in counts {
            let counter = ConstCounter::new(count);
            counter.encode(encoder.encode_descriptor(name, help, None, counter.metric_type())?)?;
        }
        let open = [
            ("connections_open", "Connections that are open", now.connections_open),
            ("tunnels_open", "Tunnels that are open", now.tunnels_open),
        ];
        for (name, help, number) in open {
            let gauge = ConstGauge::new(i64::try_from(number).unwrap_or(i64::MAX));
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        Ok(())
    }
}

/// Where the numbers are served; they are served no more when this is dropped.
#[derive(Debug)]
pub(super) struct Exporter {
    pub(super) address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Exporter {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves the numbers at `/metrics`.
pub(super) async fn serve(
    address: SocketAddr,
    metrics: Metrics,
    tunnels: Arc<Counters>,
) -> io::Result<Exporter> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    let registry = Arc::new(metrics.registry(tunnels));
    Ok(Exporter { address, task: tokio::spawn(accept(listener, registry)) })
}

async fn accept(listener: TcpListener, registry: Arc<Registry>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    while let Ok(permit) = Arc::clone(&room).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let registry = Arc::clone(&registry);
                tokio::spawn(async move {
                    // Whoever takes longer is cut off, and may ask again.
                    tokio::time::timeout(DEADLINE, connection(stream, registry)).await.ok();
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection for the numbers could not be accepted");
                tokio::time::sleep(DEADLINE / 10).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, registry: Arc<Registry>) {
    let service = service_fn(|request: Request<Incoming>| {
        let answer = answer(&request, &registry);
        async move { Ok::<_, Infallible>(answer) }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(DEADLINE)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection for the numbers broke off");
    }
}

fn answer(request: &Request<Incoming>, registry: &Registry) -> Response<Full<Bytes>> {
    let (status, text) = match (request.method(), request.uri().path()) {
        (&Method::GET, "/metrics") => {
            let mut text = String::new();
            match encode(&mut text, registry) {
                Ok(()) => (StatusCode::OK, text),
                Err(fmt::Error) => (StatusCode::INTERNAL_SERVER_ERROR, String::new()),
            }
        }
        (_, "/metrics") => (StatusCode::METHOD_NOT_ALLOWED, String::new()),
        _ => (StatusCode::NOT_FOUND, String::new()),
    };
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(TEXT));
    response
}
