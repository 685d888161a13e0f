//! TLS: what the settings make of certificates, keys and ciphers.
//!
//! The protocol is rustls's, which does no I/O of its own. Here the files that the settings name become its configurations,
//! one for those who connect to `tls-port` and one for connections to other servers. The reactor puts them between a socket
//! and the bytes that come over it, see [`crate::reactor`].
//!
//! The files are read at the start and again whenever CONFIG SET names one of the settings, so that a certificate which has
//! been renewed is taken up by saying the old name once more.

pub mod ciphers;
mod trust;

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{NoServerSessionStorage, ServerSessionMemoryCache, WebPkiClientVerifier};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};

use crate::config::Settings;
use crate::config::choice::TlsAuthClients;
use crate::format::reason;

/// Sessions kept for resumption when `tls-session-cache-size` sets no limit: some must be.
const MOST_SESSIONS: usize = 1 << 17;

/// What both sides of a connection need.
#[derive(Clone)]
pub struct Tls {
    server: Arc<ServerConfig>,
    client: Option<Arc<ClientConfig>>,
}

/// Whether any setting asks for TLS.
pub fn is_wanted(settings: &Settings) -> bool {
    settings.tls_port != 0 || settings.tls_replication || settings.tls_cluster
}

impl Tls {
    /// Reads the files that the settings name.
    ///
    /// # Errors
    /// What is missing or wrong, as a line for the log.
    pub fn load(settings: &Settings) -> Result<Tls, String> {
        let dials = settings.tls_replication || settings.tls_cluster;
        let versions = ciphers::versions(&settings.tls_protocols.to_string())?;
        let suites = ciphers::suites(
            &settings.tls_ciphersuites.to_string(),
            &settings.tls_ciphers.to_string(),
        )?;
        let provider = Arc::new(CryptoProvider {
            cipher_suites: suites,
            ..default_provider()
        });
        let own = Identity::read(
            "tls",
            &settings.tls_cert_file.to_string(),
            &settings.tls_key_file.to_string(),
        )?;
        let needs_roots = dials || settings.tls_auth_clients != TlsAuthClients::No;
        let roots = needs_roots.then(|| read_roots(settings)).transpose()?;
        let verifier = match (settings.tls_auth_clients, &roots) {
            (TlsAuthClients::No, _) | (_, None) => WebPkiClientVerifier::no_client_auth(),
            (auth, Some(roots)) => {
                let builder = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone());
                let builder = match auth {
                    TlsAuthClients::Optional => builder.allow_unauthenticated(),
                    TlsAuthClients::Yes | TlsAuthClients::No => builder,
                };
                builder
                    .build()
                    .map_err(|error| format!("Failed to configure CA certificate(s) file/directory: {error}"))?
            }
        };
        let mut server = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&versions)
            .map_err(|error| format!("Failed to configure ciphers: {error}"))?
            .with_client_cert_verifier(verifier)
            .with_single_cert(own.chain.clone(), own.key.clone_key())
            .map_err(|error| format!("Failed to load certificate: {}: {error}", settings.tls_cert_file))?;
        server.ignore_client_order = settings.tls_prefer_server_ciphers;
        match (settings.tls_session_caching, settings.tls_session_cache_size) {
            (false, _) => {
                server.session_storage = Arc::new(NoServerSessionStorage {});
                server.send_tls13_tickets = 0;
            }
            (true, size) => {
                let size = if size == 0 { MOST_SESSIONS } else { size as usize };
                server.session_storage = ServerSessionMemoryCache::new(size.min(MOST_SESSIONS));
            }
        }
        let client = match (dials, roots) {
            (true, Some(roots)) => {
                let (file, key) = (&settings.tls_client_cert_file, &settings.tls_client_key_file);
                let identity = match file.is_empty() {
                    true => own,
                    false => Identity::read("tls-client", &file.to_string(), &key.to_string())?,
                };
                let verifier = trust::AnyName::new(roots, provider.clone())?;
                let mut client = ClientConfig::builder_with_provider(provider)
                    .with_protocol_versions(&versions)
                    .map_err(|error| format!("Failed to configure ciphers: {error}"))?
                    .dangerous()
                    .with_custom_certificate_verifier(Arc::new(verifier))
                    .with_client_auth_cert(identity.chain, identity.key)
                    .map_err(|error| format!("Failed to load certificate: {file}: {error}"))?;
                client.enable_sni = false;
                Some(Arc::new(client))
            }
            _ => None,
        };
        Ok(Tls {
            server: Arc::new(server),
            client,
        })
    }

    /// The server's side of a new connection.
    ///
    /// # Errors
    /// What rustls says of the configuration.
    pub fn answer(&self) -> Result<rustls::Connection, rustls::Error> {
        ServerConnection::new(self.server.clone()).map(rustls::Connection::Server)
    }

    /// The client's side of a connection to this address. `None` if no setting asks for any.
    ///
    /// # Errors
    /// What rustls says of the configuration.
    pub fn call(&self, address: IpAddr) -> Option<Result<rustls::Connection, rustls::Error>> {
        let client = self.client.clone()?;
        let name = ServerName::IpAddress(address.into());
        Some(ClientConnection::new(client, name).map(rustls::Connection::Client))
    }
}

