//! Making a home for a relay: its configuration, its keys, its database, a certificate and a web site where there are
//! none.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rand_core::OsRng;

use crate::net::tls;
use crate::storage::{self, MailboxLimits, RelayDatabase};

use super::config::{CONFIG_FILE, DecoySite, HostName};
use super::error::SetupError;

/// The names of what is made where nothing else is given.
const CERTIFICATE_FILE: &str = "certificate.pem";
const KEY_FILE: &str = "certificate.key";
const SITE_FOLDER: &str = "site";

/// What a relay is to be like.
#[derive(Debug, Clone)]
pub struct Wish {
    /// The name in its certificate.
    pub host: HostName,
    /// Where it listens.
    pub listen: Vec<SocketAddr>,
    /// Where clients find it; may be empty when it listens at addresses that can be dialled.
    pub advertise: Vec<SocketAddr>,
    /// A certificate chain and its private key, PEM; one is made, that nobody trusts, where there is none.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// What visitors see; a folder is made, with two pages, where nothing is said.
    pub decoy: Option<DecoySite>,
    /// Where numbers are served.
    pub metrics: Option<SocketAddr>,
}

/// What was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The configuration.
    pub config: PathBuf,
    /// The certificate, where it was made here and has to be passed on with the record.
    pub certificate: Option<PathBuf>,
    /// The folder of the web site, where it was made here and should be filled with something else.
    pub site: Option<PathBuf>,
}

/// Makes a home. The configuration is written last: where it is, everything is.
pub fn make(home: &Path, wish: &Wish) -> Result<Made, SetupError> {
    let config = home.join(CONFIG_FILE);
    if fs::symlink_metadata(&config).is_ok() {
        return Err(SetupError::Exists { file: config });
    }
    if wish.advertise.is_empty() && wish.listen.iter().any(|address| address.ip().is_unspecified()) {
        return Err(SetupError::NoAddress);
    }
    storage::load_or_create_relay(home, &mut OsRng)?;
    drop(RelayDatabase::open(home, MailboxLimits::default())?);
    let certificate = match wish.certificate {
        Some(_) => None,
        None => Some(make_certificate(home, &wish.host)?),
    };
    let site = match wish.decoy {
        Some(_) => None,
        None => Some(make_site(home, &wish.host)?),
    };
    write(&config, 0o600, &written(wish))?;
    Ok(Made { config, certificate, site })
}

fn make_certificate(home: &Path, host: &HostName) -> Result<PathBuf, SetupError> {
    let made = tls::Identity::self_made(&host.0)?;
    let (certificate, key) = (home.join(CERTIFICATE_FILE), home.join(KEY_FILE));
    write(&key, 0o600, &made.key_pem)?;
    write(&certificate, 0o644, &made.certificate_pem)?;
    Ok(certificate)
}

/// A small site. Everybody's looks like this one, so it is for trying things out.
fn make_site(home: &Path, host: &HostName) -> Result<PathBuf, SetupError> {
    let site = home.join(SITE_FOLDER);
    fs::create_dir_all(&site).map_err(failed(&site))?;
    let page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{host}</title></head>\n<body>\n\
         <h1>{host}</h1>\n<p>This site is being built. Please come back later.</p>\n</body>\n</html>\n"
    );
    write(&site.join("index.html"), 0o644, &page)?;
    write(&site.join("robots.txt"), 0o644, "User-agent: *\nDisallow:\n")?;
    Ok(site)
}

/// The configuration, with what can be changed beside what was wished.
fn written(wish: &Wish) -> String {
    let list = |addresses: &[SocketAddr]| {
        let quoted: Vec<String> = addresses.iter().map(|address| quoted(&address.to_string())).collect();
        format!("[{}]", quoted.join(", "))
    };
    let path = |path: &Path| quoted(&path.display().to_string());
    let (certificate, key) = match &wish.certificate {
        Some((certificate, key)) => (path(certificate), path(key)),
        None => (quoted(CERTIFICATE_FILE), quoted(KEY_FILE)),
    };
    let decoy = match &wish.decoy {
        None => format!("folder = {}\n", quoted(SITE_FOLDER)),
        Some(DecoySite::Folder(folder)) => format!("folder = {}\n", path(folder)),
        Some(DecoySite::Upstream { address, host }) => {
            let host = host.as_deref().map(|host| format!("upstream_host = {}\n", quoted(host)));
            format!("upstream = {}\n{}", quoted(&address.to_string()), host.unwrap_or_default())
        }
    };
    let metrics = match wish.metrics {
        Some(address) => format!("listen = {}\n", quoted(&address.to_string())),
        None => "# listen = \"127.0.0.1:9464\"\n".to_owned(),
    };
    format!(
        "# A Hopline relay. docs/relay.md says what each key means, and which others there are.\n\n\
         [relay]\nhost = {host}\nlisten = {listen}\nadvertise = {advertise}\ncertificate = {certificate}\n\
         key = {key}\n\n[decoy]\n{decoy}\n[metrics]\n{metrics}",
        host = quoted(&wish.host.0),
        listen = list(&wish.listen),
        advertise = list(&wish.advertise),
    )
}

/// A text as TOML has it.
fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// Writes a file that is not there yet.
fn write(path: &Path, mode: u32, text: &str) -> Result<(), SetupError> {
    let made = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    made.and_then(|mut file| file.write_all(text.as_bytes())).map_err(failed(path))
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> SetupError {
    let path = path.to_owned();
    move |source| SetupError::Io { path, source }
}
