//! The way to the cluster by an HTTP proxy, as kubectl goes it. `.ci/run kubectl` compares more of this with kubectl itself.

use super::{Plugin, Ran, run};
use crate::support::{Tunnel, World, edited, moved};

/// Runs `list` with these variables; whether the proxy was used comes second.
async fn list(plugin: &Plugin, tunnel: &Tunnel, variables: &[(&str, &str)]) -> (Ran, bool) {
    let mut command = plugin.command(&["list"]);
    command.envs(variables.iter().copied());
    let ran = tokio::task::spawn_blocking(|| run(command)).await.unwrap();
    (ran, tunnel.used() > 0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn https_proxy_and_no_proxy_are_about_the_api_server() {
    let world = World::builder().without_operator().build().await;
    world.create(world.job("there")).await;
    let tunnel = Tunnel::start(world.plane.url()).await;
    let own = Plugin::of(&world);
    let elsewhere = moved(own.kubeconfig(), "elsewhere", "https://apiserver.invalid:6443");
    let elsewhere = Plugin::with(&world, elsewhere);
    let (url, bare) = (format!("http://{}", tunnel.address()), tunnel.address());
    for (variables, used) in [
        (&[("HTTPS_PROXY", url.as_str())][..], true),
        (&[("https_proxy", &url), ("HTTPS_PROXY", "")], true),
        (&[("HTTPS_PROXY", &bare)], true),
        (&[("HTTPS_PROXY", &url), ("NO_PROXY", "127.0.0.2")], true),
        (&[("HTTPS_PROXY", &url), ("NO_PROXY", "a,,b,")], true),
        (&[("HTTPS_PROXY", &url), ("NO_PROXY", "apiserver.invalid:1")], true),
        (&[("HTTPS_PROXY", &url), ("NO_PROXY", "apiserver.invalid")], false),
        (&[("HTTPS_PROXY", &url), ("NO_PROXY", ".invalid")], false),
        (&[("HTTPS_PROXY", &url), ("no_proxy", "a,,invalid:6443")], false),
        (&[("HTTPS_PROXY", &url), ("NO_PROXY", "*")], false),
        (&[("HTTP_PROXY", &url)], false),
        (&[("ALL_PROXY", &url)], false),
    ] {
        let (ran, was_used) = list(&elsewhere, &tunnel, variables).await;
        assert_eq!(was_used, used, "{variables:?}: {ran:#?}");
        assert_eq!(ran.code, Some(i32::from(!used)), "only the proxy leads there; {variables:?}: {ran:#?}");
        assert_eq!(ran.out.contains("there"), used, "{variables:?}: {ran:#?}");
    }
    // A cluster on this machine, as those of kind, k3d and minikube are.
    let (ran, used) = list(&own, &tunnel, &[("HTTPS_PROXY", &url)]).await;
    assert!(ran.code == Some(0) && ran.out.contains("there") && !used, "{ran:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_proxy_of_the_kubeconfig_is_used_whatever_no_proxy_says() {
    let world = World::builder().without_operator().build().await;
    world.create(world.job("there")).await;
    let tunnel = Tunnel::start(world.plane.url()).await;
    let named = edited(Plugin::of(&world).kubeconfig(), "proxy-url", |kubeconfig| {
        kubeconfig["clusters"][0]["cluster"]["proxy-url"] = format!("http://{}", tunnel.address()).into();
    });
    let (ran, used) = list(&Plugin::with(&world, named), &tunnel, &[("NO_PROXY", "127.0.0.0/8,,")]).await;
    assert!(ran.code == Some(0) && ran.out.contains("there") && used, "{ran:#?}");
}
