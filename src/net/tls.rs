//! TLS as HTX wants it (spec chapter 3): 1.3 and nothing else, no early data, the exporter that binds the inner
//! handshake. Everything else is rustls.

use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;
use zeroize::Zeroizing;

use crate::htx::handshake::{EXPORTER_LABEL, WIRE_ID};

/// HTTP/2, as ALPN names it.
pub(super) const H2: &[u8] = b"h2";
/// What browsers offer beside it.
pub(super) const HTTP_1_1: &[u8] = b"http/1.1";

/// Why there is no TLS to be had.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A PEM file holds no certificate, or something else than one.
    #[error("no certificate can be read: {0}")]
    Certificates(rustls::pki_types::pem::Error),
    /// A PEM file holds no private key, or something else than one.
    #[error("no private key can be read: {0}")]
    Key(rustls::pki_types::pem::Error),
    /// A PEM file without a certificate in it.
    #[error("there is no certificate in the file")]
    NoCertificate,
    /// rustls does not take them: the key is not the certificate's, a certificate is malformed.
    #[error(transparent)]
    Rustls(#[from] rustls::Error),
    /// No certificate can be made for such a name.
    #[error("no certificate can be made: {0}")]
    Making(#[from] rcgen::Error),
    /// Neither a DNS name nor an IP address.
    #[error("`{0}` is no name of a host")]
    Host(String),
}

/// The certificates that make a server believable.
#[derive(Debug, Clone)]
pub enum Roots {
    /// Mozilla's list, as shipped with this program.
    Public,
    /// These and no others.
    Only(Vec<CertificateDer<'static>>),
    /// Mozilla's list, and these.
    PublicAnd(Vec<CertificateDer<'static>>),
}

/// Reads every certificate of a PEM file.
pub fn certificates_from_pem(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let certificates = read.map_err(TlsError::Certificates)?;
    if certificates.is_empty() { Err(TlsError::NoCertificate) } else { Ok(certificates) }
}

/// A certificate chain and its private key.
#[derive(Debug, Clone)]
pub struct Identity(Arc<CertifiedKey>);

impl Identity {
    /// Reads the chain, the host's own certificate first, and the key: PKCS #8, PKCS #1 or SEC1.
    pub fn from_pem(certificates: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let chain = certificates_from_pem(certificates)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(TlsError::Key)?;
        Ok(Self(Arc::new(CertifiedKey::from_der(chain, key, &default_provider())?)))
    }

    /// Makes a key and a certificate that it signs itself: for tests, and for a relay without a name yet.
    pub fn self_made(host: &str) -> Result<SelfMade, TlsError> {
        let made = rcgen::generate_simple_self_signed([host.to_owned()])?;
        let certificate_pem = made.cert.pem();
        let key_pem = Zeroizing::new(made.signing_key.serialize_pem());
        let identity = Self::from_pem(certificate_pem.as_bytes(), key_pem.as_bytes())?;
        Ok(SelfMade { identity, certificate_pem, key_pem })
    }
}

/// What [`Identity::self_made`] makes: ready for use, and as it goes into files.
#[derive(Debug)]
pub struct SelfMade {
    /// For a server.
    pub identity: Identity,
    /// The certificate. It is its own root.
    pub certificate_pem: String,
    /// The private key, PKCS #8.
    pub key_pem: Zeroizing<String>,
}

/// TLS 1.3 for a server that speaks HTTP/2, and HTTP/1.1 with those who do not.
///
/// It hands out session tickets like other web sites; early data it neither announces nor takes.
pub(super) fn server_config(identity: &Identity) -> Result<Arc<ServerConfig>, TlsError> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(Arc::clone(&identity.0))));
    config.alpn_protocols = vec![H2.to_vec(), HTTP_1_1.to_vec()];
    config.max_early_data_size = 0;
    Ok(Arc::new(config))
}

/// TLS 1.3 for a client that offers what browsers offer, in their order.
///
/// Sessions are not resumed: a tunnel's handshake is compared with a whole one of the pre-flight (O-7), and a
/// resumed session would tie two networks together (O-10).
pub(super) fn client_config(roots: &Roots) -> Result<Arc<ClientConfig>, TlsError> {
    let mut store = RootCertStore::empty();
    let (public, own) = match roots {
        Roots::Public => (true, &[][..]),
        Roots::Only(own) => (false, &own[..]),
        Roots::PublicAnd(own) => (true, &own[..]),
    };
    if public {
        store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    for certificate in own {
        store.add(certificate.clone())?;
    }
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])?
        .with_root_certificates(store)
        .with_no_client_auth();
    config.alpn_protocols = vec![H2.to_vec(), HTTP_1_1.to_vec()];
    config.resumption = Resumption::disabled();
    config.enable_early_data = false;
    Ok(Arc::new(config))
}

/// The name that a certificate is checked against.
pub(super) fn server_name(host: &str) -> Result<ServerName<'static>, TlsError> {
    ServerName::try_from(host.to_owned()).map_err(|_| TlsError::Host(host.to_owned()))
}

/// The keying material that binds the inner handshake to this TLS connection (spec chapter 6).
pub(super) fn exporter(connection: &TlsStream<TcpStream>) -> Result<[u8; 32], TlsError> {
    let context = Some(WIRE_ID.as_bytes());
    Ok(match connection {
        TlsStream::Client(stream) => {
            stream.get_ref().1.export_keying_material([0; 32], EXPORTER_LABEL, context)?
        }
        TlsStream::Server(stream) => {
            stream.get_ref().1.export_keying_material([0; 32], EXPORTER_LABEL, context)?
        }
    })
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(default_provider())
}
