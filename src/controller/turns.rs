//! One slow timer for all lanes, so that a lost wake-up is harmless: whoever waits has no timer of its own that would matter.

use std::convert::Infallible;
use std::time::Duration;

use super::context::Context;

/// How often the first of each lane is looked at, whatever happens.
pub(super) const FALLBACK: Duration = Duration::from_mins(1);

/// Wakes the first of each lane again and again. A pass of one that has to wait costs no call and no write.
pub(super) async fn keep_moving(ctx: &Context, every: Duration) -> Infallible {
    loop {
        tokio::time::sleep(every).await;
        let firsts = ctx.lanes().firsts(ctx.clock().mono);
        ctx.wake_all(&firsts);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Arc;

    use clap::Parser;
    use futures::StreamExt;
    use futures::channel::mpsc::unbounded;
    use kube::Client;
    use serde_json::json;

    use super::*;
    use crate::cli::{Cli, Command};
    use crate::config::Config;
    use crate::controller::context::Stop;
    use crate::controller::events;
    use crate::konnect::HttpClient;
    use crate::metrics::Metrics;
    use crate::replay::{Candidate, Turn};

    fn candidate(name: &str, config: &Config) -> Candidate {
        let object = json!({
            "apiVersion": "konnect-replay.dev/v1alpha1", "kind": "AuditLogReplayJob",
            "metadata": { "name": name, "namespace": "audit", "uid": name },
            "spec": {
                "target": { "region": "eu", "scope": "Organization" },
                "window": { "startAt": "2026-11-20T08:00:00Z", "endAt": "2026-11-20T09:00:00Z" },
                "tokenSecretRef": { "name": "token" },
            },
        });
        Candidate::of(&serde_json::from_value(object).unwrap(), &config.policy).unwrap()
    }

    fn config() -> Config {
        let cli = Cli::try_parse_from(["konnect-replay", "run"]).unwrap();
        let Command::Run(args) = cli.command else { unreachable!() };
        Config::new(*args).unwrap()
    }

    #[tokio::test]
    async fn a_lost_wake_up_is_made_up_for() {
        let config = config();
        let (first, second) = (candidate("first", &config), candidate("second", &config));
        let client = Client::try_from(kube::Config::new("http://127.0.0.1:9".parse().unwrap())).unwrap();
        let konnect = HttpClient::new(Duration::from_secs(1), None).unwrap();
        let (waker, mut woken) = unbounded();
        let (_say_stop, stop) = Stop::channel();
        let (publisher, _publishing) = events::start(client.clone());
        let (wakers, metrics) = (HashMap::from([(None, waker)]), Metrics::new(&config));
        let ctx = Arc::new(Context::new(client, konnect, config, wakers, stop, publisher, metrics));
        assert_eq!(ctx.lanes().take(&first, Duration::ZERO), Turn::Ours);
        assert_ne!(ctx.lanes().take(&second, Duration::ZERO), Turn::Ours);
        // Nobody is told.
        ctx.lanes().leave(&first.id, Duration::ZERO);

        tokio::select! {
            never = keep_moving(&ctx, Duration::from_millis(1)) => match never {},
            object = woken.next() => assert_eq!(object.unwrap().name, "second"),
        }
    }
}
