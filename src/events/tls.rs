//! Certificates for connections that are encrypted: whom we trust, and who we are.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

/// Certificates that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is missing or holds none.
    #[error("{path}: {reason}; expected certificates or a key in PEM form", path = path.display())]
    BadFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The machine trusts nobody.
    #[error("this machine has no root certificates ({0}); install the package ca-certificates, or name a ca_file")]
    NoRoots(String),
    /// What was read does not fit together.
    #[error("the certificates cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
}

/// The certificates that `ca_file` holds; without one, those that the machine trusts.
///
/// # Errors
/// When there are none.
pub fn root_certificates(ca_file: Option<&Path>) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    match ca_file {
        Some(path) => certificates(path),
        None => {
            let found = rustls_native_certs::load_native_certs();
            if found.certs.is_empty() {
                let reason = found.errors.first().map_or("none found".to_owned(), ToString::to_string);
                return Err(TlsError::NoRoots(reason));
            }
            Ok(found.certs)
        }
    }
}

/// A client that trusts whom [`root_certificates`] says, and shows a certificate of its own if `identity` has the files of it and of
/// its key.
///
/// # Errors
/// When a file is missing or cannot be used.
pub fn client_config(ca_file: Option<&Path>, identity: Option<(&Path, &Path)>) -> Result<Arc<ClientConfig>, TlsError> {
    let mut roots = RootCertStore::empty();
    let found = root_certificates(ca_file)?;
    let n_found = found.len();
    let (n_usable, _) = roots.add_parsable_certificates(found);
    if let (0, Some(path)) = (n_usable, ca_file) {
        let reason = format!("none of its {n_found} certificates can be used");
        return Err(TlsError::BadFile { path: path.into(), reason });
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots);
    let config = match identity {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = certificates(certificate)?;
            let key = PrivateKeyDer::from_pem_file(key)
                .map_err(|error| TlsError::BadFile { path: key.into(), reason: error.to_string() })?;
            builder.with_client_auth_cert(chain, key)?
        }
    };
    Ok(Arc::new(config))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let bad = |reason: String| TlsError::BadFile { path: path.into(), reason };
    let found = CertificateDer::pem_file_iter(path).map_err(|error| bad(error.to_string()))?;
    let found: Vec<_> = found.collect::<Result<_, _>>().map_err(|error| bad(error.to_string()))?;
    if found.is_empty() { Err(bad("it holds no certificate".into())) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_used_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        for text in [None, Some("nothing of the kind"), Some("-----BEGIN CERTIFICATE-----\n!!\n")] {
            if let Some(text) = text {
                std::fs::write(&path, text).unwrap();
            }
            let message = client_config(Some(&path), None).unwrap_err().to_string();
            assert!(message.contains("ca.pem") && message.contains("PEM"), "{message}");
        }
    }
}
