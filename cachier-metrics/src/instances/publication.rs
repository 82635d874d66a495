//! The figures of one process at one moment, sealed for a file or a store.

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::process;
use std::time::{Duration, Instant};

use super::figures::InstanceFigures;
use crate::bits::{Reader, Writer};

/// Identifies a process among all machines and restarts: random, and new in a forked child.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceId(pub u128);

impl InstanceId {
    /// An id that no other process has, not even a fork with the same memory.
    #[must_use]
    pub fn random() -> Self {
        let randomness = RandomState::new();
        let half = |number: u8| randomness.hash_one((number, process::id(), Instant::now()));
        Self(u128::from(half(1)) << 64 | u128::from(half(2)))
    }
}

impl InstanceId {
    /// Parses the output of `Display`.
    #[must_use]
    pub fn parse(digits: &str) -> Option<Self> {
        let is_hex = digits.len() == 32 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        let parsed = is_hex.then(|| u128::from_str_radix(digits, 16));
        parsed?.ok().map(Self)
    }
}

/// 32 hexadecimal digits.
impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// Which figures these are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The instance that counted.
    pub instance: InstanceId,
    /// Rises when the instance restarts its counts.
    pub epoch: u32,
    /// Rises with each publication of an instance.
    pub sequence: u64,
    /// When the epoch began, in nanoseconds since 1970 by the instance's clock: for people, not to judge an age.
    pub started: u64,
    /// How long the epoch has lasted.
    pub uptime: Duration,
    /// The time between two publications.
    pub interval: Duration,
}

/// Figures of an instance: all of them, or the changes since a full publication.
#[derive(Clone, Debug, PartialEq)]
pub struct Publication {
    /// Which figures these are.
    pub header: Header,
    content: Content,
}

#[derive(Clone, Debug, PartialEq)]
enum Content {
    Full(Box<[u8]>),
    /// The sequence number of the full publication that it changes, and for how long the epoch had lasted then.
    Change(u64, Duration, Box<[u8]>),
}

/// Why bytes cannot be read as figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// They have changed since they were written.
    Damaged,
    /// They were never figures.
    Foreign,
    /// A newer version of cachier has written them.
    Newer,
}

/// For users, about a file.
impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Damaged => "its figures are damaged",
            Self::Foreign => "it is no file of figures of cachier",
            Self::Newer => "its figures are of a newer version of cachier, which can read them",
        })
    }
}

/// What figures in files and stores begin with, and the format that this version writes. One that it does not know is to be a
/// newer one, so this rises with each change that older versions would misread.
pub(super) const MAGIC: [u8; 4] = [0xCA, b'c', b'h', b'm'];
const FORMAT: u8 = 1;
const CHECKSUM_BYTES: usize = 8;

impl Publication {
    /// All figures, as bytes.
    #[must_use]
    pub fn full(header: &Header, figures: &InstanceFigures) -> Vec<u8> {
        let mut writer = Writer::default();
        header.write(&mut writer);
        writer.number(0_u64);
        writer.align();
        figures.write(&mut writer);
        seal(&writer.finish())
    }

    /// The changes since an `earlier` full publication, as bytes. `None` if the functions differ, so a full publication is
    /// needed.
    #[must_use]
    pub fn change(
        header: &Header,
        figures: &InstanceFigures,
        earlier: (&Header, &InstanceFigures),
    ) -> Option<Vec<u8>> {
        let (earlier_header, earlier) = earlier;
        let mut writer = Writer::default();
        header.write(&mut writer);
        writer.number(earlier_header.sequence + 1);
        writer.number(earlier_header.uptime.as_nanos());
        writer.align();
        figures.write_change(earlier, &mut writer)?;
        Some(seal(&writer.finish()))
    }

    /// Reads the bytes of either.
    ///
    /// # Errors
    /// When they are damaged, or of a newer version.
    pub fn read(bytes: &[u8]) -> Result<Self, Unreadable> {
        Self::read_body(unseal(bytes)?).ok_or(Unreadable::Damaged)
    }

    /// Seals arbitrary bytes like a publication, for tests of reading.
    #[must_use]
    pub fn sealed(body: &[u8]) -> Vec<u8> {
        seal(body)
    }

    fn read_body(body: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(body);
        let header = Header::read(&mut reader)?;
        let content = match reader.option()? {
            None => Content::Full(reader.rest().into()),
            Some(since) => {
                let uptime = Duration::from_nanos(reader.int()?);
                Content::Change(since.try_into().ok()?, uptime, reader.rest().into())
            }
        };
        Some(Self { header, content })
    }

    /// The sequence number of the full publication that this one changes; `None` if it is full itself.
    #[must_use]
    pub fn since(&self) -> Option<u64> {
        match self.content {
            Content::Full(_) => None,
            Content::Change(since, ..) => Some(since),
        }
    }

    /// The figures of this full publication, with what has changed since.
    ///
    /// # Errors
    /// When either is not what it should be.
    pub fn figures(&self, change: Option<&Self>) -> Result<InstanceFigures, Unreadable> {
        self.try_figures(change).ok_or(Unreadable::Damaged)
    }

    fn try_figures(&self, change: Option<&Self>) -> Option<InstanceFigures> {
        let Content::Full(body) = &self.content else {
            return None;
        };
        let mut figures = InstanceFigures::read(&mut Reader::new(body))?;
        if let Some(change) = change {
            let Content::Change(_, uptime, body) = &change.content else {
                return None;
            };
            let passed = change.header.uptime.saturating_sub(*uptime);
            figures.apply_change(passed, &mut Reader::new(body))?;
        }
        Some(figures)
    }
}

impl Header {
    fn write(&self, to: &mut Writer) {
        to.number(self.instance.0);
        to.number(self.epoch);
        to.number(self.sequence);
        to.number(self.started);
        to.number(self.uptime.as_nanos());
        to.number(self.interval.as_nanos());
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            instance: InstanceId(from.number()?),
            epoch: from.int()?,
            sequence: from.int()?,
            started: from.int()?,
            uptime: Duration::from_nanos(from.int()?),
            interval: Duration::from_nanos(from.int()?),
        })
    }
}

/// The bytes behind a head that tells their format and a checksum over them.
pub(super) fn seal(body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(MAGIC.len() + 1 + CHECKSUM_BYTES + body.len());
    bytes.extend_from_slice(&MAGIC);
    bytes.push(FORMAT);
    bytes.extend_from_slice(&checksum(body).to_le_bytes());
    bytes.extend_from_slice(body);
    bytes
}

pub(super) fn unseal(bytes: &[u8]) -> Result<&[u8], Unreadable> {
    let Some(body) = bytes.strip_prefix(&MAGIC) else {
        // A truncated file may hold only a part of it.
        return Err(match MAGIC.starts_with(bytes) {
            true => Unreadable::Damaged,
            false => Unreadable::Foreign,
        });
    };
    match body.split_first() {
        Some((1..=FORMAT, rest)) => verified(rest).ok_or(Unreadable::Damaged),
        Some((0, _)) | None => Err(Unreadable::Damaged),
        Some(_) => Err(Unreadable::Newer),
    }
}

fn verified(bytes: &[u8]) -> Option<&[u8]> {
    let (sum, body) = bytes.split_first_chunk::<CHECKSUM_BYTES>()?;
    (checksum(body) == u64::from_le_bytes(*sum)).then_some(body)
}

/// FNV-1a: detects damage, not forgery.
fn checksum(bytes: &[u8]) -> u64 {
    const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    let add = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(PRIME);
    bytes.iter().fold(BASIS, add)
}
