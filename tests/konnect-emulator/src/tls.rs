//! A private certificate authority and a server certificate from it, made at start and never stored.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::Error;
use crate::settings::Tls;

/// What serving TLS takes, and what clients need to trust it.
pub(crate) struct Identity {
    pub(crate) acceptor: TlsAcceptor,
    pub(crate) ca_pem: String,
}

const LOCAL_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// Makes the authority and the server's certificate.
pub(crate) fn identity(tls: &Tls) -> Result<Identity, Error> {
    let Tls::SelfSigned { names } = tls;
    let authority = CertifiedIssuer::self_signed(authority_params(), KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let names = LOCAL_NAMES.iter().map(|name| (*name).to_owned()).chain(names.iter().cloned());
    let mut params = CertificateParams::new(names.collect::<Vec<_>>())?;
    params.distinguished_name.push(DnType::CommonName, "konnect-emulator");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let certificate = params.signed_by(&key, &authority)?;
    let config = server_config(certificate.der().clone(), PrivateKeyDer::Pkcs8(key.serialize_der().into()))?;
    Ok(Identity { acceptor: TlsAcceptor::from(Arc::new(config)), ca_pem: authority.pem() })
}

fn authority_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "konnect-emulator private CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// The provider is named here, so that nothing depends on a default of the process.
fn server_config(certificate: CertificateDer<'static>, key: PrivateKeyDer<'static>) -> Result<ServerConfig, Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
