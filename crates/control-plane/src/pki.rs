//! The control plane's own certificate authority, the certificates it signs and the key for
//! `ServiceAccount` tokens. Writes no file. Validity is rcgen's default (centuries): the
//! authority's key lives as long as one temporary folder.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};

use crate::Error;

/// A certificate and its private key, both PEM.
#[derive(Clone)]
pub struct CertifiedKey {
    /// The certificate.
    pub certificate: String,
    /// Its key, PKCS #8.
    pub key: String,
}

impl std::fmt::Debug for CertifiedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CertifiedKey").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

/// A certificate authority that exists in memory only.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    /// A new one, known to nobody else.
    pub(crate) fn new() -> Result<Self, Error> {
        let mut params = named("control-plane", None);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages =
            vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
        Ok(Self(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?))
    }

    /// Its certificate, PEM: what clients and the API server trust.
    pub(crate) fn certificate(&self) -> String {
        self.0.pem()
    }

    /// A certificate to serve TLS with on loopback.
    pub(crate) fn serving(&self) -> Result<CertifiedKey, Error> {
        let mut params = CertificateParams::new(["127.0.0.1", "::1", "localhost"].map(String::from))?;
        params.distinguished_name.push(DnType::CommonName, "kube-apiserver");
        self.sign(params, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// A certificate that the API server reads as `user` in `group`.
    pub(crate) fn client(&self, user: &str, group: Option<&str>) -> Result<CertifiedKey, Error> {
        self.sign(named(user, group), ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn sign(&self, mut params: CertificateParams, usage: ExtendedKeyUsagePurpose) -> Result<CertifiedKey, Error> {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![usage];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        Ok(CertifiedKey { certificate: params.signed_by(&key, &self.0)?.pem(), key: key.serialize_pem() })
    }
}

/// The key that signs `ServiceAccount` tokens: private and public half, PEM.
pub(crate) fn token_key() -> Result<(String, String), Error> {
    let key = KeyPair::generate()?;
    Ok((key.serialize_pem(), key.public_key_pem()))
}

/// Kubernetes reads the common name as the user and the organization as a group; rcgen's names hold
/// one value of each.
fn named(user: &str, group: Option<&str>) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, user);
    if let Some(group) = group {
        params.distinguished_name.push(DnType::OrganizationName, group);
    }
    params
}
