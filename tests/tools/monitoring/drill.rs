//! Every condition that is warned of, each in a region of its own, brought about with the emulator.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use konnect_emulator::{Action, Fault, Outage, Q3, Receiver, ReceiverOptions, Reply, TargetKey, Webhook};
use kube::api::{Patch, PatchParams};
use serde_json::json;

use crate::exposition;
use crate::support::{JobBuilder, Operator, World};

/// Portals by number; the first group of the id is the label.
fn portal(number: u8) -> String {
    format!("{number:08}-2f0f-4c39-9f3c-1f7f5d6f9f10")
}

pub struct Drill {
    world: World,
    /// One that takes nothing.
    broken: Receiver,
}

impl Drill {
    pub async fn start() -> Self {
        // One region for each condition.
        let world = World::builder().flag("--regions=us,eu,au,me,in,sg,xx").build().await;
        let broken = Receiver::start(ReceiverOptions::default()).await.unwrap();
        broken.set_outage(Outage::Answer(500));
        Self { world, broken }
    }

    /// Where the operator is scraped.
    pub async fn address(&mut self) -> String {
        self.world.operator().probes().await.trim_start_matches("http://").to_owned()
    }

    pub async fn scrape(&mut self) -> String {
        self.world.operator().metrics().await
    }

    /// Another scrape, after more calls to Konnect have failed.
    pub async fn scrape_later(&mut self) -> String {
        let failed = r#"auditlogreplay_konnect_requests_total{konnect_region="sg",method="GET",code="503"}"#;
        let count = |text: &str| exposition::series(text).get(failed).copied();
        let before = count(&self.scrape().await).unwrap();
        let later = |text: &str| count(text).filter(|now| *now > before).map(|_| text.to_owned());
        self.world.operator().wait_for_metrics("more failed calls", later).await
    }

    pub async fn bring_about_all_conditions(&mut self) {
        self.all_is_well().await;
        self.a_window_that_expires().await;
        self.a_replay_that_fails().await;
        self.a_replay_that_is_not_taken().await;
        self.a_webhook_that_is_off().await;
        self.a_stranger_in_the_way().await;
        self.a_konnect_that_is_down().await;
        self.a_token_that_is_refused().await;
        self.an_object_that_cannot_be_read().await;
    }

    fn job(name: &str, region: &str, number: u8) -> JobBuilder {
        JobBuilder::portal(name, region, &portal(number))
    }

    async fn all_is_well(&self) {
        self.world.create(self.world.job("well")).await;
        self.world.wait_until_complete("well").await;
    }

    async fn a_window_that_expires(&self) {
        self.world.add_portal("eu", &portal(1));
        let start = Utc::now() - TimeDelta::hours(165);
        let job = Self::job("expiring", "eu", 1).suspended().window(start, start + TimeDelta::hours(1));
        self.world.create(job).await;
        self.world.wait_for_reason("expiring", "Suspended").await;
    }

    async fn a_replay_that_fails(&self) {
        let target = self.world.add_portal("us", &portal(2));
        self.world.emulator.fail_next(&target, 1).unwrap();
        self.world.create(Self::job("failing", "us", 2).spec(|spec| spec.backoff_limit = 0)).await;
        self.world.wait_until_failed("failing").await;
    }

    async fn a_replay_that_is_not_taken(&self) {
        let target = self.with_webhook("au", 3, Webhook::new(self.broken.url()));
        self.world.emulator.change_behaviour(&target, |behaviour| behaviour.q3 = Q3::HandedOver).unwrap();
        let job = self.world.create(Self::job("untaken", "au", 3)).await;
        self.world.lose(&target, &job, 1);
        self.world.wait_until_complete("untaken").await;
    }

    async fn a_webhook_that_is_off(&self) {
        self.with_webhook("me", 4, Webhook::new(self.world.receiver.url()).disabled());
        self.world.create(Self::job("off", "me", 4)).await;
        self.world.wait_for_reason("off", "WaitingForWebhook").await;
    }

    async fn a_stranger_in_the_way(&self) {
        let target = self.world.add_portal("in", &portal(5));
        self.world.foreign_run(&target);
        self.world.create(Self::job("blocked", "in", 5)).await;
        self.world.wait_for_reason("blocked", "BlockedByRemoteJob").await;
    }

    async fn a_konnect_that_is_down(&self) {
        self.world.add_portal("sg", &portal(6));
        let down = Reply { status: 503, ..Reply::default() };
        self.world.emulator.add_fault(Fault::new(Action::Answer(down)).region("sg"));
        self.world.create(Self::job("down", "sg", 6)).await;
        self.world.wait_for_reason("down", "KonnectUnavailable").await;
    }

    async fn a_token_that_is_refused(&self) {
        self.world.add_portal("xx", &portal(7));
        self.world.create_token("revoked", "token", b"kpat_canary-that-was-revoked").await;
        self.world.create(Self::job("refused", "xx", 7).secret("revoked", "token")).await;
        self.world.wait_for_reason("refused", "WaitingForCredentials").await;
    }

    /// A counter that no version writes, which a definition without its bounds lets through.
    async fn an_object_that_cannot_be_read(&self) {
        let bound = format!("maximum: {}.0", u32::MAX);
        let lax = konnect_replay_core::api::CRD.replace(&bound, "maximum: 9000000000.0");
        assert_ne!(lax, konnect_replay_core::api::CRD, "no {bound}");
        self.world.plane.apply(&lax).await.unwrap();
        self.world.create(self.world.job("odd").suspended()).await;
        self.world.wait_for_reason("odd", "Suspended").await;
        let odd = Patch::Merge(json!({ "status": { "attempts": 5_000_000_000_u64 } }));
        let is_taken = || async {
            // The answer does not parse either.
            let answer = self.world.jobs().patch_status("odd", &PatchParams::default(), &odd).await;
            matches!(answer, Err(kube::Error::SerdeError(_)))
        };
        while !is_taken().await {
            // The API server has not seen the definition yet.
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    fn with_webhook(&self, region: &str, number: u8, webhook: Webhook) -> TargetKey {
        let target = self.world.add_portal(region, &portal(number));
        self.world.emulator.set_webhook(&target, webhook).unwrap();
        target
    }

    /// What a replica shows that cannot come to lead, because there is no API server where it looks for one.
    pub async fn one_that_cannot_lead(&self) -> String {
        let kubeconfig = self.world.plane.kubeconfig_via(&self.world.kubeconfig, "https://127.0.0.1:1").unwrap();
        let flags = ["--listen=127.0.0.1:0", "--lease-namespace=konnect-replay"].map(str::to_owned);
        Operator::start(&kubeconfig, &flags).metrics().await
    }

    pub async fn stop(&mut self) {
        self.world.operator().signal("TERM");
        self.world.operator().exit().await;
    }
}
