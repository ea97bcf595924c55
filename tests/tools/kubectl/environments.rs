//! `kubectl replay` beside kubectl: the same kubeconfigs, flags and proxies must lead both to the same cluster, or neither.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::json;

use crate::support::{Tunnel, World, edited, moved};

/// A cluster that only the proxy leads to.
const BEHIND: &str = "https://apiserver.invalid:6443";

/// One environment.
struct Case {
    name: &'static str,
    kubeconfig: String,
    variables: Vec<(&'static str, String)>,
    flags: Vec<&'static str>,
}

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
struct Came {
    /// Whether the objects were listed.
    listed: bool,
    /// Whether the proxy was used.
    by_proxy: bool,
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

fn case(name: &'static str, kubeconfig: &str, variables: &[(&'static str, &str)], flags: &[&'static str]) -> Case {
    let variables = variables.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    Case { name, kubeconfig: kubeconfig.to_owned(), variables, flags: flags.to_vec() }
}

fn proxies(own: &Path, tunnel: &Tunnel) -> Vec<Case> {
    let (url, bare) = (format!("http://{}", tunnel.address()), tunnel.address());
    let (here, behind) = (text(own), text(&moved(own, "behind", BEHIND)));
    let by_address = text(&moved(own, "by-address", "https://240.0.0.1:6443"));
    let named = edited(own, "named", |copy| copy["clusters"][0]["cluster"]["proxy-url"] = url.as_str().into());
    let named = text(&named);
    let odd = text(&edited(own, "odd", |copy| copy["clusters"][0]["cluster"]["proxy-url"] = "ftp://127.0.0.2".into()));
    let https = ("HTTPS_PROXY", url.as_str());
    vec![
        case("no proxy", &here, &[], &[]),
        case("a cluster on this machine", &here, &[https], &[]),
        case("HTTPS_PROXY", &behind, &[https], &[]),
        case("https_proxy, HTTPS_PROXY empty", &behind, &[("https_proxy", &url), ("HTTPS_PROXY", "")], &[]),
        case("HTTPS_PROXY without a scheme", &behind, &[("HTTPS_PROXY", &bare)], &[]),
        case("HTTP_PROXY", &behind, &[("HTTP_PROXY", &url)], &[]),
        case("ALL_PROXY", &behind, &[("ALL_PROXY", &url)], &[]),
        case("NO_PROXY names the proxy", &behind, &[https, ("NO_PROXY", "127.0.0.2")], &[]),
        case("NO_PROXY names the server", &behind, &[https, ("NO_PROXY", "apiserver.invalid")], &[]),
        case("no_proxy names the server", &behind, &[https, ("no_proxy", "apiserver.invalid")], &[]),
        case("NO_PROXY names the domain", &behind, &[https, ("NO_PROXY", ".invalid")], &[]),
        case("NO_PROXY names the domain without a dot", &behind, &[https, ("NO_PROXY", "invalid")], &[]),
        case("NO_PROXY with empty entries", &behind, &[https, ("NO_PROXY", "a,,b,")], &[]),
        case("NO_PROXY with the port", &behind, &[https, ("NO_PROXY", "apiserver.invalid:6443")], &[]),
        case("NO_PROXY with another port", &behind, &[https, ("NO_PROXY", "apiserver.invalid:443")], &[]),
        case("NO_PROXY=*", &behind, &[https, ("NO_PROXY", "*")], &[]),
        case("NO_PROXY is half the name", &behind, &[https, ("NO_PROXY", "server.invalid")], &[]),
        case("an address", &by_address, &[https], &[]),
        case("NO_PROXY has the address", &by_address, &[https, ("NO_PROXY", "240.0.0.1")], &[]),
        case("NO_PROXY has the network", &by_address, &[https, ("NO_PROXY", "240.0.0.0/8")], &[]),
        case("NO_PROXY has another network", &by_address, &[https, ("NO_PROXY", "10.0.0.0/8")], &[]),
        case("proxy-url", &named, &[], &[]),
        case("proxy-url, and NO_PROXY names it and the server", &named, &[("NO_PROXY", "127.0.0.1,127.0.0.2")], &[]),
        case("a proxy-url that is none", &odd, &[], &[]),
    ]
}

fn files(own: &Path) -> Vec<Case> {
    let there = text(own);
    let broken = edited(own, "broken", |_| ());
    std::fs::write(&broken, "contexts: [\n").unwrap();
    let nobody = text(&edited(own, "nobody", |copy| copy["contexts"][0]["context"]["user"] = "missing".into()));
    let two = text(&edited(own, "two", |copy| {
        let away = json!({ "name": "away", "cluster": { "server": "https://127.0.0.1:1" } });
        copy["clusters"].as_array_mut().unwrap().push(away);
        copy["users"].as_array_mut().unwrap().push(json!({ "name": "nobody", "user": {} }));
        copy["contexts"]
            .as_array_mut()
            .unwrap()
            .push(json!({ "name": "away", "context": { "cluster": "away", "user": "nobody" } }));
    }));
    let insecure = text(&edited(own, "insecure", |copy| {
        let cluster = &mut copy["clusters"][0]["cluster"];
        cluster["insecure-skip-tls-verify"] = true.into();
        cluster.as_object_mut().unwrap().remove("certificate-authority-data");
    }));
    vec![
        case("a missing file first", &format!("/nowhere/a:{there}"), &[], &[]),
        case("a missing file last, and an empty name", &format!("{there}::/nowhere/a"), &[], &[]),
        case("missing files alone", "/nowhere/a:/nowhere/b", &[], &[]),
        case("a broken file", &text(&broken), &[], &[]),
        case("a broken file behind a good one", &format!("{there}:{}", text(&broken)), &[], &[]),
        case("a user that is not there", &nobody, &[], &[]),
        case("insecure-skip-tls-verify", &insecure, &[], &[]),
        case("--context", &two, &[], &["--context", "away"]),
        case("--context that is not there", &two, &[], &["--context", "nowhere"]),
        case("--cluster", &two, &[], &["--cluster", "away"]),
        case("--cluster over the context", &two, &[], &["--context", "away", "--cluster", "control-plane"]),
        case(
            "--cluster and --user",
            &two,
            &[],
            &["--context", "away", "--cluster", "control-plane", "--user", "control-plane"],
        ),
        case("--user that is not there", &two, &[], &["--user", "eve"]),
        case("--as", &there, &[], &["--as", "dave"]),
        case("flags that are empty", &there, &[], &["--kubeconfig=", "--context=", "--cluster=", "--user=", "--as="]),
        case("--as and --as-group", &there, &[], &["--as", "dave", "--as-group", "a", "--as-group", "system:masters"]),
    ]
}

fn logins(own: &Path) -> Vec<Case> {
    let of_program = |name: &str, command: &str, mode: &str| {
        text(&edited(own, name, |copy| {
            let exec =
                json!({ "apiVersion": "client.authentication.k8s.io/v1", "command": command, "interactiveMode": mode });
            copy["users"][0]["user"] = json!({ "exec": exec });
        }))
    };
    let failing = of_program("failing", "false", "Never");
    let missing = of_program("missing-program", "/nowhere/login", "IfAvailable");
    let token = text(&edited(own, "wrong-token", |copy| copy["users"][0]["user"] = json!({ "token": "wrong" })));
    vec![
        case("a program that fails to log in", &failing, &[], &[]),
        case("a program that is not there", &missing, &[], &[]),
        case("a token that is wrong", &token, &[], &[]),
    ]
}

fn run(mut command: Command, case: &Case, home: &Path, tunnel: &Tunnel) -> Came {
    let environment = case.variables.iter().map(|(name, value)| (*name, value.as_str()));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", home);
    command.env("KUBECONFIG", &case.kubeconfig).envs(environment).args(&case.flags).stdin(Stdio::null());
    let output = command.output().unwrap();
    let listed = output.status.success() && String::from_utf8_lossy(&output.stdout).contains("there");
    Came { listed, by_proxy: tunnel.used() > 0 }
}

/// Prints the table, and compares.
pub async fn compare(world: &World, home: PathBuf) {
    world.create(world.job("there").suspended()).await;
    let tunnel = Tunnel::start(world.plane.url()).await;
    let own = world.plane.kubeconfig_for("jane", &["system:masters"]).unwrap();
    let namespace = world.namespace.clone();
    let compared = tokio::task::spawn_blocking(move || {
        let mut different = Vec::new();
        for case in [proxies(&own, &tunnel), files(&own), logins(&own)].into_iter().flatten() {
            let mut kubectl = Command::new("kubectl");
            kubectl.args(["get", "auditlogreplayjobs.konnect-replay.dev", "--request-timeout=20s", "-n", &namespace]);
            let mut ours = Command::new(env!("CARGO_BIN_EXE_kubectl-replay"));
            ours.args(["list", "--request-timeout=20s", "-n", &namespace]);
            let (theirs, ours) = (run(kubectl, &case, &home, &tunnel), run(ours, &case, &home, &tunnel));
            println!("{:<50} kubectl {theirs:?}, kubectl replay {ours:?}", case.name);
            if theirs != ours {
                different.push(case.name);
            }
        }
        different
    });
    assert_eq!(compared.await.unwrap(), Vec::<&str>::new(), "what differs from kubectl");
}
