//! What the watch has shown of the other objects of a namespace. No call is made for it, and it may lag behind: what it does not
//! show yet, Konnect's own job does.

use kube::ResourceExt;

use super::context::Context;
use crate::runtime::watch::Stores;
use konnect_replay_core::api::{AuditLogReplayJob, TimeRange};
use konnect_replay_core::replay::{Course, Policy, Sibling};

/// The objects of the job's namespace whose records show all of its window replayed, itself left out.
pub(super) fn siblings(ctx: &Context, course: &Course) -> Vec<Sibling> {
    let Ok(validated) = course.validated() else { return Vec::new() };
    covering(&ctx.watches.stores, (course.job(), validated.window), ctx.policy())
}

/// Looks at every object that is known, once for each job whose turn has come: some microseconds for each hundred of them.
fn covering(
    stores: &Stores<AuditLogReplayJob>,
    (job, window): (&AuditLogReplayJob, TimeRange),
    policy: &Policy,
) -> Vec<Sibling> {
    let mut found = Vec::new();
    stores.visit(&mut |other| {
        let other = other.filter(|other| other.namespace() == job.namespace() && other.uid() != job.uid());
        found.extend(other.and_then(|other| Sibling::covering(window, other, policy)));
    });
    found
}

#[cfg(test)]
mod tests {
    use kube::Resource;
    use kube::runtime::{reflector, watcher};
    use serde_json::json;

    use super::*;
    use crate::config::Config;
    use crate::runtime::objects::Guarded;

    fn object(name: &str, region: &str, (start, end): (&str, &str), code: u16) -> Guarded<AuditLogReplayJob> {
        let condition = json!({ "type": "Complete", "status": "True", "reason": "Completed", "message": "",
                                "observedGeneration": 1, "lastTransitionTime": "2026-11-20T10:00:00Z" });
        serde_json::from_value(json!({
            "apiVersion": "konnect-replay.dev/v1alpha1", "kind": "AuditLogReplayJob",
            "metadata": { "name": name, "namespace": "audit", "uid": name },
            "spec": {
                "target": { "region": region, "scope": "Organization" },
                "window": { "startAt": start, "endAt": end },
                "tokenSecretRef": { "name": "token" },
            },
            "status": {
                "observedGeneration": 1, "conditions": if code == 0 { vec![] } else { vec![condition] },
                "startTime": "2026-11-20T09:59:00Z",
                "konnect": { "status": "completed", "startAt": start, "endAt": end, "observedTime": "2026-11-20T10:00:00Z" },
                "webhook": { "lastAttemptTime": "2026-11-20T09:59:30Z", "lastResponseCode": code },
            },
        }))
        .unwrap()
    }

    const WINDOW: (&str, &str) = ("2026-11-20T08:00:00Z", "2026-11-20T09:00:00Z");

    #[test]
    fn objects_that_replayed_all_of_the_window_are_found_and_no_others() {
        let (start, end) = WINDOW;
        let (stores, policy) = (Stores::default(), Config::of_flags(&[]).unwrap().policy);
        let (store, mut writer) = reflector::store();
        stores.add(store);
        for (name, region, window, code) in [
            ("same", "eu", WINDOW, 200),
            ("longer", "eu", ("2026-11-20T07:00:00Z", "2026-11-20T21:00:00Z"), 200),
            ("a-second-late", "eu", ("2026-11-20T08:00:01Z", end), 200),
            ("a-second-short", "eu", (start, "2026-11-20T08:59:59Z"), 200),
            ("disjoint", "eu", ("2026-11-20T09:00:10Z", "2026-11-20T09:00:30Z"), 200),
            ("refused-by-the-receiver", "eu", WINDOW, 403),
            ("not-complete", "eu", WINDOW, 0),
            ("asking", "eu", WINDOW, 200),
        ] {
            writer.apply_watcher_event(&watcher::Event::Apply(object(name, region, window, code)));
        }
        let mut elsewhere = object("in-another-namespace", "eu", WINDOW, 200);
        elsewhere.meta_mut().namespace = Some("elsewhere".to_owned());
        writer.apply_watcher_event(&watcher::Event::Apply(elsewhere));

        let asking = object("asking", "eu", WINDOW, 0);
        let window = TimeRange { start_at: start.parse().unwrap(), end_at: end.parse().unwrap() };
        let found = covering(&stores, (asking.object().unwrap(), window), &policy);
        let mut names: Vec<String> = found.iter().map(|sibling| sibling.name().to_owned()).collect();
        names.sort();
        assert_eq!(names, ["longer", "refused-by-the-receiver", "same"]);
    }
}
