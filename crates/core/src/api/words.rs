//! The rules of a spec in the words of the API server: sentences and CEL.

pub(super) const REGION: &str = "region is the two lower-case letters of a Konnect region, such as eu; global serves no replay, so name the region itself";
pub(super) const PORTAL_ID: &str =
    "portalID is a UUID in lower case with dashes, such as 6b1e4f0c-2f0f-4c39-9f3c-1f7f5d6f9f10";
pub(super) const PORTAL_ID_REQUIRED: &str =
    "portalID is required with scope Portal: give the id of the Dev Portal, or set scope to Organization";
pub(super) const PORTAL_ID_FORBIDDEN: &str =
    "portalID is not allowed with scope Organization: remove it, or set scope to Portal";
pub(super) const ORDER: &str = "endAt is before startAt: exchange them or correct one";
pub(super) const LENGTH: &str = "the window is longer than 7 days (168h), which is all that Konnect keeps: make it shorter, or create several objects";
pub(super) const YEARS: &str = "the years of a window lie between 2020 and 2099: correct startAt or endAt";
pub(super) const SECRET_NAME: &str = "the name of a Secret has lower-case letters, digits, dashes and dots only: give the name of a Secret in this namespace";
pub(super) const SECRET_KEY: &str = "a key of a Secret has letters, digits, dashes, dots and underscores only";
pub(super) const TIME_TO_LIVE: &str = "ttlSecondsAfterFinished is at least 60, so that a client that waits for the end can see it: give 60 or more, or leave it out to keep the object";
/// What a time of `spec` must look like, in the words of the API server and of the plugin.
pub const TIME: &str =
    "a time is RFC 3339 with a T, seconds and its zone: write it as 2026-11-20T08:00:00Z or 2026-11-20T09:00:00+01:00";
/// A time of `spec`: RFC 3339 with upper-case letters and at most nine digits of a fraction. Only 29 February needs more than this.
const TIME_PATTERN: &str = "^[0-9]{4}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|[12][0-9]))T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$";

/// The CEL rule of a time of `spec`. The schema gives it no `format`: the API server would answer with that alone, and without an example.
pub(super) fn is_time() -> String {
    format!("self.matches('{TIME_PATTERN}') && timestamp(self).getFullYear() >= 0")
}

/// A CEL rule of a window. It says nothing of times that [`is_time`] refuses.
pub(super) fn of_times(rule: &str) -> String {
    format!("![self.startAt, self.endAt].all(time, time.matches('{TIME_PATTERN}')) || ({rule})")
}
