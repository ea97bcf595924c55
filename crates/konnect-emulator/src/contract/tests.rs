//! Negative controls: what the document does not allow is found, each in its place, and what it allows is not.

use super::*;

const JOB: &str = "/eu/v2/audit-log-replay-job";
const PORTAL_JOB: &str = "/eu/v3/portals/6b1e4f0c-2f0f-4c39-9f3c-1f7f5d6f9f10/audit-log-replay-job";
const WINDOW: &str = r#"{"start_at":"2026-11-20T08:00:00Z","end_at":"2026-11-20T11:30:00Z"}"#;
const ACCEPTED: &str =
    r#"{"start_at":"2026-11-20T08:00:00Z","end_at":"2026-11-20T11:30:00+02:00","status":"accepted"}"#;
const BUSY: &str = r#"{"status":409,"title":"Resource Conflict","instance":"konnect:trace:1","detail":"A replay job is currently running"}"#;

struct Case<'a> {
    method: Method,
    uri: &'a str,
    sent_as: Option<&'a str>,
    sent: &'a str,
    status: u16,
    answered_as: &'a str,
    answered: &'a str,
}

impl Case<'_> {
    fn parts(&self) -> Vec<Part> {
        let uri = self.uri.parse().unwrap();
        let (sent_as, sent, answered_as) = (self.sent_as, self.sent.as_bytes(), self.answered_as);
        let (method, status, answered) = (&self.method, self.status, self.answered);
        let exchange = Exchange { method, uri: &uri, sent_as, sent, status, answered_as, answered };
        let mut parts: Vec<Part> = check(1, &exchange).into_iter().map(|violation| violation.part).collect();
        parts.dedup();
        parts
    }
}

fn put<'a>() -> Case<'a> {
    Case {
        method: Method::PUT,
        uri: JOB,
        sent_as: Some("application/json"),
        sent: WINDOW,
        status: 202,
        answered_as: "application/json",
        answered: ACCEPTED,
    }
}

fn get<'a>(uri: &'a str, answered: &'a str) -> Case<'a> {
    Case { method: Method::GET, uri, sent_as: None, sent: "", status: 200, answered, ..put() }
}

#[test]
fn the_document_can_be_read() {
    assert_eq!(CONTRACT.as_ref().err(), None);
}

