//! The list of Dev Portals of a region, paged by number.

use serde_json::{Value, json};

use super::{Endpoint, Outcome};
use crate::model::{ApiVersion, Scope};
use crate::wire::Answer;
use crate::world::World;

/// Items of a page where the client does not say. Konnect's own numbers are not documented.
const PAGE_SIZE: usize = 10;

/// What the list can be filtered by. Kong has more fields.
const FILTERS: &[&str] = &[
    "filter[id]",
    "filter[id][eq]",
    "filter[id][neq]",
    "filter[id][oeq]",
    "filter[name]",
    "filter[name][eq]",
    "filter[name][neq]",
    "filter[name][oeq]",
    "filter[name][contains]",
    "filter[name][ocontains]",
];

/// When every portal was made: the emulator does not keep it.
const MADE_AT: &str = "2026-01-01T00:00:00Z";

impl Endpoint<'_> {
    pub(super) fn portals(&self, world: &World) -> Outcome {
        let query = self.query();
        query.allow(FILTERS)?;
        let size = query.count("page[size]")?.unwrap_or(PAGE_SIZE);
        let number = query.count("page[number]")?.unwrap_or(1);
        let is_meant = |id: &&str| query.passes("id", id) && query.passes("name", &name(id));
        let all: Vec<&str> = self.ids(world).filter(is_meant).collect();
        let page = all.iter().skip(size.saturating_mul(number - 1)).take(size);
        let data: Vec<Value> = page.map(|id| self.portal(id)).collect();
        let meta = json!({"page": {"number": number, "size": size, "total": all.len()}});
        Ok(Answer::json(200, &json!({"data": data, "meta": meta})))
    }

    /// The portals that this version of the API knows.
    fn ids<'w>(&'w self, world: &'w World) -> impl Iterator<Item = &'w str> {
        let here = world.targets().filter(|(key, _)| key.same_region(&self.key));
        here.filter_map(|(key, target)| match &key.scope {
            Scope::Portal(id) if target.only.is_none_or(|only| only == self.route.version) => Some(id.as_str()),
            Scope::Portal(_) | Scope::Organization => None,
        })
    }

    fn portal(&self, id: &str) -> Value {
        let domain = format!("{}.{}.kongportals.example", name(id), self.key.region);
        let mut portal = json!({
            "id": id,
            "name": name(id),
            "display_name": name(id),
            "description": null,
            "rbac_enabled": false,
            "auto_approve_applications": false,
            "auto_approve_developers": false,
            "default_application_auth_strategy_id": null,
            "default_domain": domain,
            "labels": {},
            "created_at": MADE_AT,
            "updated_at": MADE_AT,
        });
        let more = match self.route.version {
            ApiVersion::V2 => json!({
                "is_public": false,
                "custom_domain": null,
                "custom_client_domain": null,
                "application_count": 0,
                "developer_count": 0,
                "published_product_count": 0,
            }),
            ApiVersion::V3 => json!({
                "authentication_enabled": true,
                "sipr_enabled": false,
                "default_api_visibility": "private",
                "default_page_visibility": "private",
                "canonical_domain": domain,
            }),
        };
        if let (Value::Object(portal), Value::Object(more)) = (&mut portal, more) {
            portal.extend(more);
        }
        portal
    }
}

/// A name that follows from the id: the emulator does not keep one.
fn name(id: &str) -> String {
    format!("portal-{}", id.split('-').next().unwrap_or_default())
}
