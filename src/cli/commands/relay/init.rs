//! `hopline relay init`: a home for a relay, and what to do next.

use std::net::SocketAddr;
use std::path::{Path, PathBuf, absolute};

use clap::ValueHint;
use serde_json::json;

use crate::relay::config::{DecoySite, HostName};
use crate::relay::setup::{Made, Wish, make};

use crate::cli::context::Context;
use crate::cli::error::CliError;

/// What `relay init` is told.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The relay's host name, as in its certificate
    #[arg(long, value_name = "NAME")]
    host: HostName,
    /// Where it listens; repeat it for several
    #[arg(long, value_name = "IP:PORT", default_value = "0.0.0.0:443")]
    listen: Vec<SocketAddr>,
    /// Where clients find it; repeat it for several [default: where it listens]
    #[arg(long, value_name = "IP:PORT")]
    advertise: Vec<SocketAddr>,
    /// The certificate chain, PEM [default: one made here, that no browser trusts]
    #[arg(long, value_name = "FILE", requires = "key", value_hint = ValueHint::FilePath)]
    certificate: Option<PathBuf>,
    /// The certificate's private key, PEM
    #[arg(long, value_name = "FILE", requires = "certificate", value_hint = ValueHint::FilePath)]
    key: Option<PathBuf>,
    /// The web site that visitors see [default: a small folder made here]
    #[arg(long, value_name = "DIR", conflicts_with = "upstream", value_hint = ValueHint::DirPath)]
    site: Option<PathBuf>,
    /// A web server that visitors' requests are passed on to, over HTTP/1.1
    #[arg(long, value_name = "IP:PORT")]
    upstream: Option<SocketAddr>,
    /// Serve numbers to Prometheus at this loopback address [default: no]
    #[arg(long, value_name = "IP:PORT")]
    metrics: Option<SocketAddr>,
}

pub(super) fn run(context: &Context, home: &Path, arguments: Arguments) -> Result<(), CliError> {
    let full = |path: PathBuf| absolute(&path).map_err(|source| CliError::File { file: path, source });
    let certificate = match arguments.certificate.zip(arguments.key) {
        Some((certificate, key)) => Some((full(certificate)?, full(key)?)),
        None => None,
    };
    let decoy = match (arguments.upstream, arguments.site) {
        (Some(address), _) => Some(DecoySite::Upstream { address, host: None }),
        (None, Some(site)) => Some(DecoySite::Folder(full(site)?)),
        (None, None) => None,
    };
    let wish = Wish {
        host: arguments.host,
        listen: arguments.listen,
        advertise: arguments.advertise,
        certificate,
        decoy,
        metrics: arguments.metrics,
    };
    let made = make(home, &wish)?;
    let object = json!({
        "home": home,
        "config": made.config,
        "certificate": made.certificate,
        "site": made.site,
    });
    context.out.say(&object, next_steps(home, &made))
}

fn next_steps(home: &Path, made: &Made) -> String {
    let mut text = format!("The relay is ready in {}.\n\nNext:\n", home.display());
    if let Some(certificate) = &made.certificate {
        text.push_str(&format!(
            "  - {} was made here. No browser trusts it, which gives the relay away: get a real one\n    \
             (for example from Let's Encrypt), and name it in {}. To try things out, pass it on with the\n    \
             record: clients take it as `ca` in their `[betanet]`.\n",
            certificate.display(),
            made.config.display(),
        ));
    }
    if let Some(site) = &made.site {
        text.push_str(&format!(
            "  - {} holds a site that looks like every other relay's: put one of your own there.\n",
            site.display()
        ));
    }
    let command = format!("hopline --home {} relay", home.display());
    text.push_str(&format!(
        "  - `{command} run` runs it; tools/systemd/hopline-relay.service is a unit for that.\n  \
         - `{command} record` then shows what you give to those who may use it."
    ));
    text
}
