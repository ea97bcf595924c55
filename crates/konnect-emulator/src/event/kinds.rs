//! The three kinds of events, with their documented outcomes and severities.
//!
//! Which one an event is follows from its serial number, so that a few events have every kind and every outcome.

use serde_json::{Map, Value, json};

use super::object;

/// Authentication outcomes and their severities. Good news between, so that most logins succeed.
const OUTCOMES: [(&str, u8); 12] = [
    ("SUCCESS", 0),
    ("SUCCESS", 0),
    ("INVALID_PASSWORD", 1),
    ("SUCCESS", 0),
    ("NOT_FOUND", 1),
    ("SUCCESS", 0),
    ("TOKEN_EXPIRED", 1),
    ("SUCCESS", 0),
    ("LOCKED", 6),
    ("DISABLED", 6),
    ("SUCCESS", 0),
    ("INVALID", 7),
];

/// Ways to log in to Konnect.
const KONNECT_LOGINS: [&str; 9] =
    ["BASIC", "PAT", "SPAT", "SSO", "GOOGLE", "GITHUB", "WINDOWSLIVE", "FEDERATED", "INVALID"];

/// Ways to log in to a Dev Portal.
const PORTAL_LOGINS: [&str; 2] = ["BASIC", "SSO"];

/// Methods and statuses of requests, and the severities of their events.
const REQUESTS: [(&str, u16, u8); 6] =
    [("POST", 201, 1), ("PUT", 200, 1), ("DELETE", 204, 1), ("PATCH", 403, 6), ("POST", 401, 6), ("PUT", 500, 10)];

/// What was checked, how, and whether it was granted.
const CHECKS: [(&str, &str, bool); 4] = [
    ("portals", "list", true),
    ("organization", "retrieve", true),
    ("control-planes/*", "edit", false),
    ("control-planes/1c026712-c17d-4e30-ac27-53a6cdc56b9c", "retrieve", true),
];

/// User agents. Some have spaces, and one is empty.
const USER_AGENTS: [&str; 4] = [
    "grpc-node-js/1.8.10",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/113.0.0.0 Safari/537.36",
    "",
    "grpc-node/1.24.11 grpc-c/8.0.0 (linux; chttp2; ganges)",
];

fn pick<T: Copy + Default, const N: usize>(of: [T; N], serial: usize) -> T {
    of.get(serial % N).copied().unwrap_or_default()
}

/// Fields of a login at a Dev Portal.
pub(super) fn portal_login(portal_id: &str, serial: usize) -> Map<String, Value> {
    let login =
        Login { product: "Dev-Portal", how: pick(PORTAL_LOGINS, serial), request: "/api/v2/developer/authenticate" };
    let mut fields = login.fields(serial);
    fields.insert("portal_id".to_owned(), portal_id.into());
    fields
}

/// Fields of an event of the organization's log: an access, an authentication, an authorization, and so on.
pub(super) fn of_organization(serial: usize) -> Map<String, Value> {
    let turn = serial / 3;
    match serial % 3 {
        0 => access(turn),
        1 => {
            let how = pick(KONNECT_LOGINS, turn);
            Login { product: "Konnect", how, request: "/api/v1/authenticate" }.fields(turn)
        }
        _ => authorization(turn),
    }
}

struct Login {
    product: &'static str,
    how: &'static str,
    request: &'static str,
}

impl Login {
    fn fields(&self, serial: usize) -> Map<String, Value> {
        let (outcome, severity) = pick(OUTCOMES, serial);
        object(json!({
            "event_class_id": format!("AUTHENTICATION_TYPE_{}", self.how),
            "event_product": self.product,
            "name": format!("AUTHENTICATION_OUTCOME_{outcome}"),
            "request": self.request,
            "severity": severity,
            "success": outcome == "SUCCESS",
            "user_agent": pick(USER_AGENTS, serial),
        }))
    }
}

fn access(serial: usize) -> Map<String, Value> {
    let (act, status, severity) = pick(REQUESTS, serial);
    let mut fields = object(json!({
        "act": act,
        "event_class_id": "KongGateway",
        "event_product": "Konnect",
        "name": "Ingress",
        "query": r#"{"end":"1684270800","start":"1684098000"}"#,
        "request": "/konnect-api/api/v2/control-planes",
        "severity": severity,
        "status": status,
        "user_agent": pick(USER_AGENTS, serial),
    }));
    fields.extend(initiated_by_kong(serial));
    fields
}

fn authorization(serial: usize) -> Map<String, Value> {
    let (resource, action, granted) = pick(CHECKS, serial);
    let mut fields = object(json!({
        "action": action,
        "actor_id": "",
        "event_class_id": "konnect",
        "event_product": "Konnect",
        "granted": granted,
        "name": format!("Authz.{resource}"),
        "severity": if granted { 1 } else { 6 },
        "user_agent": pick(USER_AGENTS, serial),
    }));
    fields.extend(initiated_by_kong(serial));
    fields
}

/// Left out, not false, for what a user did.
fn initiated_by_kong(serial: usize) -> Option<(String, Value)> {
    (serial % 4 == 3).then(|| ("kong_initiated".to_owned(), true.into()))
}

/// An authentication by a token, and the check that follows: what one call of the API leaves.
pub(super) fn of_call() -> [Map<String, Value>; 2] {
    let login = Login { product: "Konnect", how: "PAT", request: "/api/v1/personal-access-tokens/introspect" };
    [login.fields(0), authorization(1)]
}
