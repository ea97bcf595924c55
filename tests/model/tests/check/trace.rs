//! A path through the model as a story: what happened, line by line.

use stateright::Path;

use super::actions::Action;
use super::cluster::NAMES;
use super::konnect::{Object, Window, Word};
use super::layout::{Slot, Trouble};
use super::model::Model;
use super::process::WaitsFor;
use super::world::World;

/// A name for each process.
const PROCESSES: [&str; 2] = ["P1", "P2"];

/// One line for each thing that happened, with the time.
pub fn told(model: &Model, path: Path<World, Action>) -> String {
    let steps = path.into_vec().into_iter().filter_map(|(world, action)| Some((world, action?)));
    steps.filter_map(|(world, action)| line(model, &world, action)).collect::<Vec<_>>().join("\n")
}

/// One of these lines; that time passes is seen from the next.
pub fn line(model: &Model, world: &World, action: Action) -> Option<String> {
    let seconds = u32::from(world.now) * 10;
    (action != Action::Tick).then(|| format!("{seconds:>4} s  {}", what_happens(model, world, action)))
}

fn what_happens(model: &Model, world: &World, action: Action) -> String {
    let pass = |by: usize, of: Object| format!("{}, {}:", PROCESSES[by], NAMES[of]);
    match action {
        Action::Tick => "time passes".to_owned(),
        Action::Begin { by, of, fresh } => {
            let cache = if fresh { "the newest version" } else { "what the watch has shown" };
            format!("{} a pass begins on {cache}", pass(by, of))
        }
        Action::Read { by, of, stale } => {
            if let Some(status) = world.trouble_of(of, model).and_then(Trouble::get) {
                return format!("{} reads, and is answered {status}", pass(by, of));
            }
            let place = &world.konnect[model.rules.layout.slot(of)];
            let shown = place.visible(world.now).find(|(_, is_stale)| *is_stale == stale);
            let shown = shown.map(|(job, _)| format!("{}, {}", named(job.window), word(job.word))).unwrap_or_default();
            format!("{} reads {shown}{}", pass(by, of), if stale { " (the GET lags)" } else { "" })
        }
        Action::ReadWebhook { by, of } => format!("{} reads the webhook: {:?}", pass(by, of), world.receiver),
        Action::Write { by, of } => format!("{} writes {}", pass(by, of), what_is_written(model, world, by, of)),
        Action::WriteUnanswered { by, of, stored } => {
            let stored = if stored { "stored" } else { "not stored" };
            format!("{} writes {}; no answer, {stored}", pass(by, of), what_is_written(model, world, by, of))
        }
        Action::WriteLate { by, of } => {
            format!("{} writes {}; no answer yet", pass(by, of), what_is_written(model, world, by, of))
        }
        Action::LateWriteArrives => "the late write arrives".to_owned(),
        Action::GoOn { by, of } => format!("{} goes on", pass(by, of)),
        Action::Arrives(index) => format!("{} arrives at Konnect", request(world, index)),
        Action::Lost(index) => format!("{} is lost", request(world, index)),
        Action::Answered(index) => format!("{} is answered", request(world, index)),
        Action::AnswerLost(index) => format!("the answer to {} is lost", request(world, index)),
        Action::GivesUp(index) => format!("{} is waited for no longer", request(world, index)),
        Action::Crash(by) => format!("{} crashes", PROCESSES[by]),
        Action::Stops(by) => format!("{} is stopped", PROCESSES[by]),
        Action::Resumes(by) => format!("{} wakes up", PROCESSES[by]),
        Action::TakesOver => "P2 takes over".to_owned(),
        Action::Becomes(slot, next) => format!("Konnect, {}: {}", target(slot), word(next)),
        Action::Promoted(slot) => format!("Konnect, {}: the queued run comes next", target(slot)),
        Action::Outsider(window) => format!("an outsider asks for {window}"),
        Action::ElsewhereBegins => "a run of another portal begins".to_owned(),
        Action::ElsewhereEnds => "the run of the other portal ends".to_owned(),
        Action::Deleted(of) => format!("a user deletes {}", NAMES[of]),
        Action::SeesDeletion { by, of } => format!("{} the watch shows that it is gone", pass(by, of)),
        Action::Breaks => format!("out of order from now on: {:?}", model.rules.layout.trouble),
        Action::Mended => "everything is in order again".to_owned(),
        Action::ReceiverMended => "the receiver takes events from now on".to_owned(),
        Action::ReceiverMoves => "the webhook names another destination".to_owned(),
    }
}

fn target(slot: Slot) -> String {
    format!("target {}", slot + 1)
}

fn named(window: Option<Window>) -> String {
    window.map_or_else(|| "no window".to_owned(), |window| window.to_string())
}

fn word(word: Word) -> &'static str {
    match word {
        Word::Accepted => "accepted",
        Word::Running => "running",
        Word::Completed => "completed",
        Word::Failed => "failed",
    }
}

fn request(world: &World, index: usize) -> String {
    let request = &world.wire[index];
    format!("the PUT of {} for {} ({})", PROCESSES[request.from], NAMES[request.object], request.window)
}

fn what_is_written(model: &Model, world: &World, by: usize, of: Object) -> String {
    let process = model.processes.get(world.processes[by].process);
    let Some(WaitsFor::Write { on, status, intent }) = process.kept[of].pass.as_ref().map(|pass| pass.waits_for) else {
        return String::new();
    };
    let lost = if on.number == world.objects[of].number { "" } else { ", on a version that is no longer the newest" };
    if intent {
        return format!("its intent{lost}");
    }
    let status = model.rules.statuses.get(status);
    let ready = status.conditions.iter().find(|c| c.type_.as_str() == "Ready").map(|c| c.reason.as_str());
    format!("the status {}{lost}", ready.unwrap_or_default())
}
