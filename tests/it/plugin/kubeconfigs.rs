//! Which kubeconfig is read, and who one is there.

use std::path::Path;
use std::process::Command;

use super::{Plugin, Ran, binary, run};
use crate::support::{World, edited};

async fn ran(mut command: Command, variables: &[(&str, &str)]) -> Ran {
    command.envs(variables.iter().copied());
    tokio::task::spawn_blocking(|| run(command)).await.unwrap()
}

fn list(world: &World, more: &[&str]) -> Command {
    binary(&[&["list", "-n", &world.namespace], more].concat())
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// What a pod has in its environment; this one has no token.
const POD: [(&str, &str); 2] = [("KUBERNETES_SERVICE_HOST", "127.0.0.1"), ("KUBERNETES_SERVICE_PORT", "1")];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_kubeconfig_that_do_not_exist_are_left_out() {
    let world = World::builder().without_operator().build().await;
    world.create(world.job("there")).await;
    let plugin = Plugin::of(&world);
    let there = text(plugin.kubeconfig());
    let empty = edited(plugin.kubeconfig(), "empty", |kubeconfig| {
        *kubeconfig = serde_json::json!({ "apiVersion": "v1", "kind": "Config", "current-context": "" });
    });
    let empty = text(&empty);
    for list_of_files in
        [format!("{there}:/nowhere/config"), format!("/nowhere/config::{there}"), format!("{empty}:{there}")]
    {
        let ran = ran(list(&world, &[]), &[("KUBECONFIG", &list_of_files)]).await;
        assert!(ran.code == Some(0) && ran.out.contains("there"), "{list_of_files}: {ran:#?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pod_does_not_act_on_its_own_cluster_when_another_one_was_meant() {
    let world = World::builder().without_operator().build().await;
    let broken = edited(Plugin::of(&world).kubeconfig(), "broken", |_| ());
    std::fs::write(&broken, "apiVersion: [\n").unwrap();
    for (named, said) in [(text(&broken), "broken.kubeconfig"), ("/nowhere/config", "/nowhere/config")] {
        let environment = [POD[0], POD[1], ("KUBECONFIG", named)];
        let ran = ran(list(&world, &[]), &environment).await;
        assert_eq!(ran.code, Some(1), "{ran:#?}");
        assert!(ran.err.contains("no cluster to talk to") && ran.err.contains(said), "{ran:#?}");
    }
    // Nothing was named: the pod's own is asked, and here it has no token.
    let nothing = ran(list(&world, &[]), &[POD[0], POD[1], ("HOME", "/nowhere")]).await;
    assert!(nothing.code == Some(1) && nothing.err.contains("no kubeconfig"), "{nothing:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flags_say_who_one_is_and_whom_one_acts_as() {
    let world = World::builder().without_operator().build().await;
    world.create(world.job("there")).await;
    let own = Plugin::of(&world);
    let two = edited(own.kubeconfig(), "two", |kubeconfig| {
        let (users, clusters) = (kubeconfig["users"][0].clone(), kubeconfig["clusters"][0].clone());
        kubeconfig["users"] = serde_json::json!([{ "name": "nobody", "user": {} }, users]);
        kubeconfig["users"][1]["name"] = "jane".into();
        kubeconfig["clusters"] =
            serde_json::json!([{ "name": "away", "cluster": { "server": "https://127.0.0.1:1" } }, clusters]);
        kubeconfig["clusters"][1]["name"] = "here".into();
        kubeconfig["contexts"][0]["context"] = serde_json::json!({ "cluster": "away", "user": "nobody" });
    });
    let two = [("KUBECONFIG", text(&two))];
    for (flags, code, said) in [
        (&["--cluster", "here", "--user", "jane"][..], 0, "there"),
        (&["--cluster", "here"], 1, "not allowed"),
        (&["--user", "jane"], 1, "cannot reach the cluster at https://127.0.0.1:1/"),
        (&["--cluster", "here", "--user", "jane", "--as", "dave"], 1, "User \"dave\""),
        (
            &["--cluster", "here", "--user", "jane", "--as", "dave", "--as-group", "a", "--as-group", "system:masters"],
            0,
            "there",
        ),
        (&["--user", "eve"], 1, "no user eve"),
        (&["--cluster", "north"], 1, "north"),
        (&["--as-group", "system:masters"], 2, "--as <USER>"),
    ] {
        let ran = ran(list(&world, flags), &two).await;
        assert_eq!(ran.code, Some(code), "{flags:?}: {ran:#?}");
        assert!(format!("{}{}", ran.out, ran.err).contains(said), "{flags:?}: {ran:#?}");
    }
    // What is recommended next is about the same cluster.
    let mut resume = binary(&["resume", "there", "-n", &world.namespace, "--cluster", "here", "--user", "jane"]);
    resume.args(["--as", "it's me", "--as-group", "system:masters"]);
    world.suspend("there", true).await;
    let ran = ran(resume, &two).await;
    let flags =
        format!(r"-n {} --cluster here --user jane --as 'it'\''s me' --as-group system:masters", world.namespace);
    assert!(ran.code == Some(0) && ran.out.ends_with(&format!("kubectl replay list {flags}\n")), "{ran:#?}");
}
