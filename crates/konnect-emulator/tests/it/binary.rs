//! The binary: what it prints, its seed, and its end.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::support::{PORTAL, Reply, TOKEN, client};

const BINARY: &str = env!("CARGO_BIN_EXE_konnect-emulator");

struct Running {
    child: Child,
    konnect_url: String,
    control_url: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn start(arguments: &[&str], environment: &[(&str, &str)]) -> Running {
    let mut command = Command::new(BINARY);
    command.args(["--listen=127.0.0.1:0", "--control=127.0.0.1:0"]).args(arguments);
    command.envs(environment.iter().copied()).env_remove("RUST_LOG");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut url = |name: &str| lines.next().unwrap().unwrap().strip_prefix(name).unwrap().to_owned();
    Running { konnect_url: url("konnect_url="), control_url: url("control_url="), child }
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

#[tokio::test]
async fn a_seeded_emulator_answers_and_ends_on_either_signal() {
    for name in ["-TERM", "-INT"] {
        let portal = format!("--portal=acme/eu/{PORTAL}");
        let arguments = [portal.as_str(), "--webhook-url=http://127.0.0.1:9/logs"];
        let mut running = start(&arguments, &[("KONNECT_EMULATOR_ORG", &format!("acme={TOKEN}"))]);
        let base = running.konnect_url.replace("{region}", "eu");
        let url = format!("{base}/v2/portals/{PORTAL}/audit-log-webhook");
        let reply = Reply::read(client().get(url).bearer_auth(TOKEN).send().await.unwrap()).await;
        assert_eq!((reply.status, &reply.json()["enabled"]), (200, &Value::Bool(true)));
        let about = Reply::read(client().get(&running.control_url).send().await.unwrap()).await;
        assert_eq!(about.json()["organizations"][0], "acme");
        signal(&running.child, name);
        assert_eq!(running.child.wait().unwrap().code(), Some(0));
        let mut log = String::new();
        running.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        assert!(log.contains("audit-log-webhook") && log.contains("acme/token-1"), "one line a call: {log}");
        assert!(!log.contains(TOKEN), "without the token");
    }
}

/// The chart gives its pod 128 MiB.
#[tokio::test]
async fn a_call_held_against_the_contract_takes_little_memory() {
    let portal = format!("--portal=acme/eu/{PORTAL}");
    let running = start(&[&portal], &[("KONNECT_EMULATOR_ORG", &format!("acme={TOKEN}"))]);
    let url = format!("{}/v2/portals/{PORTAL}/audit-log-replay-job", running.konnect_url.replace("{region}", "eu"));
    let reply = Reply::read(client().get(url).bearer_auth(TOKEN).send().await.unwrap()).await;
    assert_eq!(reply.status, 200);
    let status = std::fs::read_to_string(format!("/proc/{}/status", running.child.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")).unwrap();
    assert!(peak.parse::<u64>().unwrap() < 64 << 10, "{peak} kB");
}

#[tokio::test]
async fn a_configuration_file_describes_a_world() {
    let file = std::env::temp_dir().join(format!("konnect-emulator-{}.json", std::process::id()));
    let config = format!(
        r#"{{"organizations": [{{"name": "acme", "token": "{TOKEN}"}}], "timings": {{"accepted_ms": 1}}, "q1": "queue",
            "behaviour": {{"q5": "only_put", "q4": {{"newest_end": "any"}}}},
            "portals": [{{"target": "acme/eu/{PORTAL}", "webhook": {{"url": "http://127.0.0.1:9", "enabled": false}},
                "behaviour": {{"stuck_in": ["running"]}}}}]}}"#
    );
    std::fs::write(&file, config).unwrap();
    let flags = ["--get-lag=2s", "--ingest-lag=1m", "--clock-offset=-90s"];
    let arguments = [["--config", file.to_str().unwrap()].as_slice(), flags.as_slice()].concat();
    let running = start(&arguments, &[]);
    assert!(running.konnect_url.starts_with("http://127.0.0.1:"));
    std::fs::remove_file(file).unwrap();
    let url = format!("{}/targets/acme/eu/{PORTAL}/behaviour", running.control_url);
    let behaviour = Reply::read(client().get(url).send().await.unwrap()).await.json();
    assert_eq!(behaviour["q4"], serde_json::json!({"ingest_lag_ms": 60_000, "newest_end": "any"}));
    assert_eq!((&behaviour["q5"], &behaviour["stuck_in"][0]), (&"only_put".into(), &"running".into()));
    assert_eq!((&behaviour["get_lag"][0]["ms"], &behaviour["clock_offset_ms"]), (&2000.into(), &(-90_000).into()));
}

#[tokio::test]
async fn lost_events_reach_the_stand_in_by_a_replay_over_tls_with_a_given_certificate() {
    let folder = std::env::temp_dir().join(format!("konnect-emulator-tls-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (cert, key) = (folder.join("tls.crt"), folder.join("tls.key"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let running = start(
        &[
            &format!("--portal=acme/eu/{PORTAL}"),
            "--receiver=127.0.0.1:0",
            "--lost-events=24",
            &format!("--tls-cert={}", cert.display()),
            &format!("--tls-key={}", key.display()),
            "--accepted-for=10ms",
            "--pending-for=10ms",
            "--running-for=10ms",
        ],
        &[("KONNECT_EMULATOR_ORG", &format!("acme={TOKEN}"))],
    );
    std::fs::remove_dir_all(folder).unwrap();
    let ca = reqwest::Certificate::from_pem(made.cert.pem().as_bytes()).unwrap();
    let trusting = reqwest::Client::builder().no_proxy().tls_certs_only([ca]).build().unwrap();
    let base = running.konnect_url.replace("{region}", "eu").replace("127.0.0.1", "localhost");
    let ago = |minutes| chrono::Utc::now() - chrono::TimeDelta::minutes(minutes);
    let body = serde_json::json!({"start_at": ago(345), "end_at": ago(105)}).to_string();
    let put = trusting.put(format!("{base}/v2/portals/{PORTAL}/audit-log-replay-job")).bearer_auth(TOKEN).body(body);
    assert_eq!(put.send().await.unwrap().status(), 202);
    let control = |path: &str| client().get(format!("{}{path}", running.control_url)).send();
    let mut changes = 0;
    let delivered = loop {
        let deliveries = Reply::read(control("/deliveries").await.unwrap()).await.json();
        if let Some(first) = deliveries.as_array().unwrap().first() {
            break first.clone();
        }
        let seen = Reply::read(control(&format!("/changes?after={changes}")).await.unwrap()).await.json();
        changes = seen["changes"].as_u64().unwrap();
    };
    assert_eq!((&delivered["response_code"], &delivered["events"]), (&200.into(), &4.into()), "{delivered}");
}

#[test]
fn wrong_flags_exit_with_2_and_a_taken_port_with_1() {
    let run = |argument: &str| Command::new(BINARY).arg(argument).output().unwrap();
    let wrong = run("--portal=acme/eu/p1");
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("--org acme=TOKEN"));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = run(&format!("--listen={}", taken.local_addr().unwrap()));
    assert_eq!(taken.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&taken.stderr).contains("cannot listen on"));
}

#[test]
fn help_names_the_variables() {
    let help = Command::new(BINARY).arg("--help").output().unwrap();
    let text = String::from_utf8_lossy(&help.stdout).into_owned();
    for variable in
        ["KONNECT_EMULATOR_LISTEN", "KONNECT_EMULATOR_CONFIG", "KONNECT_EMULATOR_RETRY_SCALE", "openapi.yaml"]
    {
        assert!(help.status.success() && text.contains(variable), "{variable}");
    }
}
