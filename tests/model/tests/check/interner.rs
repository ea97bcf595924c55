//! Every distinct process, once. The core is pure, so what becomes of a process after the same input is worked out once and
//! looked up from then on: states of the world outnumber those of a process by far.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, RwLock};

use super::konnect::Object;
use super::process::{Input, Process, Rules};
use super::time::Tick;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ProcessId(u32);

#[derive(Default)]
pub struct Processes {
    table: RwLock<Table>,
    after: RwLock<HashMap<(ProcessId, Object, Input, Tick), ProcessId>>,
}

#[derive(Default)]
struct Table {
    /// By all that prints in a fixed order. The scheduler's maps do not, so processes that agree in the rest are compared.
    ids: HashMap<u64, Vec<ProcessId>>,
    all: Vec<Arc<Process>>,
}

impl Table {
    fn find(&self, hash: u64, process: &Process) -> Option<ProcessId> {
        self.ids.get(&hash)?.iter().find(|id| *self.all[id.0 as usize] == *process).copied()
    }
}

impl Processes {
    pub fn get(&self, id: ProcessId) -> Arc<Process> {
        Arc::clone(&self.table.read().unwrap().all[id.0 as usize])
    }

    pub fn len(&self) -> usize {
        self.table.read().unwrap().all.len()
    }

    pub fn id(&self, process: Process) -> ProcessId {
        let mut hasher = DefaultHasher::new();
        format!("{:?} {:?}", process.name(), process.kept).hash(&mut hasher);
        let hash = hasher.finish();
        if let Some(id) = self.table.read().unwrap().find(hash, &process) {
            return id;
        }
        let mut table = self.table.write().unwrap();
        if let Some(id) = table.find(hash, &process) {
            return id;
        }
        let id = ProcessId(u32::try_from(table.all.len()).unwrap());
        table.all.push(Arc::new(process));
        table.ids.entry(hash).or_default().push(id);
        id
    }

    /// What becomes of a process after `input` for one of its objects.
    pub fn after(&self, id: ProcessId, object: Object, input: Input, now: Tick, rules: &Rules) -> ProcessId {
        let question = (id, object, input, now);
        if let Some(known) = self.after.read().unwrap().get(&question) {
            return *known;
        }
        let answer = self.id(self.get(id).after(object, input, now, rules));
        self.after.write().unwrap().insert(question, answer);
        answer
    }
}
