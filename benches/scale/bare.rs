//! The same calls as the operator makes for one undisturbed job until its request is sent, in sequence, by a client that decides
//! nothing: what the way costs.

use std::time::Duration;

use chrono::{DateTime, Utc};
use k8s_openapi::api::core::v1::Secret;
use konnect_replay::konnect_http::HttpClient;
use konnect_replay_core::api::{ApiVersion, TimeRange};
use konnect_replay_core::konnect::{Endpoint, RemoteTarget, Request, Token};
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::json;

use crate::load::{Field, Konnect, REGION, job, portal_id};
use crate::stage::Stage;

/// A client that decides nothing.
pub struct Bare {
    http: HttpClient,
}

impl Bare {
    pub fn new() -> Self {
        Self { http: HttpClient::new(Duration::from_secs(30), None).unwrap() }
    }

    /// Creates an object and makes the calls; says when the object was there.
    pub async fn replay(&self, stage: &Stage, field: &Field, konnect: &Konnect, lane: usize) -> DateTime<Utc> {
        let object = job(&format!("bare-{lane}"), lane, 0);
        field.create(&object).await;
        let created = Utc::now();
        self.write(field, &object.name_any(), "Pending").await;
        let secrets: Api<Secret> = Api::namespaced(stage.client.clone(), &field.name);
        let secret = secrets.get(&format!("token-{lane}")).await.unwrap();
        let token = Token::parse(&secret.data.unwrap()["token"].0, &["kpat_".to_owned()]).unwrap();
        let target = RemoteTarget {
            base_url: konnect.emulator.base_url(REGION),
            region: REGION.to_owned(),
            portal_id: Some(portal_id(lane)),
            version: ApiVersion::V2,
        };
        for endpoint in [Endpoint::Webhook, Endpoint::WebhookStatus, Endpoint::ReplayJob] {
            self.http.send(&Request::get(&target, endpoint), &token).await.unwrap();
        }
        self.write(field, &object.name_any(), "Submitting").await;
        let window = &object.spec.window;
        let window = TimeRange { start_at: window.start_at.parse().unwrap(), end_at: window.end_at.parse().unwrap() };
        self.http.send(&Request::put_replay_job(&target, window), &token).await.unwrap();
        created
    }

    async fn write(&self, field: &Field, name: &str, reason: &str) {
        let condition = json!({ "type": "Ready", "status": "False", "reason": reason, "message": "",
                                "observedGeneration": 1, "lastTransitionTime": "2026-01-01T00:00:00Z" });
        let patch = Patch::Merge(json!({ "status": { "observedGeneration": 1, "conditions": [condition] } }));
        field.jobs.patch_status(name, &PatchParams::default(), &patch).await.unwrap();
    }
}
