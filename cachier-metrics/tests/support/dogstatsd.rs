//! A strict parser of the published grammar of DogStatsD, in place of a daemon, as there is none to be had:
//! `name:value|type|@rate|#tag:value,…`.

use std::collections::BTreeMap;
use std::io;

/// A line, of which no part breaks a rule.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) name: String,
    pub(super) value: f64,
    pub(super) kind: String,
    pub(super) rate: f64,
    pub(super) tags: BTreeMap<String, String>,
}

impl Line {
    #[track_caller]
    fn parse(line: &str) -> Self {
        let (name, rest) = line.split_once(':').unwrap();
        let is_of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
        assert!(
            name.starts_with(|c: char| c.is_ascii_alphabetic()),
            "{line}"
        );
        assert!(name.chars().all(is_of_name) && name.len() <= 200, "{line}");
        let mut parts = rest.split('|');
        let (value, kind) = (parts.next().unwrap(), parts.next().unwrap());
        assert!(["c", "g", "d", "ms"].contains(&kind), "{line}");
        let is_number = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        assert!(is_number(value), "{line}");
        let (mut rate, mut tags) = (1.0, None);
        for part in parts {
            match part.split_at(1) {
                ("@", text) if tags.is_none() && is_number(text) => rate = text.parse().unwrap(),
                ("#", text) if tags.is_none() => tags = Some(parse_tags(text)),
                _ => panic!("{line}"),
            }
        }
        assert!(rate > 0.0 && rate <= 1.0, "{line}");
        assert!(rate == 1.0 || kind != "g", "a gauge has no rate: {line}");
        Self {
            name: name.to_owned(),
            value: value.parse().unwrap(),
            kind: kind.to_owned(),
            rate,
            tags: tags.unwrap_or_default(),
        }
    }

    /// How many values it stands for.
    pub(super) fn count(&self) -> u64 {
        (1.0 / self.rate) as u64
    }
}

fn parse_tags(text: &str) -> BTreeMap<String, String> {
    let mut tags = BTreeMap::new();
    for tag in text.split(',') {
        assert!(!tag.ends_with(':') && tag.len() <= 200, "{text}");
        assert!(!tag.contains(['|', '#', '\n']), "{text}");
        let (key, value) = tag.split_once(':').unwrap_or((tag, ""));
        assert!(key.starts_with(char::is_alphabetic), "{text}");
        assert!(
            tags.insert(key.to_owned(), value.to_owned()).is_none(),
            "{text}"
        );
    }
    tags
}

/// The lines of all packets that have arrived, each packet below the limit.
pub(super) fn received(
    receive: impl Fn(&mut [u8]) -> io::Result<usize>,
    limit: usize,
) -> (Vec<Line>, usize) {
    let (mut lines, mut buffer, mut packets) = (Vec::new(), vec![0; 65_536], 0);
    while let Ok(length) = receive(&mut buffer) {
        assert!(length < limit, "{length} bytes");
        let packet = std::str::from_utf8(&buffer[..length]).unwrap();
        lines.extend(packet.split('\n').map(Line::parse));
        packets += 1;
    }
    (lines, packets)
}
