//! Reading a Secret. kube's own reading of objects logs an answer that it cannot parse, at `warn`; of a Secret that would be the
//! token. So this answer is parsed here, and its text goes nowhere.

use k8s_openapi::api::core::v1::Secret;
use kube::api::GetParams;
use kube::core::Request;
use kube::{Client, Error, Resource};

use crate::replay::SecretRef;

/// Reads the Secret that `at` names.
pub(super) async fn read(client: &Client, at: &SecretRef) -> kube::Result<Secret> {
    let secrets = Request::new(Secret::url_path(&(), Some(&at.namespace)));
    let request = secrets.get(&at.name, &GetParams::default()).map_err(Error::BuildRequest)?;
    let text = client.request_text(request).await?;
    serde_json::from_str(&text).map_err(Error::SerdeError)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::controller::lines::Lines;

    /// `kpat_canary`, as a Secret holds it.
    const ENCODED: &str = "a3BhdF9jYW5hcnk=";

    /// Reads a Secret from an apiserver that answers with `body`.
    async fn answered(body: &str) -> (kube::Result<Secret>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 4096]).await;
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
        let lines = Lines::default();
        let log = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(lines.clone()).finish();
        let _guard = tracing::subscriber::set_default(log);
        let client = Client::try_from(kube::Config::new(url.parse().unwrap())).unwrap();
        let at = SecretRef { namespace: "audit".into(), name: "konnect-token".into(), key: "token".into() };
        let result = read(&client, &at).await;
        (result, lines.text())
    }

    #[tokio::test]
    async fn a_secret_is_read() {
        let (secret, _) = answered(&format!(r#"{{"kind":"Secret","data":{{"token":"{ENCODED}"}}}}"#)).await;
        assert_eq!(secret.unwrap().data.unwrap()["token"].0, b"kpat_canary");
    }

    #[tokio::test]
    async fn an_answer_that_is_no_secret_is_logged_nowhere() {
        for odd in [r#""metadata":7"#, r#""metadata":{"#] {
            let (secret, logged) = answered(&format!(r#"{{"data":{{"token":"{ENCODED}"}},{odd}}}"#)).await;
            assert!(matches!(secret, Err(Error::SerdeError(_))), "{secret:?}");
            assert!(!logged.contains(ENCODED), "{logged}");
        }
    }
}
