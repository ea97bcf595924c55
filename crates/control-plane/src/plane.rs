//! The control plane as one value: started, held, stopped. What it can be asked for is in `access`,
//! `objects` and `audit`.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::AtomicU32;

use kube::{Client, Config};
use tempfile::TempDir;
use tokio::sync::Semaphore;

use crate::access::{self, Kubeconfig};
use crate::binaries::Binaries;
use crate::pki::Authority;
use crate::process::Supervised;
use crate::readiness::{self, Deadline};
use crate::{AuditQuery, Error, Options, servers};

/// How often another port is tried when somebody took ours between looking and binding.
const PORT_TRIES: u32 = 5;
/// How Go reports a port in use.
const PORT_TAKEN: &str = "address already in use";

/// Starts that go on at once in one process. A start keeps both cores of a small machine busy for
/// seconds: more at once make each slower, up to its time limit, and none ready sooner.
static STARTS: Semaphore = Semaphore::const_new(2);

/// A running etcd and kube-apiserver with everything of theirs in one folder.
///
/// Dropping it ends both and removes the folder, which takes some ten milliseconds and needs no
/// runtime; so does the end of the process, by whatever cause, SIGKILL included.
pub struct ControlPlane {
    // Dropped in this order: the API server complains loudly about an etcd that goes first.
    _apiserver: Supervised,
    _etcd: Supervised,
    pub(crate) authority: Authority,
    pub(crate) url: String,
    pub(crate) admin: Config,
    pub(crate) kubeconfigs: AtomicU32,
    admin_kubeconfig: PathBuf,
    home: TempDir,
}

impl ControlPlane {
    /// Starts one, in about 3 s on 2 cores, and returns when it serves. Where binaries must be
    /// built first, that comes on top: minutes, once, with progress on stderr.
    ///
    /// Any number may run at once, in any number of processes; each takes about 320 MB. Two at a
    /// time start, the others wait for their turn.
    pub async fn start(options: Options) -> Result<Self, Error> {
        let (options, binaries) = locate(options).await?;
        let _turn = STARTS.acquire().await;
        let home = make_home(&options)?;
        let authority = Authority::new()?;
        servers::write_files(home.path(), &authority, &options)?;
        let mut etcd = Supervised::spawn("etcd", home.path(), &binaries.etcd, &servers::etcd_args(home.path()))?;
        let launch =
            Launch { home: home.path(), program: &binaries.apiserver, authority: &authority, options: &options };
        let Launched { apiserver, url, admin } = launch.apiserver(&mut etcd).await?;
        let admin_kubeconfig = home.path().join("admin.kubeconfig");
        admin.write(&admin_kubeconfig)?;
        Ok(Self {
            _apiserver: apiserver,
            _etcd: etcd,
            authority,
            url,
            admin: admin.config().await?,
            kubeconfigs: AtomicU32::new(0),
            admin_kubeconfig,
            home,
        })
    }

    /// The one control plane that all tests of this process share, started at the first call with
    /// default options.
    ///
    /// It belongs to no test's runtime and ends with the process. The call blocks its thread while
    /// it starts; that is meant, other tests of the runtime have nothing better to do. Tests that
    /// disturb others (remove the CRD, freeze the server) start their own.
    pub fn shared() -> Result<&'static Self, &'static Error> {
        static SHARED: OnceLock<Result<ControlPlane, Error>> = OnceLock::new();
        SHARED.get_or_init(|| std::thread::spawn(start_here).join().unwrap_or(Err(Error::SharedThread))).as_ref()
    }

    /// Ends both servers and removes the folder; the same as dropping, without blocking the
    /// runtime.
    pub async fn stop(self) {
        let dropped = tokio::task::spawn_blocking(move || drop(self)).await;
        if let Err(error) = dropped {
            tracing::warn!(%error, "stopping the control plane");
        }
    }

    /// `https://127.0.0.1:<port>`, for what stands before the API server, such as a proxy that
    /// makes faults.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The folder that everything is in: `etcd.log`, `kube-apiserver.log`, `audit.log`,
    /// kubeconfigs. It vanishes with the control plane.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// A kubeconfig for a member of `system:masters`, readable by the owner only. For `kubectl` and
    /// for processes under test.
    pub fn kubeconfig_admin(&self) -> PathBuf {
        self.admin_kubeconfig.clone()
    }

    /// What clients have asked of the API server, to be narrowed and counted.
    pub fn audit(&self) -> AuditQuery {
        AuditQuery::new(servers::audit_log(self.home.path()))
    }
}

impl std::fmt::Debug for ControlPlane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ControlPlane").field("url", &self.url).field("home", &self.home.path()).finish_non_exhaustive()
    }
}

/// What starting an API server needs, whatever its port.
struct Launch<'a> {
    home: &'a Path,
    program: &'a Path,
    authority: &'a Authority,
    options: &'a Options,
}

/// An API server that serves.
struct Launched {
    apiserver: Supervised,
    url: String,
    admin: Kubeconfig,
}

impl Launch<'_> {
    /// Tries ports until the server has one to itself.
    async fn apiserver(&self, etcd: &mut Supervised) -> Result<Launched, Error> {
        let deadline = Deadline::after(self.options.start_timeout);
        let mut tries = 1;
        loop {
            match self.at_port(servers::free_port()?, etcd, deadline).await {
                Err(Error::Exited { tail, .. }) if tail.contains(PORT_TAKEN) && tries < PORT_TRIES => {
                    tries += 1;
                }
                outcome => return outcome,
            }
        }
    }

    async fn at_port(&self, port: u16, etcd: &mut Supervised, deadline: Deadline) -> Result<Launched, Error> {
        let args = servers::apiserver_args(self.home, port, self.options);
        let mut apiserver = Supervised::spawn("kube-apiserver", self.home, self.program, &args)?;
        let url = format!("https://127.0.0.1:{port}");
        let admin = self.admin(&url)?;
        let client =
            Client::try_from(access::impatient(admin.config().await?)).map_err(Error::kube("making a client"))?;
        readiness::wait(&client, etcd, &mut apiserver, deadline).await?;
        Ok(Launched { apiserver, url, admin })
    }

    fn admin(&self, url: &str) -> Result<Kubeconfig, Error> {
        let key = self.authority.client("control-plane-admin", Some("system:masters"))?;
        Ok(Kubeconfig::with_certificate(url, &self.authority.certificate(), &key))
    }
}

/// Finding may mean building for minutes, hence apart from the runtime's threads.
async fn locate(options: Options) -> Result<(Options, Binaries), Error> {
    let found =
        tokio::task::spawn_blocking(move || Binaries::locate(&options).map(|binaries| (options, binaries))).await;
    found
        .map_err(|error| Error::Io { doing: "looking for etcd and kube-apiserver".to_owned(), source: error.into() })?
}

fn make_home(options: &Options) -> Result<TempDir, Error> {
    let folder = &options.temp_dir;
    tempfile::Builder::new()
        .prefix("control-plane-")
        .tempdir_in(folder)
        .map_err(Error::io(format!("making a folder in {}", folder.display())))
}

/// Starts one on a runtime that ends with this call; the servers do not mind.
fn start_here() -> Result<ControlPlane, Error> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::io("making a runtime"))?
        .block_on(ControlPlane::start(Options::default()))
}
