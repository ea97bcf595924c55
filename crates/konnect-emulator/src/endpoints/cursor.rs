//! Pages by cursor: so many items after, or before, an item that the client has seen.
//!
//! A cursor names an item, not a place, so that new items move nothing.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::Query;
use super::fields::{Invalid, invalid};
use super::query::in_query;
use crate::wire::Rule;

const AFTER: &str = "page[after]";
const BEFORE: &str = "page[before]";

/// One page, and the URI paths of its neighbours.
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    pub(super) meta: Value,
}

/// Cuts a page out of all items. `key` tells them apart; `path` is what the links begin with.
pub(super) fn page<T>(
    query: &Query,
    path: &str,
    (items, size): (Vec<T>, usize),
    key: impl Fn(&T) -> String,
) -> Result<Page<T>, Invalid> {
    let keys: Vec<String> = items.iter().map(&key).collect();
    let place = |name: &'static str| -> Result<Option<usize>, Invalid> {
        let Some(cursor) = query.text(name) else { return Ok(None) };
        let found = decode(cursor).and_then(|wanted| keys.iter().position(|key| *key == wanted));
        found.map(Some).ok_or_else(|| in_query(invalid(name, Rule::Invalid, "is not a cursor of this list")))
    };
    let (after, before) = (place(AFTER)?, place(BEFORE)?);
    let begin = match (after, before) {
        (Some(after), _) => after + 1,
        (None, Some(before)) => before.saturating_sub(size),
        (None, None) => 0,
    };
    let end = (begin + size).min(before.unwrap_or(keys.len())).max(begin);
    let link = |name: &str, place: usize| {
        let cursor = keys.get(place).map(|key| URL_SAFE_NO_PAD.encode(key));
        cursor.map(|cursor| format!("{path}?{}", query.with(&[AFTER, BEFORE], name, &cursor)))
    };
    let next = (end < keys.len() && end > 0).then(|| link(AFTER, end - 1)).flatten();
    let previous = (begin > 0).then(|| link(BEFORE, begin)).flatten();
    let meta = json!({"next": next, "previous": previous, "size": size});
    Ok(Page { items: items.into_iter().skip(begin).take(end - begin).collect(), meta })
}

fn decode(cursor: &str) -> Option<String> {
    String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(query: &str) -> (Vec<u32>, Value) {
        let uri = format!("/things?{query}").parse().unwrap();
        let page = page(&Query::read(&uri), "/things", ((1..=5).collect(), 2), u32::to_string);
        let page = page.unwrap_or_else(|invalid| panic!("{invalid:?}"));
        (page.items, page.meta)
    }

    fn follow(link: &Value) -> (Vec<u32>, Value) {
        let link = link.as_str().unwrap();
        assert!(link.starts_with("/things?a=b&page%5B"), "what else was asked stays: {link}");
        cut(link.split_once('?').unwrap().1)
    }

    #[test]
    fn pages_are_followed_to_the_end_and_back() {
        let (items, first) = cut("a=b");
        assert_eq!((items, &first["previous"], &first["size"]), (vec![1, 2], &Value::Null, &json!(2)));
        let (items, second) = follow(&first["next"]);
        assert_eq!(items, [3, 4]);
        let (items, third) = follow(&second["next"]);
        assert_eq!((items, &third["next"]), (vec![5], &Value::Null));
        assert_eq!(follow(&second["previous"]).0, [1, 2]);
        assert_eq!(cut("page%5Bafter%5D=").0, [1, 2], "an empty parameter is none");
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        for query in ["page[after]=!", "page[before]=OTk"] {
            let uri = format!("/things?{query}").parse().unwrap();
            assert!(page(&Query::read(&uri), "/things", (vec![1], 2), u32::to_string).is_err(), "{query}");
        }
    }
}
