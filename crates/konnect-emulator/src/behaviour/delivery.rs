//! How events reach a webhook, where Konnect's documents are silent or contradict each other.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::settings::millis;

/// Open question 7: the signature of a line that a replay sends again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Q7 {
    /// That of the first delivery: a receiver may tell duplicates by it.
    #[default]
    Identical,
    /// Another one, by the second of the published keys.
    New,
}

/// Open question 11: one delivery attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Q11 {
    /// No answer within this time counts as a connection error. Konnect's own limit is not documented.
    #[serde(rename = "attempt_timeout_ms", with = "millis")]
    pub attempt_timeout: Duration,
    /// Whether `Retry-After` of a 429, in seconds, takes the place of the usual wait.
    pub honours_retry_after: bool,
}

impl Default for Q11 {
    fn default() -> Self {
        Self { attempt_timeout: Duration::from_secs(10), honours_retry_after: false }
    }
}

/// Open question 12: what `inactive` means. The page says that the webhook is still enabled; the specification says that it
/// "has been turned off due to failed attempts".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Q12 {
    /// The last attempt failed. The next events are sent all the same.
    #[default]
    KeepsTrying,
    /// Nothing is sent after so many failed attempts in a row, until the webhook is configured again.
    TurnsOffAfter(u32),
}

/// How events reach the webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeliveryBehaviour {
    /// The header `Content-Encoding`. The body is gzip either way.
    pub content_encoding: ContentEncoding,
    /// How JSON and CPS lines write values.
    pub json_types: JsonTypes,
    /// How JSON and CPS lines write `kong_initiated`.
    pub kong_initiated: KongInitiated,
    /// Live events are sent so long after they were made. Replays are not held up.
    #[serde(rename = "lag_ms", with = "millis")]
    pub lag: Duration,
    /// Waits between the attempts of one batch, so one attempt more than waits.
    #[serde(rename = "waits_ms", serialize_with = "write_millis", deserialize_with = "read_millis")]
    pub waits: Vec<Duration>,
    /// Whether an attempt that failed by the receiver's certificate is made again.
    pub retries_certificates: bool,
}

impl Default for DeliveryBehaviour {
    /// Documented: 4 retries, the first after 1 s, none after more than 30 s. That is the default of a common Go library,
    /// whose waits double, and which does not retry after an error of the certificate.
    fn default() -> Self {
        Self {
            content_encoding: ContentEncoding::default(),
            json_types: JsonTypes::default(),
            kong_initiated: KongInitiated::default(),
            lag: Duration::ZERO,
            waits: [1, 2, 4, 8].map(Duration::from_secs).to_vec(),
            retries_certificates: false,
        }
    }
}

/// The header `Content-Encoding` of deliveries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum ContentEncoding {
    /// As Konnect's page says, though no such coding is registered.
    #[default]
    #[serde(rename = "application/gzip")]
    ApplicationGzip,
    /// As the listener of kongctl expects it.
    #[serde(rename = "gzip")]
    Gzip,
}

impl ContentEncoding {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::ApplicationGzip => "application/gzip",
            Self::Gzip => "gzip",
        }
    }
}

/// How JSON and CPS lines write values. Konnect's page has a table of types, and examples that differ from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JsonTypes {
    /// The table: `rt` is a number, `success` a boolean, `trace_id` a string.
    #[default]
    Table,
    /// The examples: `rt` and `success` are strings, `trace_id` is a number.
    Examples,
}

/// How JSON and CPS lines write `kong_initiated`. The page calls it a boolean among the attributes of every line, and leaves it
/// out of its list of types, where all that is not listed is a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KongInitiated {
    /// `true`
    #[default]
    Boolean,
    /// `"true"`
    String,
}

fn write_millis<S: Serializer>(times: &[Duration], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(times.iter().map(Duration::as_millis))
}

fn read_millis<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Duration>, D::Error> {
    Ok(Vec::<u64>::deserialize(deserializer)?.into_iter().map(Duration::from_millis).collect())
}