#[test]
fn what_the_document_allows_is_no_violation() {
    let problem = "application/problem+json";
    for case in [
        put(),
        Case { uri: PORTAL_JOB, ..put() },
        Case { sent_as: Some("Application/JSON; charset=utf-8"), ..put() },
        Case { status: 201, ..put() },
        Case {
            status: 409,
            answered_as: problem,
            answered: BUSY,
            ..Case {
                method: Method::DELETE,
                ..get("/eu/v3/portals/6b1e4f0c-2f0f-4c39-9f3c-1f7f5d6f9f10/audit-log-webhook", "")
            }
        },
        Case { status: 409, answered_as: problem, answered: BUSY, ..put() },
        get(JOB, "{}"),
        get(JOB, r#"{"start_at":"0001-01-01T00:00:00Z","end_at":"0001-01-01T00:00:0Z","status":"unconfigured"}"#),
        get(
            "/eu/v3/audit-logs?filter%5Bts%5D%5Bgte%5D=2026-11-20T08:00:00Z&page%5Bsize%5D=1000&page%5Bafter%5D=",
            r#"{"data":[],"meta":{"page":{"next":null,"previous":null,"size":1000}}}"#,
        ),
        get("/v2/audit-log-webhook/jwks.json", r#"{"keys":[]}"#),
        Case { status: 204, answered_as: "", ..Case { method: Method::DELETE, ..get("/eu/v3/audit-log-webhook", "") } },
        Case { status: 404, ..get("/eu/v4/nowhere", r#"{"message":"no Route matched with those values"}"#) },
        Case {
            status: 404,
            ..get("/global/v2/audit-log-replay-job", r#"{"message":"no Route matched with those values"}"#)
        },
        get("/global/v2/audit-log-destinations", r#"{"data":[],"meta":{"next":null,"previous":null,"size":1}}"#),
        Case { status: 429, ..get(JOB, r#"{"message":"API rate limit exceeded"}"#) },
    ] {
        assert_eq!(case.parts(), [], "{} {} {}", case.method, case.uri, case.answered);
    }
}

#[test]
fn a_wrong_answer_is_found() {
    for (what, case) in [
        ("an undeclared status", Case { status: 203, ..put() }),
        ("an undeclared content type", Case { answered_as: "text/html", ..put() }),
        ("no JSON", Case { answered: "<html>", ..put() }),
        ("a word that is none", get(JOB, r#"{"status":"paused"}"#)),
        ("a time that is none", get(JOB, r#"{"updated_at":"yesterday"}"#)),
        ("a time without a zone", get(JOB, r#"{"updated_at":"2026-11-20T08:00:00"}"#)),
        ("another type", get(JOB, r#"{"start_at":1}"#)),
        ("a property that is none", get(JOB, r#"{"id":"1"}"#)),
        ("a missing property", get("/eu/v3/audit-log-webhook", r#"{"enabled":true}"#)),
        ("an id that is none", get("/eu/v3/audit-log-webhook", r#"{"enabled":true,"audit_log_destination_id":"d1"}"#)),
        ("a body where none is", Case { method: Method::DELETE, status: 204, ..get("/eu/v3/audit-log-webhook", "{}") }),
        (
            "a page inside a list of destinations",
            get(
                "/eu/v3/audit-log-destinations",
                r#"{"data":[],"meta":{"page":{"next":null,"previous":null,"size":1}}}"#,
            ),
        ),
        (
            "an item of no kind",
            get(
                "/eu/v3/audit-logs",
                r#"{"data":[{"type":"access"}],"meta":{"page":{"next":null,"previous":null,"size":1}}}"#,
            ),
        ),
        ("200 on an unknown path", get("/eu/v4/nowhere", "{}")),
        ("200 for an unknown method", Case { method: Method::DELETE, ..get(JOB, "{}") }),
        (
            "PUT of a webhook",
            Case {
                uri: "/eu/v3/audit-log-webhook",
                sent: "{}",
                status: 200,
                answered: r#"{"enabled":true,"audit_log_destination_id":"6b1e4f0c-2f0f-4c39-9f3c-1f7f5d6f9f10"}"#,
                ..put()
            },
        ),
        (
            "a problem without its trace id",
            Case {
                status: 403,
                answered_as: "application/problem+json",
                answered: r#"{"status":403,"title":"Forbidden","detail":"no"}"#,
                ..put()
            },
        ),
        (
            "a rule that is none",
            Case {
                status: 400,
                answered_as: "application/problem+json",
                answered: r#"{"status":400,"title":"Bad Request","instance":"konnect:trace:1","detail":"no",
                "invalid_parameters":[{"field":"start_at","reason":"no","rule":"range"}]}"#,
                ..put()
            },
        ),
    ] {
        assert_eq!(case.parts(), [Part::Answer], "{what}");
    }
}

#[test]
fn a_wrong_request_is_found_and_told_from_one_that_was_taken() {
    let (status, answered_as) = (400, "application/problem+json");
    let answered = r#"{"status":400,"title":"Bad Request","instance":"konnect:trace:1","detail":"no",
        "invalid_parameters":[{"field":"body","reason":"no","rule":"invalid"}]}"#;
    for (what, sent) in [
        ("a missing field", r#"{"start_at":"2026-11-20T08:00:00Z"}"#),
        ("a field too many", r#"{"start_at":"2026-11-20T08:00:00Z","end_at":"2026-11-20T08:00:00Z","id":1}"#),
        ("a time that is none", r#"{"start_at":"2026-11-20 08:00","end_at":"2026-11-20T08:00:00Z"}"#),
        ("null", r#"{"start_at":null,"end_at":"2026-11-20T08:00:00Z"}"#),
        ("no object", "[]"),
        ("nothing", ""),
    ] {
        assert_eq!(Case { sent, status, answered_as, answered, ..put() }.parts(), [Part::Request], "{what}");
        assert_eq!(Case { sent, ..put() }.parts(), [Part::Accepted, Part::Request], "{what}");
    }
    for (what, case) in [
        ("an undeclared content type", Case { sent_as: Some("text/plain"), ..put() }),
        ("no content type", Case { sent_as: None, ..put() }),
        ("a portal that is no UUID", get("/eu/v2/portals/p1/audit-log-replay-job", "{}")),
        ("an undeclared parameter", get("/eu/v2/audit-log-replay-job?verbose=1", "{}")),
        (
            "a page too large",
            get(
                "/eu/v3/audit-logs?page[size]=1001",
                r#"{"data":[],"meta":{"page":{"next":null,"previous":null,"size":1}}}"#,
            ),
        ),
        (
            "a number that is none",
            get("/eu/v3/portals?page[number]=one", r#"{"data":[],"meta":{"page":{"number":1,"size":1,"total":1}}}"#),
        ),
    ] {
        assert_eq!(case.parts(), [Part::Request], "{what}");
    }
    assert_eq!(Case { sent: "{}", ..get(JOB, "{}") }.parts(), [Part::Accepted, Part::Request], "a GET has no body");
}
