//! An authority of the test's own, and certificates that it vouches for.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    directory: TempDir,
}

/// A certificate and its key, as files.
pub struct Files {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Authority {
    pub fn new() -> Authority {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(DnType::CommonName, "An authority of tests");
        let certificate = params.self_signed(&key).expect("a certificate");
        let authority = Authority {
            issuer: Issuer::new(params, key),
            directory: tempfile::tempdir().expect("a directory"),
        };
        fs::write(authority.path(), certificate.pem()).expect("a file");
        authority
    }

    /// The file of its own certificate.
    pub fn path(&self) -> PathBuf {
        self.directory.path().join("authority.pem")
    }

    /// A certificate for this name, and for no address.
    pub fn vouch_for(&self, name: &str) -> Files {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new([name.to_owned()]).expect("a name");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let file = |end: &str, text: String| {
            let path = self.directory.path().join(format!("{name}.{end}"));
            fs::write(&path, text).expect("a file");
            path
        };
        Files {
            certificate: file("crt", certificate.pem()),
            key: file("key", key.serialize_pem()),
        }
    }
}

pub fn shown(path: &Path) -> &str {
    path.to_str().expect("a path of ASCII")
}
