//! docs/operations.md has an answer to whatever the operator may say.

use konnect_replay_core::api::Reason;
use konnect_replay_core::replay::events::EventReason;
use serde_json::Value;

const OPERATIONS: &str = include_str!("../../docs/operations.md");

/// Where alerts find this page from wherever they are read.
const RUNBOOKS: &str = "https://github.com/konnect-replay/konnect-replay/blob/main/docs/operations.md";

/// The part under a heading of the second level.
fn part(heading: &str) -> &'static str {
    let (_, rest) = OPERATIONS.split_once(&format!("\n## {heading}\n")).unwrap();
    rest.split("\n## ").next().unwrap()
}

/// The words in the first cells of the rows of its table.
fn first_cells(part: &str) -> Vec<&str> {
    let rows = part.lines().filter(|line| line.starts_with("| `"));
    rows.flat_map(|row| row.split('|').nth(1).unwrap().split(',')).map(|word| word.trim().trim_matches('`')).collect()
}

fn sorted(mut words: Vec<&str>) -> Vec<&str> {
    words.sort_unstable();
    words
}

#[test]
fn every_reason_is_answered_once_and_nothing_else_is() {
    let reasons = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
    assert_eq!(sorted(first_cells(part("Reasons"))), sorted(reasons));
}

#[test]
fn every_event_is_answered_once_and_nothing_else_is() {
    let events = EventReason::ALL.iter().map(|reason| reason.as_str()).collect();
    assert_eq!(sorted(first_cells(part("Events"))), sorted(events));
}

#[test]
fn every_alert_has_a_chapter_that_its_annotation_leads_to() {
    let rules: Value = serde_saphyr::from_str(include_str!("../../deploy/monitoring/prometheus-rules.yaml")).unwrap();
    let rules = rules["groups"].as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap().iter());
    let rules: Vec<(&str, &str)> = rules
        .map(|rule| (rule["alert"].as_str().unwrap(), rule["annotations"]["runbook_url"].as_str().unwrap()))
        .collect();
    let chapters: Vec<&str> = part("Alerts").lines().filter_map(|line| line.strip_prefix("### ")).collect();
    assert_eq!(rules.iter().map(|(alert, _)| *alert).collect::<Vec<_>>(), chapters);
    for (alert, runbook) in rules {
        assert_eq!(runbook, format!("{RUNBOOKS}#{}", alert.to_lowercase()));
    }
}

/// That these are all is shown where each is caused: `cli`, `shutdown`, `replicas`.
#[test]
fn every_exit_code_is_answered() {
    assert_eq!(first_cells(part("Exit codes")), ["0", "1", "2"]);
}

#[test]
fn every_link_within_leads_somewhere() {
    let anchors: Vec<String> = OPERATIONS
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-"))
        .collect();
    for link in OPERATIONS.split("](#").skip(1).map(|rest| rest.split(')').next().unwrap()) {
        assert!(anchors.iter().any(|anchor| anchor == link), "#{link} leads nowhere");
    }
}

/// What pages said that does not work, or works only until the next upgrade.
const BAD_ADVICE: [(&str, &str); 7] = [
    ("logs deploy/konnect-replay", "reads one replica, perhaps the one that stands by"),
    ("--restore-status", "is no flag of Velero"),
    ("scale deployment", "may be a conflict at the next upgrade by server-side apply"),
    ("kubectl apply -f crds", "may be a conflict at the next upgrade by server-side apply"),
    ("`trace_id` and `rt`", "is no key: one request makes several events with one trace id"),
    ("au.svc.konghq.com/api", "has no DNS entry"),
    (
        "--target=konnect-replay -- kill",
        "is refused under Pod Security restricted, and runs as root where runAsNonRoot is set",
    ),
];

#[test]
fn no_page_advises_what_does_not_work() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = [
        "",
        "docs",
        "docs/decisions",
        "deploy/policies",
        "deploy/helm/konnect-replay",
        "deploy/helm/konnect-replay/templates",
    ];
    let files = folders.iter().flat_map(|folder| std::fs::read_dir(root.join(folder)).unwrap());
    let pages = files
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "md" || end == "txt"));
    let pages: Vec<_> = pages.collect();
    assert!(pages.len() > 40, "{} pages", pages.len());
    for page in pages {
        let text = std::fs::read_to_string(&page).unwrap();
        for (advice, why) in BAD_ADVICE {
            assert!(!text.contains(advice), "{}: {advice:?} {why}", page.display());
        }
    }
}
