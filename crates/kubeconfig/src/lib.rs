//! The way to the cluster as kubectl finds it, for both programs: which kubeconfig files are read, what the command line overrides,
//! which proxy is used, and when a pod's own `ServiceAccount` is.
//!
//! kube reads the files and logs in. What it does otherwise than kubectl is done here: it stops at a file of `KUBECONFIG` that does
//! not exist, matches `NO_PROXY` with the address of the proxy, and takes the pod's own cluster if a file cannot be read.

mod proxy;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kube::Config;
use kube::config::{AuthInfo, Cluster, Context, ExecAuthCluster, InClusterError, Kubeconfig, KubeconfigError};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use proxy::Environment;

/// What the command line says. What it leaves out is in the kubeconfig.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// The one file to read.
    pub file: Option<PathBuf>,
    /// The context to use instead of the current one.
    pub context: Option<String>,
    /// The cluster to use instead of that of the context.
    pub cluster: Option<String>,
    /// The user to be instead of that of the context.
    pub user: Option<String>,
    /// Whom to act as.
    pub impersonate: Option<String>,
    /// The groups of whom to act as.
    pub impersonate_groups: Vec<String>,
}

/// Why there is no cluster to call.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing is configured, and this is no pod.
    #[error("there is no kubeconfig, and this is no pod with a ServiceAccount")]
    Nothing(#[source] InClusterError),
    /// Files were named and none of them exists. The cluster of the pod is not taken instead: another one was meant.
    #[error("no file that KUBECONFIG names exists: {0}")]
    NoFile(String),
    /// A file is not what it should be.
    #[error("{}: {}", .0.display(), .1)]
    File(PathBuf, #[source] Box<KubeconfigError>),
    /// The files do not say what is asked for.
    #[error(transparent)]
    Kubeconfig(#[from] KubeconfigError),
    /// The command line names a user that no file describes.
    #[error("the kubeconfig has no user {0}")]
    NoUser(String),
    /// The authority of the cluster is no PEM certificate.
    #[error("the certificate-authority of the kubeconfig holds no PEM certificate")]
    NoCertificate,
    /// The address of the proxy cannot be used.
    #[error("{0:?} is not the address of a proxy: write http://, https:// or socks5://, a host and a port")]
    Proxy(String),
}

/// How long a thread that blocks may hold up the end of the process.
const LAST_MOMENT: Duration = Duration::from_secs(1);

/// On one thread: what is done waits for answers most of the time. A look-up of a name, or a program that logs in, that is stuck on a
/// thread of its own is not waited for at the end.
pub fn wait_for<T>(work: impl Future<Output = T>) -> io::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = runtime.block_on(work);
    runtime.shutdown_timeout(LAST_MOMENT);
    Ok(outcome)
}

/// Finds the cluster, and who we are there. Nothing is called, and no program that logs in is run.
pub fn load(choice: &Choice) -> Result<Config, Error> {
    let mut config = match read(choice)? {
        Some(kubeconfig) => described(&kubeconfig, choice, &Environment::of_process())?,
        None => of_the_pod(choice)?,
    };
    if choice.impersonate.is_some() {
        config.auth_info.impersonate.clone_from(&choice.impersonate);
    }
    if !choice.impersonate_groups.is_empty() {
        config.auth_info.impersonate_groups = Some(choice.impersonate_groups.clone());
    }
    Ok(config)
}

/// The pod's own cluster, if nothing else was named.
fn of_the_pod(choice: &Choice) -> Result<Config, Error> {
    match (&choice.context, &choice.cluster, &choice.user) {
        (Some(context), _, _) => Err(KubeconfigError::LoadContext(context.clone()).into()),
        (None, Some(cluster), _) => Err(KubeconfigError::LoadClusterOfContext(cluster.clone()).into()),
        (None, None, Some(user)) => Err(Error::NoUser(user.clone())),
        (None, None, None) => Config::incluster().map_err(Error::Nothing),
    }
}

/// What the files say together; `None` if none was named and the usual one does not exist.
fn read(choice: &Choice) -> Result<Option<Kubeconfig>, Error> {
    if let Some(file) = &choice.file {
        return Kubeconfig::read_from(file).map(Some).map_err(|error| of_file(file, error));
    }
    let named = std::env::var_os("KUBECONFIG").unwrap_or_default();
    let named: Vec<PathBuf> = std::env::split_paths(&named).filter(|path| !path.as_os_str().is_empty()).collect();
    let usual = || std::env::home_dir().map(|home| home.join(".kube").join("config"));
    let files = if named.is_empty() { usual().into_iter().collect() } else { named.clone() };
    let merged = merge(&files)?;
    if merged.is_none() && !named.is_empty() {
        let listed: Vec<String> = named.iter().map(|path| path.display().to_string()).collect();
        return Err(Error::NoFile(listed.join(", ")));
    }
    Ok(merged)
}

fn of_file(file: &Path, error: KubeconfigError) -> Error {
    Error::File(file.to_owned(), Box::new(error))
}

/// The files that exist, merged: what stands first wins. People list files that are there only on some of their machines.
fn merge(files: &[PathBuf]) -> Result<Option<Kubeconfig>, Error> {
    let mut merged: Option<Kubeconfig> = None;
    for file in files {
        let mut next = match Kubeconfig::read_from(file) {
            Err(KubeconfigError::ReadConfig(error, _)) if error.kind() == io::ErrorKind::NotFound => continue,
            read => read.map_err(|error| of_file(file, error))?,
        };
        // An empty name is none, and must not hide the one of a later file.
        next.current_context = next.current_context.filter(|name| !name.is_empty());
        merged = Some(match merged {
            Some(before) => before.merge(next)?,
            None => next,
        });
    }
    Ok(merged)
}

/// The cluster and the user that a kubeconfig and the command line describe.
fn described(kubeconfig: &Kubeconfig, choice: &Choice, environment: &Environment) -> Result<Config, Error> {
    let context = context(kubeconfig, choice)?;
    let cluster = cluster(kubeconfig, choice.cluster.as_ref().unwrap_or(&context.cluster))?;
    // The one public way to what the files say of the authority.
    let authority = ExecAuthCluster::try_from(&cluster)?;
    let server = cluster.server.as_deref().ok_or(KubeconfigError::MissingClusterUrl)?;
    let mut config = Config::new(server.parse().map_err(KubeconfigError::ParseClusterUrl)?);
    config.proxy_url = proxy::of(cluster.proxy_url.as_deref(), &config.cluster_url, environment)?;
    config.root_cert = authority.certificate_authority_data.as_deref().map(certificates).transpose()?;
    config.accept_invalid_certs = cluster.insecure_skip_tls_verify.unwrap_or_default();
    config.disable_compression = cluster.disable_compression.unwrap_or_default();
    config.tls_server_name = cluster.tls_server_name;
    if let Some(namespace) = context.namespace.filter(|namespace| !namespace.is_empty()) {
        config.default_namespace = namespace;
    }
    config.auth_info = user(kubeconfig, choice, context.user.as_deref())?;
    if let Some(exec) = config.auth_info.exec.as_mut().filter(|exec| exec.provide_cluster_info) {
        exec.cluster = Some(authority);
    }
    Ok(config)
}

/// The context that is meant. None is needed where the command line names a cluster.
fn context(kubeconfig: &Kubeconfig, choice: &Choice) -> Result<Context, Error> {
    let Some(name) = choice.context.as_ref().or(kubeconfig.current_context.as_ref()) else {
        return choice.cluster.as_ref().map(|_| Context::default()).ok_or(KubeconfigError::CurrentContextNotSet.into());
    };
    let named = kubeconfig.contexts.iter().find(|context| context.name == *name);
    named.and_then(|named| named.context.clone()).ok_or_else(|| KubeconfigError::LoadContext(name.clone()).into())
}

fn cluster(kubeconfig: &Kubeconfig, name: &str) -> Result<Cluster, Error> {
    let named = kubeconfig.clusters.iter().find(|cluster| cluster.name == name);
    let cluster = named.and_then(|named| named.cluster.clone());
    cluster.ok_or_else(|| KubeconfigError::LoadClusterOfContext(name.to_owned()).into())
}

/// The user that is meant. A user that only the context names may be missing, as in kubectl: then there is no login.
fn user(kubeconfig: &Kubeconfig, choice: &Choice, of_context: Option<&str>) -> Result<AuthInfo, Error> {
    let Some(name) = choice.user.as_deref().or(of_context) else { return Ok(AuthInfo::default()) };
    let named = kubeconfig.auth_infos.iter().find(|user| user.name == name);
    match (named, &choice.user) {
        (Some(named), _) => Ok(with_token_of_file(named.auth_info.clone().unwrap_or_default())),
        (None, Some(name)) => Err(Error::NoUser(name.clone())),
        (None, None) => Ok(AuthInfo::default()),
    }
}

/// A file that can be read goes before a token beside it, as in kubectl. What is in it is a token without the end of its line, which
/// kube would send; such a file is read once, and again at the next log-in.
fn with_token_of_file(mut user: AuthInfo) -> AuthInfo {
    let file = user.token_file.as_deref().filter(|file| !file.is_empty());
    if let Some(text) = file.and_then(|file| std::fs::read_to_string(file).ok()) {
        let token = text.trim();
        user.token = (token.len() < text.len()).then(|| token.to_owned().into());
    }
    user
}

/// Those that can be used: one that is broken must not stop the others.
fn certificates(pem: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
    let is_usable = |der: &CertificateDer<'_>| rustls::RootCertStore::empty().add(der.clone().into_owned()).is_ok();
    let found: Vec<Vec<u8>> =
        CertificateDer::pem_slice_iter(pem).flatten().filter(is_usable).map(|der| der.to_vec()).collect();
    if found.is_empty() { Err(Error::NoCertificate) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = r#"{
        "current-context": "one",
        "contexts": [
            {"name": "one", "context": {"cluster": "east", "user": "jane", "namespace": "audit"}},
            {"name": "two", "context": {"cluster": "west", "user": "nobody", "namespace": ""}}],
        "clusters": [
            {"name": "east", "cluster": {"server": "https://east:6443", "proxy-url": "http://127.0.0.2:3128"}},
            {"name": "west", "cluster": {"server": "https://west", "tls-server-name": "api"}}],
        "users": [{"name": "jane", "user": {"tokenFile": "/jane"}}, {"name": "dave", "user": {"tokenFile": "/dave"}}]}"#;

    fn described_by(text: &str, choice: &Choice) -> Result<Config, Error> {
        described(&Kubeconfig::from_yaml(text).unwrap(), choice, &Environment::default())
    }

    #[allow(clippy::unnecessary_wraps)] // as the choice has it
    fn name(name: &str) -> Option<String> {
        Some(name.to_owned())
    }

    #[test]
    fn the_command_line_overrides_what_the_context_says() {
        let of = |choice: &Choice| {
            let config = described_by(TWO, choice).unwrap();
            let host = config.cluster_url.host().unwrap().to_owned();
            (host, config.default_namespace, config.auth_info.token_file, config.proxy_url.is_some())
        };
        let (east, west, jane, dave) = ("east".to_owned(), "west".to_owned(), name("/jane"), name("/dave"));
        let (audit, default) = ("audit".to_owned(), "default".to_owned());
        for (choice, expected) in [
            (Choice::default(), (east, audit.clone(), jane.clone(), true)),
            (Choice { context: name("two"), ..Choice::default() }, (west.clone(), default.clone(), None, false)),
            (Choice { cluster: name("west"), ..Choice::default() }, (west.clone(), audit, jane, false)),
            (Choice { context: name("two"), user: name("dave"), ..Choice::default() }, (west, default, dave, false)),
        ] {
            assert_eq!(of(&choice), expected, "{choice:?}");
        }
    }

    #[test]
    fn what_is_named_and_not_there_is_said() {
        for (choice, said) in [
            (Choice { context: name("three"), ..Choice::default() }, "three"),
            (Choice { cluster: name("north"), ..Choice::default() }, "north"),
            (Choice { user: name("eve"), ..Choice::default() }, "eve"),
        ] {
            let error = described_by(TWO, &choice).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
        assert!(matches!(
            described_by("{}", &Choice::default()),
            Err(Error::Kubeconfig(KubeconfigError::CurrentContextNotSet))
        ));
    }

    #[test]
    fn a_cluster_on_the_command_line_needs_no_context() {
        let text = TWO.replace("current-context", "x-context");
        let choice = Choice { cluster: name("west"), ..Choice::default() };
        let config = described_by(&text, &choice).unwrap();
        assert_eq!((config.cluster_url.host(), config.tls_server_name.as_deref()), (Some("west"), Some("api")));
    }

    #[test]
    fn the_token_of_a_file_goes_before_one_beside_it_and_ends_with_its_line() {
        let file = std::env::temp_dir().join(format!("token-{}", std::process::id()));
        let text = TWO.replace(r#""tokenFile": "/jane""#, &format!(r#""token": "old", "tokenFile": {file:?}"#));
        let given = || {
            let user = serde_json::to_value(described_by(&text, &Choice::default()).unwrap().auth_info).unwrap();
            user["token"].as_str().map(str::to_owned)
        };
        // kube reads the file itself, each minute, where it is given no token.
        for (written, token) in [("new", None), ("new\n", Some("new")), ("new\r\n", Some("new"))] {
            std::fs::write(&file, written).unwrap();
            assert_eq!(given(), token.map(str::to_owned), "{written:?}");
        }
        std::fs::remove_file(&file).unwrap();
        assert_eq!(given().as_deref(), Some("old"));
    }

    #[test]
    fn a_broken_certificate_stops_no_other_one() {
        let authority = rcgen::generate_simple_self_signed(["api".to_owned()]).unwrap().cert.pem();
        let broken = "-----BEGIN CERTIFICATE-----\nbm9uc2Vuc2U=\n-----END CERTIFICATE-----\n";
        assert_eq!(certificates(format!("{broken}{authority}{broken}").as_bytes()).unwrap().len(), 1);
        assert!(matches!(certificates(broken.as_bytes()), Err(Error::NoCertificate)));
    }

    #[test]
    fn an_authority_that_is_no_certificate_is_refused() {
        let text = TWO.replace(
            r#""server": "https://east:6443""#,
            r#""server": "https://east", "certificate-authority-data": "bm9uZQ==""#,
        );
        assert!(matches!(described_by(&text, &Choice::default()), Err(Error::NoCertificate)));
    }

    #[test]
    fn a_look_up_that_is_stuck_does_not_hold_up_the_end() {
        let began = std::time::Instant::now();
        let (report, started) = std::sync::mpsc::channel();
        let stuck = async {
            tokio::task::spawn_blocking(move || {
                report.send(()).unwrap();
                std::thread::sleep(Duration::from_mins(1));
            });
            started.recv().unwrap();
        };
        wait_for(stuck).unwrap();
        assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    }
}
