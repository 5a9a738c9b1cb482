//! Whom a connection that this process opens trusts: the system's authorities and Mozilla's, for an image has none, or those
//! that an operator names in their place.
//!
//! Must not know who is called, nor what for.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{Error as PemError, PemObject as _};
use rustls::{ClientConfig, Error, RootCertStore};

/// Why a file names nobody who could be trusted, in words that fit after its name.
#[derive(Debug, thiserror::Error)]
pub enum Unnamed {
    #[error("cannot be read ({0})")]
    Unreadable(std::io::ErrorKind),
    #[error("has no certificate")]
    NoCertificate,
    #[error("has a certificate that cannot be used")]
    Unusable,
}

/// Read anew, because they change; takes a while.
pub fn authorities() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    // What cannot be read there is not trusted; nothing more follows from it.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

/// The authorities of a PEM file, and nobody else.
pub fn named(file: &Path) -> Result<RootCertStore, Unnamed> {
    let unreadable = |error: PemError| match error {
        PemError::Io(error) => Unnamed::Unreadable(error.kind()),
        _ => Unnamed::Unusable,
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(unreadable)? {
        roots.add(certificate.map_err(unreadable)?).map_err(|_| Unnamed::Unusable)?;
    }
    if roots.is_empty() { Err(Unnamed::NoCertificate) } else { Ok(roots) }
}

/// TLS by the one provider of cryptography that there is.
pub fn client(roots: RootCertStore) -> Result<ClientConfig, Error> {
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    Ok(builder.with_safe_default_protocol_versions()?.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use pulso_harness::Scratch;

    use super::*;

    #[test]
    fn whoever_cannot_be_trusted_is_told_apart_from_nobody() {
        let scratch = Scratch::new();
        let said = |text: &str| named(&scratch.write("ca.pem", text)).unwrap_err().to_string();
        assert_eq!(said("DATABASE_URL=sqlite://x\n"), "has no certificate");
        for unusable in ["AAAA", "-"] {
            let text = format!("-----BEGIN CERTIFICATE-----\n{unusable}\n-----END CERTIFICATE-----\n");
            assert_eq!(said(&text), "has a certificate that cannot be used", "{unusable}");
        }
        assert_eq!(said("-----BEGIN CERTIFICATE-----\nAAAA\n"), "has a certificate that cannot be used");
        let missing = named(&scratch.path().join("nobody.pem")).unwrap_err().to_string();
        assert!(missing.starts_with("cannot be read"), "{missing}");
    }
}
