//! The two formats in which the metrics are served, and which one a scraper wants.
//!
//! `OpenMetrics` is what is written ([`super::Metrics::encode`]). Many scrapers know only the older Prometheus text format, in which a
//! counter's type stands under its full name and there is no `# EOF`.

/// A format of `/metrics`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposition {
    /// `OpenMetrics` 1.0.
    OpenMetrics,
    /// Prometheus text format 0.0.4.
    Text,
}

impl Exposition {
    /// The format that the values of the header `Accept` ask for. `OpenMetrics` only if it is named, and not liked less than text:
    /// a scraper that takes anything gets text, which every scraper can read.
    pub fn accepted<'a>(values: impl IntoIterator<Item = &'a str>) -> Self {
        let ranges: Vec<Range> =
            values.into_iter().flat_map(|value| value.split(',')).filter_map(Range::parse).collect();
        let weight = |format: Self| {
            ranges
                .iter()
                .filter(|range| range.format() == Some(format))
                .map(|range| range.weight)
                .max()
                .unwrap_or_default()
        };
        let (open_metrics, text) = (weight(Self::OpenMetrics), weight(Self::Text));
        if open_metrics > 0 && open_metrics >= text { Self::OpenMetrics } else { Self::Text }
    }

    /// What stands in the header `Content-Type`.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
        }
    }

    /// A page of `OpenMetrics` in this format.
    pub fn of(self, open_metrics: &str) -> String {
        match self {
            Self::OpenMetrics => open_metrics.to_owned(),
            Self::Text => as_text(open_metrics),
        }
    }
}

/// One media range of `Accept`.
struct Range<'a> {
    media: &'a str,
    version: Option<&'a str>,
    /// `q`, in thousandths.
    weight: u32,
}

impl<'a> Range<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let media = parts.next().filter(|media| !media.is_empty())?;
        let mut range = Self { media, version: None, weight: 1000 };
        for (name, value) in parts.filter_map(|part| part.split_once('=')) {
            match name.trim() {
                "q" => range.weight = thousandths(value.trim()),
                "version" => range.version = Some(value.trim().trim_matches('"')),
                _ => {}
            }
        }
        Some(range)
    }

    /// The format that it names, if it names one of ours.
    fn format(&self) -> Option<Exposition> {
        match self.media.to_ascii_lowercase().as_str() {
            "application/openmetrics-text" if matches!(self.version, None | Some("1.0.0" | "0.0.1")) => {
                Some(Exposition::OpenMetrics)
            }
            "text/plain" if matches!(self.version, None | Some("0.0.4")) => Some(Exposition::Text),
            _ => None,
        }
    }
}

/// A weight such as `0.5`. An unreadable weight counts as none given.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // between 0 and 1000
fn thousandths(weight: &str) -> u32 {
    weight.parse::<f64>().map_or(1000, |weight| (weight.clamp(0.0, 1.0) * 1000.0) as u32)
}

/// The same in the Prometheus text format. There a counter has its type and help under the name of its series, which ends with
/// `_total`; units are not told.
fn as_text(open_metrics: &str) -> String {
    let is_counter = |name: &str| open_metrics.contains(&format!("# TYPE {name} counter\n"));
    let mut text = String::with_capacity(open_metrics.len());
    for line in open_metrics.lines() {
        let described = line.strip_prefix("# HELP ").or_else(|| line.strip_prefix("# TYPE "));
        match described.and_then(|rest| rest.split_once(' ')) {
            Some((name, rest)) if is_counter(name) => {
                let keyword: String = line.chars().take(7).collect();
                text.extend([&keyword, name, "_total ", rest, "\n"]);
            }
            None if line.starts_with("# UNIT ") || line == "# EOF" => {}
            Some(_) | None => text.extend([line, "\n"]),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_metrics_is_for_those_who_name_it_and_text_for_everybody_else() {
        let prometheus = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
                          application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;q=0.3,\
                          text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
        for (accept, expected) in [
            (&[prometheus][..], Exposition::OpenMetrics),
            (&["application/openmetrics-text"], Exposition::OpenMetrics),
            (&["text/html, application/openmetrics-text; version=\"1.0.0\""], Exposition::OpenMetrics),
            (&["text/plain;version=0.0.4", "application/openmetrics-text"], Exposition::OpenMetrics),
            (&["text/plain;version=0.0.4;q=0.9, application/openmetrics-text;q=0.1"], Exposition::Text),
            (&["application/openmetrics-text;q=0"], Exposition::Text),
            (&["application/openmetrics-text; version=2.0.0"], Exposition::Text),
            (&["application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily"], Exposition::Text),
            (&["*/*"], Exposition::Text),
            (&["", ",;=,"], Exposition::Text),
            (&[], Exposition::Text),
        ] {
            assert_eq!(Exposition::accepted(accept.iter().copied()), expected, "{accept:?}");
        }
    }

    #[test]
    fn as_text_a_counter_has_its_type_under_its_full_name() {
        let open_metrics = "# HELP jobs_finished Jobs.\n# TYPE jobs_finished counter\njobs_finished_total{a=\"b\"} 1\n\
                            # HELP wait_seconds How long.\n# TYPE wait_seconds histogram\n# UNIT wait_seconds seconds\n\
                            wait_seconds_sum 0.0\n# EOF\n";
        let text = "# HELP jobs_finished_total Jobs.\n# TYPE jobs_finished_total counter\njobs_finished_total{a=\"b\"} 1\n\
                    # HELP wait_seconds How long.\n# TYPE wait_seconds histogram\nwait_seconds_sum 0.0\n";
        assert_eq!(Exposition::Text.of(open_metrics), text);
    }
}
