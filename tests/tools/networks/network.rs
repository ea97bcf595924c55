//! A network of its own: a namespace of the kernel, which a child holds open.

use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

pub struct Network {
    name: &'static str,
    holder: Child,
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Network {
    /// One with nothing but loopback, after this has been done in it.
    pub fn new(name: &'static str, change: &str) -> Self {
        let script = format!("set -e; ip link set lo up; {change}; echo made; read -r _");
        let mut holder = Command::new("unshare")
            .args(["--net", "sh", "-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare (Debian: util-linux) is needed");
        let mut made = String::new();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut made).unwrap();
        assert_eq!(made, "made\n", "{name}: needs root and ip (Debian: iproute2); what it says stands above");
        Self { name, holder }
    }

    /// Does something there. What is opened or started there stays there.
    pub fn inside<T: Send + 'static>(&self, what: impl FnOnce() -> T + Send + 'static) -> T {
        let network = File::open(format!("/proc/{}/ns/net", self.holder.id())).unwrap();
        let thread = std::thread::spawn(move || {
            move_into_link_name_space(std::os::fd::AsFd::as_fd(&network), Some(LinkNameSpaceType::Network)).unwrap();
            what()
        });
        thread.join().unwrap()
    }

    /// Listens there on a port of `host`, and leads to `server` from here. Answers where it listens.
    pub fn relay(&self, host: &str, server: &str) -> String {
        let at = format!("{host}:0");
        let listener = self.inside(move || TcpListener::bind(at).unwrap());
        let port = listener.local_addr().unwrap().port();
        let server = server.trim_start_matches("https://").trim_end_matches('/').to_owned();
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let server = TcpStream::connect(&server).unwrap();
                for (mut from, mut to) in [
                    (client.try_clone().unwrap(), server.try_clone().unwrap()),
                    (server.try_clone().unwrap(), client.try_clone().unwrap()),
                ] {
                    std::thread::spawn(move || {
                        let _ = std::io::copy(&mut from, &mut to);
                        let _ = to.shutdown(std::net::Shutdown::Write);
                    });
                }
            }
        });
        format!("{host}:{port}")
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// Sends a request, and reads the answer to its end.
pub fn ask(at: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(at).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
