//! A certificate authority of the test's own, and servers with certificates from it.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, SupportedProtocolVersion};
use tokio_rustls::TlsAcceptor;

/// Protocols that a server offers.
pub(crate) const H2: &[&str] = &["h2"];
pub(crate) const HTTP_1: &[&str] = &["http/1.1"];

pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        let key = KeyPair::generate().unwrap();
        // A name of its own: another authority of the same name would be tried, and found to have another key.
        params.distinguished_name.push(DnType::CommonName, format!("{:x?}", key.public_key_raw()));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A server that a client of this authority trusts.
    pub(crate) fn acceptor(&self, protocols: &[&str]) -> TlsAcceptor {
        self.serve(&certificate("127.0.0.1"), protocols, rustls::ALL_VERSIONS)
    }

    /// A server with any certificate.
    pub(crate) fn serve(
        &self,
        params: &CertificateParams,
        protocols: &[&str],
        versions: &[&'static SupportedProtocolVersion],
    ) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
            .unwrap();
        config.alpn_protocols = protocols.iter().map(|p| p.as_bytes().to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }
}

/// A certificate for one name or address, valid now.
pub(crate) fn certificate(name: &str) -> CertificateParams {
    CertificateParams::new(vec![name.to_owned()]).unwrap()
}

/// As [`certificate`], valid between two years.
pub(crate) fn certificate_of_years(name: &str, first: i32, last: i32) -> CertificateParams {
    let mut params = certificate(name);
    params.not_before = date_time_ymd(first, 1, 1);
    params.not_after = date_time_ymd(last, 1, 1);
    params
}
