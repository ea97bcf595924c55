//! The way to the cluster by an HTTP proxy, as in kubectl.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use super::{Plugin, run};
use crate::support::World;

/// A proxy that knows CONNECT, and counts.
async fn proxy() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let tunnels = Arc::new(AtomicUsize::new(0));
    tokio::spawn({
        let tunnels = Arc::clone(&tunnels);
        async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(tunnel(client, Arc::clone(&tunnels)));
            }
        }
    });
    (url, tunnels)
}

async fn tunnel(mut client: TcpStream, tunnels: Arc<AtomicUsize>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    let to = head.strip_prefix("CONNECT ").unwrap().split(' ').next().unwrap();
    let mut server = TcpStream::connect(to).await.unwrap();
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
    tunnels.fetch_add(1, Ordering::Relaxed);
    let _ = copy_bidirectional(&mut client, &mut server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn https_proxy_and_no_proxy_are_heeded() {
    let world = World::builder().without_operator().build().await;
    world.create(world.job("there")).await;
    let (url, tunnels) = proxy().await;
    for (no_proxy, expected) in [("", 1), ("127.0.0.1", 0)] {
        tunnels.store(0, Ordering::Relaxed);
        let mut command = Plugin::of(&world).command(&["list"]);
        command.env("HTTPS_PROXY", &url).env("NO_PROXY", no_proxy);
        let ran = tokio::task::spawn_blocking(|| run(command)).await.unwrap();
        assert!(ran.code == Some(0) && ran.out.contains("there"), "{ran:#?}");
        assert_eq!(tunnels.load(Ordering::Relaxed), expected, "NO_PROXY={no_proxy:?}");
    }
}
