//! Content negotiation: the format of the figures, and gzip. Pure.

/// A format of the figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Prometheus text 0.0.4.
    Text,
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// Protobuf with native histograms.
    #[cfg(feature = "prometheus-protobuf")]
    Protobuf,
}

impl Format {
    /// The format that the header `Accept` prefers; text, which everything reads, if it names none that is known.
    pub(super) fn accepted(accept: &str) -> Self {
        let known = ranges(accept).filter_map(|(range, quality)| Some((Self::of(range)?, quality)));
        let mut best = (Self::Text, 0);
        for (format, quality) in known {
            if quality > best.1 {
                best = (format, quality);
            }
        }
        best.0
    }

    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            #[cfg(feature = "prometheus-protobuf")]
            Self::Protobuf => {
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
            }
        }
    }

    fn of(range: &str) -> Option<Self> {
        let mut parts = range.split(';').map(str::trim);
        let media_type = parts.next().unwrap_or_default().to_ascii_lowercase();
        let parameters = parts.filter_map(|parameter| parameter.split_once('='));
        let parameter = |name: &str| {
            let mut of_name = parameters
                .clone()
                .filter(|(key, _)| key.trim().eq_ignore_ascii_case(name));
            of_name
                .next()
                .map(|(_, value)| value.trim().trim_matches('"').to_owned())
        };
        let is_or_unsaid =
            |said: Option<String>, known: &str| said.is_none_or(|said| said == known);
        match &*media_type {
            "*/*" | "text/*" => Some(Self::Text),
            "text/plain" => is_or_unsaid(parameter("version"), "0.0.4").then_some(Self::Text),
            "application/openmetrics-text" => {
                is_or_unsaid(parameter("version"), "1.0.0").then_some(Self::OpenMetrics)
            }
            #[cfg(feature = "prometheus-protobuf")]
            "application/vnd.google.protobuf" => {
                let is_known = parameter("proto")
                    .is_some_and(|proto| proto == "io.prometheus.client.MetricFamily")
                    && is_or_unsaid(parameter("encoding"), "delimited");
                is_known.then_some(Self::Protobuf)
            }
            _ => None,
        }
    }
}

/// Whether the header `Accept-Encoding` has gzip.
pub(super) fn accepts_gzip(accept_encoding: &str) -> bool {
    let named = |name: &str| {
        let mut of_name = ranges(accept_encoding).filter(|(range, _)| {
            let coding = range.split(';').next().unwrap_or_default().trim();
            coding.eq_ignore_ascii_case(name)
        });
        of_name.next().map(|(_, quality)| quality > 0)
    };
    named("gzip").or_else(|| named("*")).unwrap_or(false)
}

/// The parts of such a header, with their quality in thousandths. One that is none counts as 1.
fn ranges(header: &str) -> impl Iterator<Item = (&str, u32)> {
    header.split(',').map(|range| {
        let parameters = range.split(';').skip(1);
        let mut qualities = parameters.filter_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            name.trim()
                .eq_ignore_ascii_case("q")
                .then_some(value.trim())
        });
        let quality = qualities
            .next()
            .and_then(|quality| quality.parse::<f64>().ok());
        let quality = quality.filter(|quality| (0.0..=1.0).contains(quality));
        (range.trim(), (quality.unwrap_or(1.0) * 1000.0) as u32)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "prometheus-protobuf")]
    const PROTOBUF: Format = Format::Protobuf;
    #[cfg(not(feature = "prometheus-protobuf"))]
    const PROTOBUF: Format = Format::OpenMetrics;

    #[test]
    fn the_preferred_known_format_is_served() {
        use Format::{OpenMetrics, Text};
        for (accept, format) in [
            ("", Text),
            ("*/*", Text),
            ("text/*;q=0.5", Text),
            ("text/plain", Text),
            ("text/html,application/json", Text),
            ("text/plain;version=0.0.5", Text),
            ("application/openmetrics-text", OpenMetrics),
            (
                "APPLICATION/OpenMetrics-Text; VERSION=\"1.0.0\"",
                OpenMetrics,
            ),
            (
                "application/openmetrics-text;version=0.0.1,text/plain",
                Text,
            ),
            ("application/openmetrics-text;q=0", Text),
            ("application/openmetrics-text;q=0.5,text/plain;q=0.75", Text),
            (
                "application/openmetrics-text;q=two,text/plain;q=0.75",
                OpenMetrics,
            ),
            (
                "text/plain;q=0.2 , application/openmetrics-text; version=1.0.0 ;q=0.3",
                OpenMetrics,
            ),
            // Prometheus 2.42, without and with native histograms, and 3.
            (
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                OpenMetrics,
            ),
            (
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,application/openmetrics-text;version=1.0.0;q=0.8,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                PROTOBUF,
            ),
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                OpenMetrics,
            ),
            (
                "application/vnd.google.protobuf;proto=other;encoding=delimited",
                Text,
            ),
            ("application/vnd.google.protobuf", Text),
        ] {
            assert_eq!(Format::accepted(accept), format, "{accept}");
        }
    }

    #[test]
    fn gzip_is_for_those_who_accept_it() {
        for (accept, accepts) in [
            ("", false),
            ("gzip", true),
            ("deflate, GZIP;q=0.5", true),
            ("gzip;q=0", false),
            ("gzip;q=0, *", false),
            ("*", true),
            ("*;q=0", false),
            ("br, identity", false),
        ] {
            assert_eq!(accepts_gzip(accept), accepts, "{accept}");
        }
    }
}
