//! What a hub proves itself with, so that connections to it are encrypted: a certificate and its key, from files.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use sendense_types::Fingerprint;
use sha2::{Digest, Sha256};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::aws_lc_rs,
        pki_types::{
            CertificateDer, PrivateKeyDer,
            pem::{self, PemObject},
        },
    },
};

use crate::ServeError;

/// Certificates are renewed while hubs run, which may not stop for that: backups would.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// A certificate and its key, as they are in two files. Cheap to clone.
#[derive(Clone)]
pub struct Tls {
    inner: Arc<Inner>,
}

struct Inner {
    /// PEM: the certificate, followed by those that issued it.
    certificate: PathBuf,
    /// PEM: its private key.
    key: PathBuf,
    current: Mutex<Current>,
}

struct Current {
    /// When the files were written that it was read from.
    written: [Option<SystemTime>; 2],
    config: Arc<ServerConfig>,
    fingerprint: Fingerprint,
}

impl Tls {
    /// Reads both files: PEM, the certificate first in the one, its private key in the other.
    ///
    /// # Errors
    /// [`ServeError::Tls`] when one cannot be read or holds no such thing, or the key is that of another certificate.
    pub fn read(
        certificate: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Result<Self, ServeError> {
        let (certificate, key) = (certificate.into(), key.into());
        let current = Current::read(&certificate, &key)?;
        Ok(Self {
            inner: Arc::new(Inner {
                certificate,
                key,
                current: Mutex::new(current),
            }),
        })
    }

    /// Of the certificate that is shown now, for people to compare with what a client sees.
    pub fn fingerprint(&self) -> Fingerprint {
        self.current().fingerprint.clone()
    }

    /// For the next connection.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.current().config))
    }

    /// Shows a renewed certificate from then on, as long as it is polled. One that cannot be used is logged, and the last
    /// one stays.
    pub(crate) async fn follow_files(self) {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let tls = self.clone();
            let looked = tokio::task::spawn_blocking(move || tls.look());
            match looked.await {
                Ok(Ok(false)) => {}
                Ok(Ok(true)) => {
                    let fingerprint = self.fingerprint();
                    tracing::info!(%fingerprint, "the hub shows another certificate from now on");
                }
                Ok(Err(error)) => {
                    tracing::error!(%error, "the new certificate cannot be used, the last one stays");
                }
                Err(error) => tracing::error!(%error, "could not look for a new certificate"),
            }
        }
    }

    /// Reads the files again if they have changed, and says whether they have. What could not be used is tried again when
    /// it changes again: while one of two files is written, they do not belong together.
    fn look(&self) -> Result<bool, ServeError> {
        let Inner {
            certificate, key, ..
        } = &*self.inner;
        let written = [certificate, key].map(|file| written(file));
        if written == self.current().written {
            return Ok(false);
        }
        self.current().written = written;
        let renewed = Current::read(certificate, key)?;
        *self.current() = renewed;
        Ok(true)
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        // Nothing panics under this lock.
        let current = self.inner.current.lock();
        current.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Current {
    fn read(certificate: &Path, key: &Path) -> Result<Self, ServeError> {
        // Before they are read: what is written meanwhile counts as new.
        let written = [certificate, key].map(written);
        let unusable = |file: &Path, why: String| ServeError::Tls {
            file: file.to_owned(),
            why,
        };
        let chain: Result<Vec<_>, _> =
            CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect);
        let chain = chain.map_err(|error| unusable(certificate, reason(error)))?;
        let Some(leaf) = chain.first() else {
            return Err(unusable(certificate, "it holds no certificate".to_owned()));
        };
        let fingerprint = Fingerprint::of(Sha256::digest(leaf).into());
        let private =
            PrivateKeyDer::from_pem_file(key).map_err(|error| unusable(key, reason(error)))?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| {
                builder
                    .with_no_client_auth()
                    .with_single_cert(chain, private)
            })
            .map_err(|error| unusable(key, error.to_string()))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            written,
            config: Arc::new(config),
            fingerprint,
        })
    }
}

/// Neither key nor certificate: only where they are.
impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner {
            certificate, key, ..
        } = &*self.inner;
        let mut shown = f.debug_struct("Tls");
        shown.field("certificate", certificate).field("key", key);
        shown.finish_non_exhaustive()
    }
}

fn written(file: &Path) -> Option<SystemTime> {
    file.metadata().and_then(|found| found.modified()).ok()
}

fn reason(error: pem::Error) -> String {
    match error {
        pem::Error::NoItemsFound => "it holds nothing of that kind in PEM".to_owned(),
        pem::Error::Io(error) if error.kind() == io::ErrorKind::NotFound => {
            "there is no such file".to_owned()
        }
        pem::Error::Io(error) => error.to_string(),
        error => format!("it is not PEM: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    /// Writes a new certificate, or this in its place, and its key, so many seconds after the first.
    fn write(folder: &Path, certificate: Option<&str>, seconds: u64) -> (PathBuf, PathBuf) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let made = params.self_signed(&key).unwrap().pem();
        let files = (folder.join("certificate.pem"), folder.join("key.pem"));
        let texts = [certificate.unwrap_or(&made).to_owned(), key.serialize_pem()];
        for (file, text) in [&files.0, &files.1].into_iter().zip(texts) {
            fs::write(file, text).unwrap();
            let file = File::options().append(true).open(file).unwrap();
            let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000 + seconds);
            file.set_modified(at).unwrap();
        }
        files
    }

    #[test]
    fn a_renewed_certificate_is_shown_and_one_that_cannot_be_used_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = write(folder.path(), None, 0);
        let tls = Tls::read(certificate, key).unwrap();
        let first = tls.fingerprint();
        assert!(!tls.look().unwrap());
        write(folder.path(), None, 1);
        assert!(tls.look().unwrap());
        let second = tls.fingerprint();
        assert_ne!(second, first);
        // As it is while somebody writes it.
        write(folder.path(), Some("-----BEGIN CERT"), 2);
        tls.look().unwrap_err();
        assert_eq!(tls.fingerprint(), second);
        assert!(!tls.look().unwrap(), "said once");
        write(folder.path(), None, 3);
        assert!(tls.look().unwrap());
        assert_ne!(tls.fingerprint(), second);
    }

    #[test]
    fn a_key_is_not_shown_by_what_is_logged() {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = write(folder.path(), None, 0);
        let shown = format!("{:?}", Tls::read(certificate, key).unwrap());
        assert!(
            shown.contains("key.pem") && !shown.contains("PRIVATE"),
            "{shown}"
        );
    }
}
