//! What standard clients see of a host with tunnels: a web site, over TLS 1.3 and HTTP/2.
//!
//! They are programs of the system, so these tests are ignored by default; `.ci/run` installs the programs and runs
//! them: `cargo test --test htx_browsers -- --ignored`.

#![expect(clippy::unwrap_used, reason = "an unwrap in a test is an assertion")]

mod htx;

use std::process::Output;

use tokio::process::Command;
use tokio::time::timeout;

use htx::{HOST, Host, INDEX, PATIENCE, TUNNEL_PATH, write_certificate};

async fn run(program: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(program);
    command.args(arguments).stdin(std::process::Stdio::null()).kill_on_drop(true);
    let output = timeout(PATIENCE, command.output()).await.unwrap();
    output.unwrap_or_else(|error| panic!("{program} cannot be run: {error}"))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test]
#[ignore = "runs curl, which is not everywhere"]
async fn curl_loads_the_site() {
    let host = Host::start().await;
    let port = host.address().port();
    let certificate = write_certificate(&host);
    let resolve = format!("{HOST}:{port}:127.0.0.1");
    let url = format!("https://{HOST}:{port}/");
    let said = "\n%{http_version} %{http_code} %{content_type}";
    let usual = ["-sS", "--cacert", certificate.to_str().unwrap(), "--resolve", &resolve, "-w", said];
    for (more, version) in [(vec!["--http2", "--tlsv1.3"], "2"), (vec!["--http1.1"], "1.1")] {
        let output = run("curl", &[&usual[..], &more[..], &[&url]].concat()).await;
        assert!(output.status.success(), "{}", text(&output.stderr));
        let expected = format!("{INDEX}\n{version} 200 text/html; charset=utf-8");
        assert_eq!(text(&output.stdout), expected);
    }
    let output = run("curl", &[&usual[..], &["--tls-max", "1.2", &url]].concat()).await;
    assert!(!output.status.success(), "TLS 1.2 was taken");
    // What is not there, and what a form at the tunnel path gets.
    let output = run("curl", &[&usual[..], &[&format!("{url}nowhere")]].concat()).await;
    assert!(text(&output.stdout).ends_with("2 404 text/html; charset=utf-8"), "{}", text(&output.stdout));
    let tunnel = format!("https://{HOST}:{port}{TUNNEL_PATH}");
    let output = run("curl", &[&usual[..], &["-d", "bn1=tea", &tunnel]].concat()).await;
    assert!(text(&output.stdout).ends_with("2 405 text/html; charset=utf-8"), "{}", text(&output.stdout));
}

#[tokio::test]
#[ignore = "runs openssl, which is not everywhere"]
async fn openssl_agrees_on_tls_1_3_and_http_2() {
    let host = Host::start().await;
    let certificate = write_certificate(&host);
    let address = host.address().to_string();
    let usual = ["s_client", "-connect", &address, "-servername", HOST, "-alpn", "h2,http/1.1"];
    let believing = ["-CAfile", certificate.to_str().unwrap(), "-verify_return_error"];
    let output = run("openssl", &[&usual[..], &believing[..]].concat()).await;
    let said = text(&output.stdout);
    for expected in ["TLSv1.3", "ALPN protocol: h2", "Verify return code: 0 (ok)", "Early data was not sent"]
    {
        assert!(said.contains(expected), "{expected}: {said}{}", text(&output.stderr));
    }
    let output = run("openssl", &[&usual[..], &["-tls1_2"]].concat()).await;
    assert!(text(&output.stderr).contains("alert protocol version"), "{}", text(&output.stderr));
}

#[tokio::test]
#[ignore = "runs chromium, which is not everywhere"]
async fn chromium_loads_the_site() {
    let host = Host::start().await;
    let port = host.address().port();
    let profile = tempfile::tempdir().unwrap();
    let net_log = profile.path().join("net-log.json");
    let pin = certificate_pin(&host).await;
    let arguments = [
        "--headless".to_owned(),
        "--no-sandbox".to_owned(),
        "--disable-gpu".to_owned(),
        "--disable-quic".to_owned(),
        "--no-first-run".to_owned(),
        "--disable-background-networking".to_owned(),
        "--disable-component-update".to_owned(),
        "--disable-sync".to_owned(),
        format!("--user-data-dir={}", profile.path().join("profile").display()),
        format!("--host-resolver-rules=MAP {HOST} 127.0.0.1"),
        format!("--ignore-certificate-errors-spki-list={pin}"),
        format!("--log-net-log={}", net_log.display()),
        "--dump-dom".to_owned(),
        format!("https://{HOST}:{port}/"),
    ];
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let output = run("chromium", &arguments).await;
    let said = text(&output.stdout);
    assert!(said.contains("Nothing but tea."), "{said}{}", text(&output.stderr));
    let log = std::fs::read_to_string(&net_log).unwrap();
    assert!(log.contains("\"next_proto\":\"h2\""), "no HTTP/2 in chromium's own log");
    assert!(log.contains("\"version\":\"TLS 1.3\""), "no TLS 1.3 in chromium's own log");
    assert!(host.server.counters().snapshot().requests > 0);
}

/// The hash of the certificate's key, by which chromium can be told to believe it.
async fn certificate_pin(host: &Host) -> String {
    let certificate = write_certificate(host);
    let script = format!(
        "openssl x509 -in {} -pubkey -noout | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary \
         | openssl base64",
        certificate.display()
    );
    text(&run("sh", &["-c", &script]).await.stdout).trim().to_owned()
}
