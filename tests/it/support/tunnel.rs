//! An HTTP proxy that knows CONNECT, and leads to the API server wherever it is asked to.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

/// A proxy on another address than the API server, so that what is said of one is not true of the other.
pub struct Tunnel {
    address: SocketAddr,
    used: Arc<AtomicUsize>,
}

impl Tunnel {
    /// Starts one on 127.0.0.2 that leads to `server`.
    pub async fn start(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.2:0").await.unwrap();
        let (address, used) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
        let (to, counter) = (authority(server), Arc::clone(&used));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(tunnel(client, to.clone(), Arc::clone(&counter)));
            }
        });
        Self { address, used }
    }

    /// Where it is, without a scheme.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// How many connections it has made since it was asked last.
    pub fn used(&self) -> usize {
        self.used.swap(0, Ordering::Relaxed)
    }
}

async fn tunnel(mut client: TcpStream, to: String, used: Arc<AtomicUsize>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = client.read_u8().await else { return };
        head.push(byte);
    }
    assert!(head.starts_with(b"CONNECT "), "{}", String::from_utf8_lossy(&head));
    used.fetch_add(1, Ordering::Relaxed);
    let mut server = TcpStream::connect(to).await.unwrap();
    if client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.is_ok() {
        let _ = copy_bidirectional(&mut client, &mut server).await;
    }
}

/// Host and port of a URL.
pub fn authority(url: &str) -> String {
    url.trim_start_matches("https://").trim_end_matches('/').to_owned()
}

/// A copy of a kubeconfig, changed, beside it.
pub fn edited(kubeconfig: &Path, name: &str, change: impl FnOnce(&mut Value)) -> PathBuf {
    let mut copy: Value = serde_json::from_slice(&std::fs::read(kubeconfig).unwrap()).unwrap();
    change(&mut copy);
    let path = kubeconfig.with_extension(format!("{name}.kubeconfig"));
    std::fs::write(&path, copy.to_string()).unwrap();
    path
}

/// A copy by which the API server has another address: only a [`Tunnel`] leads to it, unless it is this machine's.
pub fn moved(kubeconfig: &Path, name: &str, server: &str) -> PathBuf {
    edited(kubeconfig, name, |copy| {
        copy["clusters"][0]["cluster"]["server"] = server.into();
        copy["clusters"][0]["cluster"]["tls-server-name"] = "localhost".into();
    })
}
