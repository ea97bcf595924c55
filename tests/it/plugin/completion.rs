//! Completion, as the shells and kubectl ask for it.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use super::{Plugin, binary, run};
use crate::support::World;

#[test]
fn each_shell_gets_a_script_for_the_binary() {
    for (shell, word) in [
        ("bash", "_kubectl__replay()"),
        ("zsh", "#compdef kubectl-replay"),
        ("fish", "complete -c kubectl-replay"),
        ("powershell", "'kubectl-replay'"),
    ] {
        let ran = run(binary(&["completion", shell]));
        assert_eq!(ran.code, Some(0), "{ran:#?}");
        assert!(ran.out.contains(word) && !ran.out.contains("__complete"), "{shell}: {}", ran.out);
    }
}

fn candidates(words: &[&str]) -> Vec<String> {
    let ran = run(binary(&[&["__complete"], words].concat()));
    assert!(ran.code == Some(0) && ran.err.is_empty() && ran.out.ends_with(":4\n"), "{ran:#?}");
    let lines = ran.out.lines().filter(|line| !line.starts_with(':'));
    lines.map(|line| line.split('\t').next().unwrap().to_owned()).collect()
}

#[test]
fn commands_flags_and_words_are_completed_without_a_cluster() {
    assert_eq!(candidates(&["s"]), ["status", "suspend"]);
    assert!(candidates(&[""]).contains(&"create".to_owned()));
    assert!(!candidates(&[""]).iter().any(|word| word.starts_with("__") || word.starts_with('-')));
    assert_eq!(candidates(&["create", "--reg"]), ["--region"]);
    assert_eq!(candidates(&["create", "--tt"]), ["--ttl"]);
    assert_eq!(candidates(&["create", "--expiry-policy", ""]), ["Fail", "Clamp"]);
    assert_eq!(candidates(&["status", ""]), Vec::<String>::new(), "no cluster, no names, and no error in the terminal");
}

#[test]
fn a_kubeconfig_that_nobody_writes_does_not_hang_completion() {
    let pipe =
        std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("kubeconfig-pipe-{}", std::process::id()));
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut command = Command::new("timeout");
    command.arg("30").arg(env!("CARGO_BIN_EXE_kubectl-replay")).args(["__complete", "status", ""]);
    command.env("KUBECONFIG", &pipe);
    let ran = run(command);
    std::fs::remove_file(&pipe).unwrap();
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), ":4\n"), "{ran:#?}");
}

/// What kubectl does: a program named `kubectl_complete-replay` in the PATH, with the words so far.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kubectl_gets_the_names_of_jobs() {
    let world = World::builder().without_operator().build().await;
    for name in ["outage-1", "outage-2", "other"] {
        world.create(world.job(name)).await;
    }
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("completion-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let script = folder.join("kubectl_complete-replay");
    std::fs::write(&script, run(binary(&["completion", "kubectl"])).out).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let link = folder.join("kubectl-replay");
    let _ = std::fs::remove_file(&link);
    symlink(env!("CARGO_BIN_EXE_kubectl-replay"), &link).unwrap();

    let plugin = Plugin::of(&world);
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let ask = |words: &[&str]| {
        let mut command = Command::new(&script);
        command.env_clear().env("PATH", &path).env("KUBECONFIG", plugin.kubeconfig());
        // A busy machine may take longer than the 3 s that people are made to wait.
        command.args(["--request-timeout", "60s"]).args(words);
        run(command)
    };
    let namespaced = ask(&["status", "-n", &world.namespace, "out"]);
    assert_eq!(namespaced.out, "outage-1\noutage-2\n:4\n", "{namespaced:#?}");
    let before = ask(&["-n", &world.namespace, "again", ""]);
    assert_eq!(before.out, "other\noutage-1\noutage-2\n:4\n", "{before:#?}");
    let elsewhere = ask(&["status", "out"]);
    assert_eq!(elsewhere.out, ":4\n", "{elsewhere:#?}");
    std::fs::remove_dir_all(&folder).unwrap();
}
