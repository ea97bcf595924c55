//! The answer to a watch, event by event.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::body::{Body, BodyDataStream, Bytes};
use futures::StreamExt;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::answer::status;
use super::serve::Cut;
use super::{Call, Event, EventFault, FaultId, Shared};

/// What becomes of a watch that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// It breaks.
    Cut,
    /// An ERROR event with 410, and the end.
    Expire,
    /// Nothing any more, and no end.
    Silence,
}

type Outgoing = UnboundedSender<Result<Bytes, Cut>>;

/// The body of the answer, with rules and commands obeyed as long as it is read.
pub(super) fn of_events(shared: Arc<Shared>, watch: Call, upstream: Body) -> Body {
    let (outgoing, mut events) = unbounded_channel();
    let (commands, orders) = unbounded_channel();
    let id = shared.update(|state| state.open_stream(watch.clone(), commands));
    tokio::spawn(async move {
        let lines = Lines { upstream: upstream.into_data_stream(), buffer: Vec::new() };
        let pipe = Pipe { shared: &shared, watch, outgoing, held: VecDeque::new(), aside: Vec::new() };
        pipe.run(lines, orders).await;
        shared.update(|state| state.close_stream(id));
    });
    Body::from_stream(futures::stream::poll_fn(move |context| events.poll_recv(context)))
}

/// One event a line.
struct Lines {
    upstream: BodyDataStream,
    buffer: Vec<u8>,
}

impl Lines {
    /// The next line with its end; `None` when there is none any more, in order or not.
    async fn next(&mut self) -> Option<Result<Bytes, Cut>> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let rest = self.buffer.split_off(end + 1);
                return Some(Ok(std::mem::replace(&mut self.buffer, rest).into()));
            }
            // Dropped between two chunks, nothing is lost: what was read is in the buffer.
            match self.upstream.next().await? {
                Ok(chunk) => self.buffer.extend_from_slice(&chunk),
                Err(_) => return Some(Err(Cut)),
            }
        }
    }
}

struct Pipe<'a> {
    shared: &'a Shared,
    watch: Call,
    outgoing: Outgoing,
    /// In order behind the first, which waits for the end of a rule.
    held: VecDeque<(Option<FaultId>, Bytes)>,
    /// Each waits for the end of a rule, and delays nobody.
    aside: Vec<(FaultId, Bytes)>,
}

impl Pipe<'_> {
    async fn run(mut self, mut lines: Lines, mut orders: UnboundedReceiver<Command>) {
        let mut changes = self.shared.changes.subscribe();
        let mut ended = false;
        loop {
            changes.mark_unchanged();
            let frozen = self.shared.read(|state| state.frozen);
            if !frozen {
                self.deliver_released();
                if ended && self.held.is_empty() && self.aside.is_empty() {
                    return;
                }
            }
            tokio::select! {
                () = self.outgoing.closed() => return,
                Some(order) = orders.recv() => return self.obey(order, lines).await,
                _ = changes.changed() => {}
                line = lines.next(), if !frozen && !ended => match line {
                    Some(Ok(line)) => self.offer(line),
                    Some(Err(cut)) => return self.send(Err(cut)),
                    None => ended = true,
                },
            }
        }
    }

    async fn obey(self, order: Command, lines: Lines) {
        drop(lines);
        match order {
            Command::Cut => self.send(Err(Cut)),
            Command::Expire => {
                let event = serde_json::json!({ "type": "ERROR", "object": status(410) });
                self.send(Ok(format!("{event}\n").into()));
            }
            Command::Silence => self.outgoing.closed().await,
        }
    }

    /// Does to an event what the rules say; what is not an event passes.
    fn offer(&mut self, line: Bytes) {
        let event: Option<Event> = serde_json::from_slice(&line).ok();
        let hit = event.and_then(|event| self.shared.update(|state| state.hit_by_event(&self.watch, &event)));
        match hit {
            None => self.queue(None, line),
            Some((id, EventFault::Hold)) => self.queue(Some(id), line),
            Some((id, EventFault::Late)) => self.aside.push((id, line)),
            Some((_, EventFault::Drop)) => {}
            Some((_, EventFault::Duplicate)) => {
                self.queue(None, line.clone());
                self.queue(None, line);
            }
        }
    }

    fn queue(&mut self, waits_for: Option<FaultId>, line: Bytes) {
        if waits_for.is_none() && self.held.is_empty() {
            self.send(Ok(line));
        } else {
            self.held.push_back((waits_for, line));
        }
    }

    fn deliver_released(&mut self) {
        let is_over = |id: FaultId| self.shared.read(|state| state.verdict(id).is_some());
        while let Some((_, line)) = self.held.pop_front_if(|(waits_for, _)| waits_for.is_none_or(is_over)) {
            self.send(Ok(line));
        }
        let (over, aside) = std::mem::take(&mut self.aside).into_iter().partition(|(id, _)| is_over(*id));
        self.aside = aside;
        for (_, line) in <Vec<_> as IntoIterator>::into_iter(over) {
            self.send(Ok(line));
        }
    }

    /// A client that has left is noticed by the loop.
    fn send(&self, line: Result<Bytes, Cut>) {
        let _ = self.outgoing.send(line);
    }
}
