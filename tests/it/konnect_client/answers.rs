//! Every answer that Konnect, its gateway or a box in between may give, read from the wire.

use konnect_replay_core::konnect::{
    ApiError, CallError, Certainty, Endpoint, RemoteJob, RemoteStatus, Request, Webhook, WebhookStatus, read_webhook,
    read_webhook_status,
};

use super::call::{ACCEPTED, answer, at, client, get, json, now, portal, put, send};
use super::raw_server::RawServer;

const PROBLEM: &str = "content-type: application/problem+json\r\n";

/// The error of a PUT that is answered so, after one request.
async fn refused(answer: String) -> CallError {
    let server = RawServer::answering(answer).await;
    let error = put(&client(), &server.url("")).await.unwrap_err();
    assert_eq!(server.requests().len(), 1);
    error
}

/// As [`refused`], where the answer is a refusal by status.
async fn refusal(answer: String) -> ApiError {
    match refused(answer).await {
        CallError::Api(error) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn every_2xx_with_a_job_is_the_job_and_konnects_time() {
    for status in [200, 201, 202, 203, 299] {
        let date = "date: Sat, 21 Nov 2026 11:59:58 GMT\r\n";
        let server = RawServer::answering(answer(status, date, ACCEPTED)).await;
        let reading = put(&client(), &server.url("")).await.unwrap();
        let expected = RemoteJob {
            status: RemoteStatus::Accepted,
            start_at: Some(at("2026-11-20T08:00:00Z")),
            end_at: Some(at("2026-11-20T11:30:00Z")),
            updated_at: Some(at("2026-11-21T12:00:00Z")),
        };
        assert_eq!((reading.value, reading.date), (expected, Some(at("2026-11-21T11:59:58Z"))), "{status}");
    }
}

#[tokio::test]
async fn a_job_that_was_never_set_up_has_no_times_and_is_free() {
    let zero = "0001-01-01T00:00:0Z";
    let body = format!(r#"{{"start_at":"{zero}","end_at":"{zero}","status":"unconfigured","updated_at":"{zero}"}}"#);
    let server = RawServer::answering(json(200, &body)).await;
    let job = get(&client(), &server.url("")).await.unwrap().value;
    let expected = RemoteJob { status: RemoteStatus::Unconfigured, start_at: None, end_at: None, updated_at: None };
    assert_eq!(job, expected);
    assert!(!job.status.is_busy());
}

#[tokio::test]
async fn every_status_word_is_read_and_a_new_one_is_kept_and_busy() {
    for (word, busy) in [
        ("unconfigured", false),
        ("accepted", true),
        ("pending", true),
        ("running", true),
        ("completed", false),
        ("failed", false),
        ("paused", true),
    ] {
        let server = RawServer::answering(json(200, &format!(r#"{{"status":"{word}"}}"#))).await;
        let status = get(&client(), &server.url("")).await.unwrap().value.status;
        assert_eq!((status.as_str(), status.is_busy()), (word, busy));
    }
}

#[tokio::test]
async fn a_status_word_of_any_form_fits_the_objects_status() {
    for word in ["x".repeat(9000), "\u{130}".repeat(64), "a\\u0000\\u001b[31m\\nb".to_owned()] {
        let server = RawServer::answering(json(200, &format!(r#"{{"status":"{word}"}}"#))).await;
        let status = get(&client(), &server.url("")).await.unwrap().value.status;
        assert!(status.is_busy());
        assert!(status.as_str().chars().count() <= 64, "{status}");
        assert!(!status.as_str().chars().any(char::is_control), "{status:?}");
    }
}

#[tokio::test]
async fn a_success_that_is_no_job_leaves_the_outcome_of_a_put_open() {
    let html = answer(200, "content-type: text/html\r\n", "<html><h1>Please log in</h1></html>");
    let no_content = "HTTP/1.1 204 No Content\r\n\r\n".to_owned();
    let cut = json(202, r#"{"status":"accep"#);
    let garbage = json(200, "\u{0}\u{1}\u{2}garbage");
    for (text, status) in [
        (html, 200),
        (no_content, 204),
        (cut, 202),
        (garbage, 200),
        (json(200, ""), 200),
        (json(200, "null"), 200),
        (json(202, "[]"), 202),
        (json(202, "\"accepted\""), 202),
        (json(202, &format!("[{ACCEPTED}]")), 202),
        (json(202, &format!("{ACCEPTED}{ACCEPTED}")), 202),
    ] {
        let error = refused(text.clone()).await;
        assert!(matches!(&error, CallError::Unreadable { status: s, .. } if *s == status), "{text}: {error:?}");
        assert_eq!(error.certainty(), Certainty::Unknown, "{text}");
    }
}

#[tokio::test]
async fn a_bad_request_says_what_was_wrong_and_keeps_the_trace_id_out_of_the_message() {
    let body = r#"{"status":400,"title":"Invalid","type":"https://httpstatuses.com/400","instance":"kong:trace:42",
        "detail":"Invalid Parameters","invalid_parameters":[
            {"field":"start_at","rule":"min","reason":"must be within the last 7 days","source":"body"}]}"#;
    let error = refused(answer(400, PROBLEM, body)).await;
    assert_eq!(error.to_string(), "Konnect answered 400: Invalid Parameters; start_at: must be within the last 7 days");
    assert_eq!(error.trace_id(), Some("kong:trace:42"));
    assert_eq!((error.certainty(), error.is_permanent()), (Certainty::NotTaken, true));
}

#[tokio::test]
async fn each_form_of_an_error_body_gives_its_text_and_none_is_required() {
    for (headers, body, message) in [
        (
            PROBLEM,
            r#"{"status":403,"title":"Forbidden","detail":"No permission","instance":"x"}"#,
            Some("No permission"),
        ),
        (PROBLEM, r#"{"status":403,"title":"Forbidden"}"#, Some("Forbidden")),
        (PROBLEM, r#"{"detail":"","title":"Forbidden"}"#, Some("Forbidden")),
        (PROBLEM, r#"{"detail":["a"],"title":{"b":1},"instance":7}"#, None),
        (PROBLEM, "{}", None),
        ("content-type: application/json\r\n", r#"{"message":"Quota Exceeded"}"#, Some("Quota Exceeded")),
        ("content-type: text/html\r\n", "<html>Forbidden</html>", None),
        ("", "", None),
        ("", "not json", None),
        ("", "[1,2]", None),
        ("", r#"{"message":"cut"#, None),
    ] {
        let error = refusal(answer(403, headers, body)).await;
        assert_eq!((error.status, error.message.as_deref()), (403, message), "{body}");
    }
}

#[tokio::test]
async fn each_status_says_whether_a_put_may_have_been_taken() {
    for (status, certainty) in [
        (304, Certainty::Unknown),
        (400, Certainty::NotTaken),
        (401, Certainty::NotTaken),
        (403, Certainty::NotTaken),
        (404, Certainty::NotTaken),
        (405, Certainty::Unknown),
        (408, Certainty::Unknown),
        (409, Certainty::NotTaken),
        (413, Certainty::NotTaken),
        (418, Certainty::Unknown),
        (421, Certainty::Unknown),
        (425, Certainty::Unknown),
        (429, Certainty::NotTaken),
        (500, Certainty::Unknown),
        (502, Certainty::Unknown),
        (503, Certainty::Unknown),
        (504, Certainty::Unknown),
        (599, Certainty::Unknown),
        (999, Certainty::Unknown),
    ] {
        for body in ["", r#"{"message":"no"}"#, ACCEPTED] {
            if status == 304 && !body.is_empty() {
                continue; // a 304 has no body
            }
            let error = refused(json(status, body)).await;
            assert_eq!((error.status(), error.certainty()), (Some(status), certainty), "{status} {body}");
            assert_eq!(error.is_permanent(), status == 400, "{status}");
        }
    }
}

#[tokio::test]
async fn interim_answers_are_passed_over_and_an_upgrade_is_no_success() {
    let interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n";
    let server = RawServer::answering(format!("{interim}{}", json(202, ACCEPTED))).await;
    assert_eq!(put(&client(), &server.url("")).await.unwrap().value.status, RemoteStatus::Accepted);
    let switch = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
    assert_eq!(refused(switch.to_owned()).await.certainty(), Certainty::Unknown);
}

#[tokio::test]
async fn the_webhook_and_its_status_are_read_leniently() {
    let client = client();
    for (body, expected) in [
        (r#"{"enabled":true,"audit_log_destination_id":"d","extra":{}}"#, (Some(true), Some("d"), None)),
        (
            r#"{"endpoint":"https://siem","enabled":false,"log_format":"cef","skip_ssl_verification":true}"#,
            (Some(false), None, Some("https://siem")),
        ),
        ("{}", (None, None, None)),
        (r#"{"enabled":"yes","audit_log_destination_id":4,"endpoint":null}"#, (None, None, None)),
    ] {
        let server = RawServer::answering(json(200, body)).await;
        let request = Request::get(&portal(server.url("")), Endpoint::Webhook);
        let Webhook { enabled, audit_log_destination_id, endpoint } =
            read_webhook(&send(&client, &request).await.unwrap(), now()).unwrap().value;
        assert_eq!((enabled, audit_log_destination_id.as_deref(), endpoint.as_deref()), expected, "{body}");
    }
    let body = r#"{"webhook_enabled":true,"webhook_status":"inactive","last_attempt_at":"2026-11-21T11:00:00Z",
        "last_response_code":503,"last_response_message":"no"}"#;
    let server = RawServer::answering(json(200, body)).await;
    let request = Request::get(&portal(server.url("")), Endpoint::WebhookStatus);
    let status = read_webhook_status(&send(&client, &request).await.unwrap(), now()).unwrap().value;
    let expected = WebhookStatus {
        webhook_enabled: Some(true),
        webhook_status: Some("inactive".into()),
        last_attempt_at: Some(at("2026-11-21T11:00:00Z")),
        last_response_code: Some(503),
    };
    assert_eq!(status, expected);
}

#[tokio::test]
async fn a_missing_webhook_is_a_typed_404() {
    let server = RawServer::answering(answer(404, PROBLEM, r#"{"status":404,"title":"Not Found"}"#)).await;
    let request = Request::get(&portal(server.url("")), Endpoint::Webhook);
    let error = read_webhook(&send(&client(), &request).await.unwrap(), now()).unwrap_err();
    assert_eq!((error.status(), error.to_string()), (Some(404), "Konnect answered 404: Not Found".to_owned()));
}
