//! Rate limits, as a client meets them.

use std::time::Duration;

use konnect_emulator::{Per, RateLimit, Role};
use serde_json::json;

use crate::support::{Bench, Reply, TOKEN};

fn limit(per: Per) -> RateLimit {
    RateLimit { per, requests: 2, window: Duration::from_mins(10), retry_after: true }
}

async fn get(bench: &Bench, token: &str) -> Reply {
    let request = bench.client.get(bench.url("audit-log-replay-job")).bearer_auth(token);
    Reply::read(request.send().await.unwrap()).await
}

#[tokio::test]
async fn a_limit_is_shared_by_a_token_an_organization_or_an_address() {
    for (per, second, foreign) in [(Per::Token, 200, 404), (Per::Organization, 429, 404), (Per::Address, 429, 429)] {
        let bench = Bench::start().await;
        bench.emulator.add_token("acme", "spat_second", Role::AuditLogAdmin).unwrap();
        bench.emulator.add_organization("other", "kpat_other").unwrap();
        bench.emulator.set_rate_limits([limit(per)]);
        let own = [get(&bench, TOKEN).await.status, get(&bench, TOKEN).await.status, get(&bench, TOKEN).await.status];
        assert_eq!(own, [200, 200, 429], "{per:?}");
        assert_eq!(get(&bench, "spat_second").await.status, second, "{per:?}");
        assert_eq!(get(&bench, "kpat_other").await.status, foreign, "{per:?}");
        bench.emulator.set_rate_limits([]);
        assert_eq!(get(&bench, TOKEN).await.status, 200);
    }
}

#[tokio::test]
async fn a_429_says_when_to_come_again_or_does_not() {
    let bench = Bench::start().await;
    for retry_after in [true, false] {
        bench.emulator.set_rate_limits([RateLimit { requests: 0, retry_after, ..limit(Per::Address) }]);
        let refused = get(&bench, TOKEN).await;
        assert_eq!((refused.status, refused.json()), (429, json!({"message": "API rate limit exceeded"})));
        assert_eq!((refused.header("ratelimit-limit"), refused.header("ratelimit-remaining")), ("0", "0"));
        let seconds: u64 = refused.header("ratelimit-reset").parse().unwrap();
        assert!((590..=600).contains(&seconds));
        assert_eq!(refused.headers.contains_key("retry-after"), retry_after);
    }
}

#[tokio::test]
async fn a_put_beyond_the_limit_has_no_effect() {
    let bench = Bench::start().await;
    bench.emulator.set_rate_limits([RateLimit { requests: 0, ..limit(Per::Token) }]);
    assert_eq!(bench.put_job(crate::support::window(2)).await.status, 429);
    assert!(bench.emulator.runs(&bench.portal).unwrap().is_empty());
}
