//! Lines in packets. Pure.

use super::lines::Line;
use crate::exporters::deltas::Delta;

/// Lines that are sent together, a line break between them.
#[derive(Debug, Default)]
pub(super) struct Packet {
    pub(super) text: String,
    /// The deltas of its lines.
    pub(super) deltas: Vec<Delta>,
}

/// Packets of fewer than `limit` bytes, and the lines that are too long for any.
pub(super) fn packets(lines: Vec<Line>, limit: usize) -> (Vec<Packet>, Vec<Line>) {
    let (fitting, too_long): (Vec<_>, _) =
        lines.into_iter().partition(|line| line.text.len() < limit);
    let mut packets = Vec::<Packet>::new();
    for line in fitting {
        match packets.last_mut() {
            Some(packet) if packet.text.len() + 1 + line.text.len() < limit => {
                packet.text.push('\n');
                packet.add(line);
            }
            _ => {
                let mut packet = Packet::default();
                packet.add(line);
                packets.push(packet);
            }
        }
    }
    (packets, too_long)
}

impl Packet {
    fn add(&mut self, line: Line) {
        self.text.push_str(&line.text);
        self.deltas.extend(line.delta);
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    #[test]
    fn packets_are_full_but_below_the_limit() {
        let lines = ["aaa", "bb", "c", "too long a line", "dd", "eee", "12345678"];
        let line = |text: &str| Line {
            text: text.to_owned(),
            delta: None,
        };
        let (packets, too_long) = packets(lines.map(line).into(), 9);
        let packets: Vec<_> = packets.iter().map(|packet| &*packet.text).collect();
        assert_eq!(packets, ["aaa\nbb\nc", "dd\neee", "12345678"]);
        assert_eq!(too_long.len(), 1);
    }
}