/// A certificate, those that vouch for it, and its key.
struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Identity {
    /// `prefix` is that of the settings' names.
    fn read(prefix: &str, cert_file: &str, key_file: &str) -> Result<Identity, String> {
        if cert_file.is_empty() {
            return Err(format!("No {prefix}-cert-file configured!"));
        }
        if key_file.is_empty() {
            return Err(format!("No {prefix}-key-file configured!"));
        }
        let chain = read_certificates(Path::new(cert_file))
            .map_err(|error| format!("Failed to load certificate: {cert_file}: {error}"))?;
        let key = PrivateKeyDer::from_pem_file(key_file).map_err(|error| {
            let why = match error {
                pem::Error::NoItemsFound => "there is no key in it that is not encrypted".to_owned(),
                error => why(error),
            };
            format!("Failed to load private key: {key_file}: {why}")
        })?;
        Ok(Identity { chain, key })
    }
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, pem::Error> = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    match found {
        Ok(found) if found.is_empty() => Err("there is no certificate in it".to_owned()),
        Ok(found) => Ok(found),
        Err(error) => Err(why(error)),
    }
}

fn why(error: pem::Error) -> String {
    match error {
        pem::Error::Io(error) => reason(&error),
        error => error.to_string(),
    }
}

/// The certificates that `tls-ca-cert-file` has, and those in the files of `tls-ca-cert-dir`.
fn read_roots(settings: &Settings) -> Result<Arc<RootCertStore>, String> {
    let (file, directory) = (
        settings.tls_ca_cert_file.to_string(),
        settings.tls_ca_cert_dir.to_string(),
    );
    if file.is_empty() && directory.is_empty() {
        return Err(
            "Either tls-ca-cert-file or tls-ca-cert-dir must be specified when tls-cluster, tls-replication or \
             tls-auth-clients are enabled!"
                .to_owned(),
        );
    }
    let failed = |error: String| format!("Failed to configure CA certificate(s) file/directory: {error}");
    let mut roots = RootCertStore::empty();
    if !file.is_empty() {
        let found = read_certificates(Path::new(&file)).map_err(|error| failed(format!("{file}: {error}")))?;
        roots.add_parsable_certificates(found);
    }
    if !directory.is_empty() {
        let entries =
            std::fs::read_dir(&directory).map_err(|error| failed(format!("{directory}: {}", reason(&error))))?;
        // Other files may lie beside them.
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        for found in paths.filter_map(|path| read_certificates(&path).ok()) {
            roots.add_parsable_certificates(found);
        }
    }
    match roots.is_empty() {
        true => Err(failed("there is no certificate that may vouch for others".to_owned())),
        false => Ok(Arc::new(roots)),
    }
}
