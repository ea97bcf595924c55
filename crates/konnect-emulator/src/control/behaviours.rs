//! Open questions and behaviours over the control API: of all targets, or of one.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::parts::{Answer, At, Body};
use crate::behaviour::{Behaviour, Patch, Q3, Q4, Q5, Q6, Q7, Q8, Q9, Q10, Q11, Q12};
use crate::emulator::Handle;
use crate::settings::{Q1, Q2};

pub(super) async fn questions(State(handle): State<Handle>) -> Json<Value> {
    Json(handle.shared.read(|world| {
        let Behaviour { q3, q4, q5, q6, q7, q8, q9, q10, q11, q12, .. } = world.behaviour();
        json!({
            "q1": world.q1, "q2": world.q2, "q3": q3, "q4": q4, "q5": q5, "q6": q6, "q7": q7, "q8": q8, "q9": q9, "q10": q10,
            "q11": q11, "q12": q12,
        })
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct QuestionsBody {
    q1: Option<Q1>,
    q2: Option<Q2>,
    q3: Option<Q3>,
    q4: Option<Q4>,
    q5: Option<Q5>,
    q6: Option<Q6>,
    q7: Option<Q7>,
    q8: Option<Q8>,
    q9: Option<Q9>,
    q10: Option<Q10>,
    q11: Option<Q11>,
    q12: Option<Q12>,
}

impl QuestionsBody {
    fn change(&self, behaviour: &mut Behaviour) {
        behaviour.q3 = self.q3.unwrap_or(behaviour.q3);
        behaviour.q4 = self.q4.unwrap_or(behaviour.q4);
        behaviour.q5 = self.q5.unwrap_or(behaviour.q5);
        behaviour.q6 = self.q6.unwrap_or(behaviour.q6);
        behaviour.q7 = self.q7.unwrap_or(behaviour.q7);
        behaviour.q8 = self.q8.unwrap_or(behaviour.q8);
        behaviour.q9 = self.q9.unwrap_or(behaviour.q9);
        behaviour.q10 = self.q10.unwrap_or(behaviour.q10);
        behaviour.q11 = self.q11.unwrap_or(behaviour.q11);
        behaviour.q12 = self.q12.unwrap_or(behaviour.q12);
    }
}

pub(super) async fn set_questions(State(handle): State<Handle>, Body(body): Body<QuestionsBody>) -> Json<Value> {
    handle.update(|world| {
        world.q1 = body.q1.unwrap_or(world.q1);
        world.q2 = body.q2.unwrap_or(world.q2);
        world.change_behaviour(|behaviour| body.change(behaviour));
    });
    questions(State(handle)).await
}

pub(super) async fn common(State(handle): State<Handle>) -> Json<Value> {
    Json(handle.shared.read(|world| json!(world.behaviour())))
}

pub(super) async fn change_common(State(handle): State<Handle>, Body(patch): Body<Patch>) -> Json<Value> {
    handle.update(|world| world.change_behaviour(|behaviour| patch.apply(behaviour)));
    common(State(handle)).await
}

pub(super) async fn own(at: At) -> Answer {
    at.look(|target| json!(target.job.behaviour()))
}

pub(super) async fn change_own(at: At, Body(patch): Body<Patch>) -> Answer {
    let _ = at.change(|target| target.job.change_behaviour(|behaviour| patch.apply(behaviour)))?;
    own(at).await
}
