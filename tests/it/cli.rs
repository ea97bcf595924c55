//! The command line: what it prints, and how it ends.

use std::net::TcpListener;
use std::process::{Command, Output};

fn konnect_replay(args: &[&str], env: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_konnect-replay"));
    command.env_clear().envs(env.iter().copied()).args(args).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn the_crd_in_the_repository_is_the_one_that_is_printed() {
    let output = konnect_replay(&["crd"], &[]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(stdout(&output), include_str!("../../crds/auditlogreplayjobs.yaml"));
}

#[test]
fn the_schema_of_evidence_in_the_repository_is_the_one_that_is_printed() {
    let output = konnect_replay(&["evidence-schema"], &[]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(stdout(&output), include_str!("../../docs/evidence.schema.json"));
}

#[test]
fn the_version_is_that_of_the_package() {
    let output = konnect_replay(&["--version"], &[]);
    assert_eq!(stdout(&output), format!("konnect-replay {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn help_names_every_flag_with_its_variable() {
    let output = konnect_replay(&["run", "--help"], &[]);
    assert_eq!(output.status.code(), Some(0));
    let help = stdout(&output);
    let flags = help.split_whitespace().filter(|word| word.starts_with("--") && *word != "--help");
    for flag in flags.map(|flag| flag.trim_end_matches([',', '.', ':'])) {
        let variable = format!("KONNECT_REPLAY_{}", flag.trim_start_matches("--").replace('-', "_").to_uppercase());
        assert!(help.contains(&variable), "{variable} is not in the help:\n{help}");
    }
}

#[test]
fn a_wrong_setting_ends_with_2_and_names_the_flag() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = format!("--listen={}", taken.local_addr().unwrap());
    let kubeconfig = kubeconfig_of_nowhere();
    let env = [("KUBECONFIG", kubeconfig.to_str().unwrap())];
    let no_pem = concat!("--ca-bundle=", env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    for arg in [
        "--regions=eu,global",
        "--regions=",
        "--watch-namespaces=Audit",
        "--watch-namespaces=a,",
        "--poll-interval=soon",
        "--poll-interval=1ms",
        "--retry-interval=0s",
        "--request-timeout=15",
        "--retention=0h",
        "--ingest-delay=-1s",
        "--get-lag=long",
        "--get-lag=1000y",
        "--ingest-delay=366d",
        "--poll-interval=18446744073709551615s",
        "--backoff-base=9999999999d",
        "--konnect-url=konghq.com",
        "--konnect-url=ftp://konghq.com",
        "--konnect-url=https://user:secret@konghq.com",
        "--konnect-url=https://ap.svc.konghq.com/api",
        "--lease-name=",
        "--lease-name=A_B",
        "--serialize=world",
        "--concurrency=0",
        "--concurrency=many",
        "--listen=8080",
        "--log-format=xml",
        "--ca-bundle=/nowhere/ca.pem",
        no_pem,
        &listen,
    ] {
        let output = konnect_replay(&["run", arg], &env);
        let flag = arg.split('=').next().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arg}: {}", stderr(&output));
        assert!(stderr(&output).contains(flag), "{arg}: {}", stderr(&output));
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn a_wrong_variable_ends_with_2_and_names_the_flag() {
    let output = konnect_replay(&["run"], &[("KONNECT_REPLAY_POLL_INTERVAL", "soon")]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("--poll-interval") && stderr(&output).contains("15s, 1m30s or 168h"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn an_unknown_flag_or_nothing_at_all_ends_with_2_and_help() {
    for args in [&["run", "--token=x"][..], &["walk"], &[]] {
        let output = konnect_replay(args, &[]);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(stderr(&output).contains("Usage: konnect-replay"), "{args:?}: {}", stderr(&output));
    }
}

#[test]
fn without_a_cluster_it_ends_with_1_and_says_what_to_set() {
    for env in [&[][..], &[("KUBECONFIG", "/nowhere/kubeconfig")]] {
        let output = konnect_replay(&["run", "--listen=127.0.0.1:0"], env);
        assert_eq!(output.status.code(), Some(1), "{env:?}: {}", stderr(&output));
        assert!(stderr(&output).contains("no Kubernetes cluster: set KUBECONFIG"), "{env:?}: {}", stderr(&output));
    }
}

/// A cluster that is well described and not there.
fn kubeconfig_of_nowhere() -> std::path::PathBuf {
    /// Written once: a process that another test has started may be reading it.
    static PATH: std::sync::LazyLock<std::path::PathBuf> = std::sync::LazyLock::new(|| {
        let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("nowhere.kubeconfig");
        let text = r#"{"apiVersion": "v1", "kind": "Config", "current-context": "nowhere",
            "clusters": [{"name": "nowhere", "cluster": {"server": "http://127.0.0.1:1"}}],
            "contexts": [{"name": "nowhere", "context": {"cluster": "nowhere", "user": "nobody"}}],
            "users": [{"name": "nobody", "user": {}}]}"#;
        std::fs::write(&path, text).unwrap();
        path
    });
    PATH.clone()
}

#[test]
fn text_that_goes_to_a_pipe_has_no_colours() {
    // Nobody answers at that address; the first line comes before anybody is asked.
    let kubeconfig = kubeconfig_of_nowhere();
    let env = [("KUBECONFIG", kubeconfig.to_str().unwrap())];
    let mut child = Command::new(env!("CARGO_BIN_EXE_konnect-replay"))
        .env_clear()
        .envs(env)
        .args(["run", "--log-format=text", "--listen=127.0.0.1:0"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    let mut said = Vec::new();
    for line in lines.map_while(Result::ok) {
        said.push(line);
        if said.iter().any(|line| line.contains("starting")) {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(said.iter().any(|line| line.contains("starting")), "{said:?}");
    assert!(!said.iter().any(|line| line.contains('\u{1b}')), "{said:?}");
}
