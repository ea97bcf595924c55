//! The JSON of a behaviour, and how it writes times.

use serde_json::json;

use super::*;

fn patch(json: Value) -> Result<Patch, serde_json::Error> {
    serde_json::from_value(json)
}

#[test]
fn every_field_has_a_short_json_form() {
    let full = json!({
        "q3": "handed_over", "q4": {"ingest_lag_ms": 60_000, "newest_end": "ingested"}, "q5": "only_put",
        "q6": "clears_window", "get_lag": [{"ms": 500}, {"changes": 1}], "stuck_in": ["running"],
        "updated_at": {"ahead_ms": 1000}, "times": {"fraction_digits": 3, "offset_minutes": -90, "unset": "misprinted"},
        "clock_offset_ms": -5000, "q7": "new", "q8": "other", "q9": "with_portals", "q10": "answers_trace",
        "q11": {"attempt_timeout_ms": 500, "honours_retry_after": true}, "q12": {"turns_off_after": 3},
        "delivery": {"content_encoding": "gzip", "json_types": "examples", "kong_initiated": "string", "lag_ms": 20, "waits_ms": [1, 2],
            "retries_certificates": true},
        "status_lag_ms": 100, "granularity": {"unit": "minute", "start": "floor", "end": "ceiling"},
        "put_answer": "empty", "put_status": "created", "put_while_off": "conflict", "unauthorized": "gateway"
    });
    let behaviour: Behaviour = serde_json::from_value(full.clone()).unwrap();
    assert_eq!(serde_json::to_value(&behaviour).unwrap(), full);
    assert_eq!(behaviour.get_lag, [Lag::Time(Duration::from_millis(500)), Lag::Changes(1)]);
    for (json, expected) in [
        (json!("missing"), UpdatedAt::Missing),
        (json!({"constant": "1970-01-01T00:00:00Z"}), UpdatedAt::Constant(DateTime::UNIX_EPOCH)),
    ] {
        assert_eq!(serde_json::from_value::<UpdatedAt>(json).unwrap(), expected);
    }
}

#[test]
fn a_patch_replaces_what_it_names_and_nothing_else() {
    let mut behaviour = Behaviour::default();
    patch(json!({"q5": "only_put"})).unwrap().apply(&mut behaviour);
    patch(json!({"stuck_in": ["pending"]})).unwrap().apply(&mut behaviour);
    assert_eq!(behaviour, Behaviour { q5: Q5::OnlyPut, stuck_in: vec![Status::Pending], ..Behaviour::default() });
    assert!(patch(json!({"q7": 1})).is_err());
    assert!(patch(json!({"q5": "never"})).is_err());
}

#[test]
fn times_are_written_in_any_legal_form() {
    let whole = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
    let fraction = DateTime::from_timestamp(1_800_000_000, 123_456_000).unwrap();
    for (digits, offset, time, expected) in [
        (None, None, whole, "2027-01-15T08:00:00Z"),
        (None, None, fraction, "2027-01-15T08:00:00.123456Z"),
        (Some(0), None, fraction, "2027-01-15T08:00:00Z"),
        (Some(1), None, fraction, "2027-01-15T08:00:00.1Z"),
        (Some(9), None, whole, "2027-01-15T08:00:00.000000000Z"),
        (Some(200), Some(0), whole, "2027-01-15T08:00:00.000000000+00:00"),
        (None, Some(120), whole, "2027-01-15T10:00:00+02:00"),
        (Some(3), Some(-210), fraction, "2027-01-15T04:30:00.123-03:30"),
    ] {
        let format = TimeFormat { fraction_digits: digits, offset_minutes: offset, unset: UnsetTime::Valid };
        let text = format.write(Some(time));
        assert_eq!(text, expected);
        assert!(DateTime::parse_from_rfc3339(&text).is_ok());
        assert_eq!(format.write(None), ZERO_TIME);
        assert_eq!(TimeFormat { unset: UnsetTime::Misprinted, ..format }.write(None), MISPRINTED_ZERO_TIME);
    }
}

#[test]
fn updated_at_can_be_bent() {
    let usual = DateTime::from_timestamp(1_800_000_000, 0);
    let shown = |updated_at: UpdatedAt, usual| updated_at.shown(usual, TimeFormat::default());
    let ahead = UpdatedAt::Ahead(Duration::from_mins(1));
    for (updated_at, expected) in [
        (UpdatedAt::Usual, Some("2027-01-15T08:00:00Z")),
        (UpdatedAt::Missing, None),
        (UpdatedAt::Constant(DateTime::UNIX_EPOCH), Some("1970-01-01T00:00:00Z")),
        (ahead, Some("2027-01-15T08:01:00Z")),
        (UpdatedAt::Backwards("2027-01-15T07:00:00Z".parse().unwrap()), Some("2027-01-15T06:00:00Z")),
    ] {
        assert_eq!(shown(updated_at, usual).as_deref(), expected);
    }
    assert_eq!(shown(ahead, None).as_deref(), Some(ZERO_TIME), "what was never set stays unset");
}
