//! The server's certificate: from a private authority made at start and never stored, or one that was given.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::Error;
use crate::settings::Tls;

/// What serving TLS takes, and what clients need to trust it.
pub(crate) struct Identity {
    pub(crate) acceptor: TlsAcceptor,
    /// Of the authority made here; who gave a certificate knows its authority.
    pub(crate) ca_pem: Option<String>,
}

const LOCAL_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// Makes or reads the server's certificate.
pub(crate) fn identity(tls: &Tls) -> Result<Identity, Error> {
    match tls {
        Tls::SelfSigned { names } => self_signed(names),
        Tls::Given { certificates, key } => given(certificates, key),
    }
}

fn given(certificates: &str, key: &str) -> Result<Identity, Error> {
    let chain = CertificateDer::pem_slice_iter(certificates.as_bytes()).collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes())?;
    Ok(Identity { acceptor: acceptor(chain, key)?, ca_pem: None })
}

fn self_signed(names: &[String]) -> Result<Identity, Error> {
    let authority = CertifiedIssuer::self_signed(authority_params(), KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let names = LOCAL_NAMES.iter().map(|name| (*name).to_owned()).chain(names.iter().cloned());
    let mut params = CertificateParams::new(names.collect::<Vec<_>>())?;
    params.distinguished_name.push(DnType::CommonName, "konnect-emulator");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let certificate = params.signed_by(&key, &authority)?;
    let acceptor = acceptor(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))?;
    Ok(Identity { acceptor, ca_pem: Some(authority.pem()) })
}

fn authority_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "konnect-emulator private CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// The provider is named here, so that nothing depends on a default of the process.
fn acceptor(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<TlsAcceptor, Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
