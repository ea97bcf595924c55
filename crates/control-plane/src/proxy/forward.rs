//! One request: which rule hits it, and what becomes of it.

use std::sync::Arc;

use axum::body::{Body, Bytes, to_bytes};
use http::header::{ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::{Request, Response, StatusCode};

use super::answer::{json_answer, refusal};
use super::rules::Verdict;
use super::serve::Cut;
use super::{Call, Fault, FaultId, Point, Shared, Verb, stream};

pub(super) async fn answer(shared: &Arc<Shared>, request: Request<Bytes>) -> Result<Response<Body>, Cut> {
    let call = Call::new(request.method(), request.uri(), request.body());
    let hit = shared.update(|state| state.hit_by(&call));
    shared.thawed().await;
    let answer = match hit {
        None => pass(shared, call, request).await,
        Some((id, fault)) => under(shared, id, fault, call, request).await,
    };
    shared.thawed().await;
    answer
}

async fn under(
    shared: &Arc<Shared>,
    id: FaultId,
    fault: Fault,
    call: Call,
    request: Request<Bytes>,
) -> Result<Response<Body>, Cut> {
    match fault {
        Fault::Answer(code) => Ok(refusal(code, None)),
        Fault::AnswerRetryAfter(code, seconds) => Ok(refusal(code, Some(seconds))),
        Fault::Delay(by) => {
            tokio::time::sleep(by).await;
            pass(shared, call, request).await
        }
        Fault::Hold(Point::Before) => {
            released(shared, id).await?;
            pass(shared, call, request).await
        }
        Fault::Hold(Point::After) => {
            let answer = whole(pass(shared, call, request).await?).await?;
            released(shared, id).await?;
            Ok(answer)
        }
        Fault::Cut(Point::Before) => Err(Cut),
        Fault::Cut(Point::After) => {
            whole(pass(shared, call, request).await?).await?;
            Err(Cut)
        }
        Fault::Stale(snapshot) => match snapshot.answer(&call) {
            Some(body) => Ok(json_answer(StatusCode::OK, body)),
            None => pass(shared, call, request).await,
        },
    }
}

async fn released(shared: &Shared, id: FaultId) -> Result<(), Cut> {
    match shared.until(|state| state.verdict(id)).await {
        Verdict::GoOn => Ok(()),
        Verdict::Cut => Err(Cut),
    }
}

/// The effect is certain when the answer is there.
async fn whole(answer: Response<Body>) -> Result<Response<Body>, Cut> {
    let (parts, body) = answer.into_parts();
    let body = to_bytes(body, usize::MAX).await.map_err(|_| Cut)?;
    Ok(Response::from_parts(parts, Body::from(body)))
}

/// As if the proxy were not there. A server that cannot be reached looks like a connection that breaks.
async fn pass(shared: &Arc<Shared>, call: Call, request: Request<Bytes>) -> Result<Response<Body>, Cut> {
    let (parts, body) = request.into_parts();
    let mut onward = Request::builder().method(parts.method).uri(parts.uri);
    if let Some(headers) = onward.headers_mut() {
        *headers = parts.headers;
        // The connection's own; and what is compressed cannot be read event by event.
        for header in [HOST, CONNECTION, TRANSFER_ENCODING, CONTENT_LENGTH, ACCEPT_ENCODING] {
            headers.remove(header);
        }
    }
    let onward = onward.body(kube::client::Body::from(body)).map_err(|_| Cut)?;
    let answer = shared.upstream.send(onward).await.map_err(|error| {
        tracing::debug!(%error, "the API server did not answer");
        Cut
    })?;
    let (mut parts, body) = answer.into_parts();
    for header in [CONNECTION, TRANSFER_ENCODING] {
        parts.headers.remove(header);
    }
    let body = Body::new(body);
    let body = if call.verb == Verb::Watch && parts.status == StatusCode::OK {
        stream::of_events(Arc::clone(shared), call, body)
    } else {
        body
    };
    Ok(Response::from_parts(parts, body))
}
