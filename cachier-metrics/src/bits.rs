//! Numbers in as few bits as they need, and texts and bytes between them: in windows, files and stores. Pure.
//!
//! Before its digits a number has how many there are, in Elias' gamma code: 1 bit for 0, 3 for 1, 4 for 2 and 3, 7 for 4 to 7.

use crate::histogram::{Bucket, Histogram};

/// Writes numbers, the highest bit first.
#[derive(Default)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
    /// How many bits of the last byte are free.
    free: u32,
    texts: Texts,
}

/// Reads them again. What is not there, or is none, is `None`: the bytes may be anything.
#[derive(Clone)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    /// How many bits have been read.
    at: usize,
    texts: Texts,
    /// How long all further texts may be: few bytes could repeat a long one without end.
    room: usize,
}

/// How long the texts of few bytes may be together, and how much longer those of each further byte.
const TEXT_ROOM: usize = 2 << 20;
const TEXT_ROOM_PER_BYTE: usize = 64;
/// No version has a histogram of more buckets.
const MAX_BUCKETS: u64 = 4096;

/// The latest texts, the latest first: names of functions, backends and stores take turns.
#[derive(Clone, Default)]
struct Texts([String; 3]);

impl Writer {
    pub(crate) fn number(&mut self, number: impl Into<u128>) {
        let number = number.into();
        let digits = u128::BITS - number.leading_zeros();
        let of_digits = (digits + 1).ilog2();
        self.digits(0, of_digits);
        self.digits(u128::from(digits) + 1, of_digits + 1);
        // The highest is 1 in each number but 0.
        self.digits(number, digits.saturating_sub(1));
    }

    /// A number that may be absent: one more than it is, or zero.
    pub(crate) fn option(&mut self, number: Option<impl Into<u128>>) {
        self.number(number.map_or(0, |number| number.into().saturating_add(1)));
    }

    /// A number of either sign.
    pub(crate) fn signed(&mut self, number: i32) {
        self.number(((number << 1) ^ (number >> 31)).cast_unsigned());
    }

    /// A text, by the one of the latest that begins most like it.
    pub(crate) fn text(&mut self, text: &str) {
        let (place, common) = self.texts.most_like(text);
        self.number(place as u64);
        self.number(common as u64);
        self.number((text.len() - common) as u64);
        self.bytes(&text.as_bytes()[common..]);
        self.texts.push(text);
    }

    /// What follows begins with a byte, so that it can be [taken apart](Reader::rest).
    pub(crate) fn align(&mut self) {
        self.free = 0;
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.align();
        self.bytes.extend_from_slice(bytes);
    }

    /// All but the extremes: counts and distances in the bits that they need on average.
    pub(crate) fn histogram(&mut self, histogram: &Histogram) {
        let filled = || histogram.buckets.iter().filter(|bucket| bucket.count > 0);
        let (Some(first), Some(last)) = (filled().next(), filled().next_back()) else {
            return self.number(0_u64);
        };
        let length = filled().count() as u64;
        let span = u64::from(first.index.abs_diff(last.index));
        let low = [histogram.count() / length, span / length].map(|mean| mean.max(1).ilog2());
        self.number(length);
        self.number(histogram.samples);
        self.number(histogram.sum);
        self.number(histogram.excess);
        low.iter().for_each(|low| self.number(*low));
        self.signed(first.index);
        let mut index = first.index.wrapping_sub(1);
        for bucket in filled() {
            self.split(bucket.count - 1, low[0]);
            self.split(u64::from(bucket.index.abs_diff(index)) - 1, low[1]);
            index = bucket.index;
        }
    }

    /// A number whose low digits, this many, are arbitrary.
    fn split(&mut self, number: u64, low: u32) {
        self.number(number >> low);
        self.digits(number.into(), low);
    }

    /// The lowest digits of a number.
    fn digits(&mut self, number: u128, mut count: u32) {
        while count > 0 {
            if self.free == 0 {
                self.bytes.push(0);
                self.free = u8::BITS;
            }
            let taken = count.min(self.free);
            count -= taken;
            self.free -= taken;
            let digits = (number >> count) as u8 & (0xff >> (u8::BITS - taken));
            if let Some(last) = self.bytes.last_mut() {
                *last |= digits << self.free;
            }
        }
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            texts: Texts::default(),
            room: TEXT_ROOM.saturating_add(bytes.len().saturating_mul(TEXT_ROOM_PER_BYTE)),
        }
    }

    pub(crate) fn number(&mut self) -> Option<u128> {
        let of_digits = self.peek().leading_zeros();
        // More are in no number.
        let is_possible = of_digits < u8::BITS;
        self.at += is_possible.then_some(of_digits as usize)?;
        let digits = self.digits(of_digits + 1)? as u32 - 1;
        match digits.checked_sub(1) {
            None => Some(0),
            Some(below) if below < u128::BITS => Some(1_u128 << below | self.digits(below)?),
            Some(_) => None,
        }
    }

    /// A number of a smaller type.
    pub(crate) fn int<T: TryFrom<u128>>(&mut self) -> Option<T> {
        T::try_from(self.number()?).ok()
    }

    pub(crate) fn option(&mut self) -> Option<Option<u128>> {
        Some(self.number()?.checked_sub(1))
    }

    pub(crate) fn signed(&mut self) -> Option<i32> {
        let number: u32 = self.int()?;
        Some((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    pub(crate) fn text(&mut self) -> Option<String> {
        let (place, common): (usize, usize) = (self.int()?, self.int()?);
        let length = self.int()?;
        self.room = self.room.checked_sub(common.checked_add(length)?)?;
        let rest = std::str::from_utf8(self.bytes(length)?).ok()?;
        let text = self.texts.0.get(place)?.get(..common)?.to_owned() + rest;
        self.texts.push(&text);
        Some(text)
    }

    pub(crate) fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let rest = self.bytes.get(self.at.div_ceil(8)..)?;
        let (bytes, rest) = rest.split_at_checked(length)?;
        (self.bytes, self.at) = (rest, 0);
        Some(bytes)
    }

    pub(crate) fn histogram(&mut self) -> Option<Histogram> {
        let length: u64 = self.int()?;
        if length == 0 {
            return Some(Histogram::default());
        }
        if length > MAX_BUCKETS {
            return None;
        }
        let mut read = Histogram {
            samples: self.int()?,
            sum: self.number()?,
            excess: self.number()?,
            ..Histogram::default()
        };
        let low = [self.int()?, self.int()?];
        let mut index = self.signed()?.checked_sub(1)?;
        for _ in 0..length {
            let count = self.split(low[0])?.checked_add(1)?;
            let distance = self.split(low[1])?.checked_add(1)?;
            index = index.checked_add(distance.try_into().ok()?)?;
            read.buckets.push(Bucket { index, count });
        }
        Some(read)
    }

    fn split(&mut self, low: u32) -> Option<u64> {
        let high: u64 = self.int()?;
        if low >= u64::BITS || high.leading_zeros() < low {
            return None;
        }
        Some(high << low | self.digits(low)? as u64)
    }

    /// So many digits, up to all of a number.
    fn digits(&mut self, mut count: u32) -> Option<u128> {
        let is_there = (self.at + count as usize).div_ceil(8) <= self.bytes.len();
        let mut digits = is_there.then_some(0)?;
        while count > 0 {
            let some = count.min(PEEKED);
            digits = digits << some | u128::from(self.peek() >> (u64::BITS - some));
            self.at += some as usize;
            count -= some;
        }
        Some(digits)
    }

    /// The next bits, of which at least [`PEEKED`] are right; zeros beyond the end.
    fn peek(&self) -> u64 {
        let rest = self.bytes.get(self.at / 8..).unwrap_or_default();
        let bytes = match rest.first_chunk() {
            Some(bytes) => *bytes,
            None => {
                let mut bytes = [0; 8];
                bytes[..rest.len()].copy_from_slice(rest);
                bytes
            }
        };
        u64::from_be_bytes(bytes) << (self.at % 8)
    }

    /// What has not been read, from the next byte on.
    pub(crate) fn rest(self) -> &'a [u8] {
        self.bytes.get(self.at.div_ceil(8)..).unwrap_or_default()
    }
}

/// All but those that the bits read of a byte leave no room for.
const PEEKED: u32 = u64::BITS - 7;

impl Texts {
    /// The place of the text that has the longest beginning in common with this one, and the length of that.
    fn most_like(&self, text: &str) -> (usize, usize) {
        let common = |known: &String| {
            let pairs = known.chars().zip(text.chars());
            let same = pairs.take_while(|(one, other)| one == other);
            same.map(|(one, _)| one.len_utf8()).sum()
        };
        let common: [usize; 3] = self.0.each_ref().map(common);
        let longest = common.into_iter().enumerate().rev();
        longest
            .max_by_key(|(_, common)| *common)
            .unwrap_or_default()
    }

    fn push(&mut self, text: &str) {
        self.0.rotate_right(1);
        text.clone_into(&mut self.0[0]);
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    fn written(write: impl FnOnce(&mut Writer)) -> Vec<u8> {
        let mut writer = Writer::default();
        write(&mut writer);
        writer.finish()
    }

    #[test]
    fn what_is_written_is_read() {
        let numbers = [0, 1, 127, 128, 300, u64::MAX.into(), u128::MAX];
        let options = [None, Some(0), Some(u64::MAX.into())];
        let signed = [0, -1, 1, i32::MIN, i32::MAX];
        let texts = ["Kø", "", "Kå", "Kø, Kå", "other", "Køb"];
        let bytes = written(|to| {
            numbers.iter().for_each(|number| to.number(*number));
            options
                .iter()
                .for_each(|option: &Option<u128>| to.option(*option));
            signed.iter().for_each(|number| to.signed(*number));
            texts.iter().for_each(|text| to.text(text));
            to.bytes(b"rest");
        });
        let mut from = Reader::new(&bytes);
        assert_eq!(numbers.map(|_| from.number().unwrap()), numbers);
        assert_eq!(options.map(|_| from.option().unwrap()), options);
        assert_eq!(signed.map(|_| from.signed().unwrap()), signed);
        assert_eq!(texts.map(|_| from.text().unwrap()), texts);
        assert_eq!(from.rest(), b"rest");
    }

    #[test]
    fn small_numbers_take_few_bits() {
        for (number, bits) in [(0_u64, 1), (1, 3), (3, 4), (7, 7), (1 << 40, 51)] {
            let bytes = written(|to| (0..8).for_each(|_| to.number(number)));
            assert_eq!(bytes.len(), bits, "{number}");
        }
    }

    #[test]
    fn names_that_begin_alike_take_few_bytes() {
        let bytes = written(|to| {
            for number in 100..200 {
                to.text(&format!("shop::catalogue::function_{number}"));
                to.text("redis");
                to.text(&format!("redis.internal:6379/shop::function_{number}"));
            }
        });
        assert!(bytes.len() < 900 + 100, "{} bytes", bytes.len());
    }

    #[test]
    fn what_is_no_number_is_none() {
        assert_eq!(Reader::new(&[]).number(), None);
        assert_eq!(Reader::new(&[0; 30]).number(), None);
        assert_eq!(Reader::new(&[1, 0xff, 0xff]).number(), None);
        let too_long = written(|to| to.digits(0x00ff, 16));
        assert_eq!(
            Reader::new(&[&too_long[..], &[0xff; 40]].concat()).number(),
            None
        );
        let large = written(|to| to.number(256_u64));
        assert_eq!(Reader::new(&large).int::<u8>(), None);
        let texts: [&[u64]; 3] = [&[3, 0, 0], &[0, 1, 0], &[0, 0, 9]];
        for text in texts {
            let bytes = written(|to| text.iter().for_each(|number| to.number(*number)));
            assert_eq!(Reader::new(&bytes).text(), None);
        }
    }

    #[test]
    fn a_histogram_has_no_endless_buckets() {
        let read = |length: u64| {
            let bytes = written(|to| {
                let numbers = [length, 1, 1, 1, 0, 0, 0];
                numbers.iter().for_each(|number| to.number(*number));
                (0..2 * length).for_each(|_| to.number(0_u64));
            });
            let read = Reader::new(&bytes).histogram();
            read.map(|read| read.buckets.len() as u64)
        };
        assert_eq!(read(MAX_BUCKETS), Some(MAX_BUCKETS));
        assert_eq!(read(MAX_BUCKETS + 1), None);
    }

    #[test]
    fn what_is_no_histogram_is_none() {
        let max = u64::MAX;
        // Length, samples, sum, excess, digits of counts and distances, the first index, counts and distances.
        let forged: [&[u64]; 6] = [
            &[1, 1, 1, 1, 64, 0, 0, 1],
            &[1, 1, 1, 1, 3, 0, 0, max],
            &[1, 1, 1, 1, 0, 0, 0, max, 0],
            &[2, 1, 1, 1, 0, 0, 4, 0, 0, 0, max],
            &[max, 1, 1, 1, 0, 0, 0],
            &[1000, 1, 1, 1, 0, 0, 0],
        ];
        for numbers in forged {
            let bytes = written(|to| numbers.iter().for_each(|number| to.number(*number)));
            assert_eq!(Reader::new(&bytes).histogram(), None, "{numbers:?}");
        }
    }

    proptest! {
        #[test]
        fn histograms_come_back(
            buckets in prop::collection::btree_map(-500..500_i32, 1..=u64::MAX >> 12, 0..80),
            sum: u128,
            samples: u64,
        ) {
            let buckets: Vec<_> = buckets.into_iter().map(|(index, count)| Bucket { index, count }).collect();
            let histogram = match buckets.is_empty() {
                true => Histogram::default(),
                false => Histogram { buckets, sum, samples, ..Histogram::default() },
            };
            let bytes = written(|to| {
                to.number(1_u64);
                to.histogram(&histogram);
                to.number(7_u64);
            });
            let mut from = Reader::new(&bytes);
            prop_assert_eq!(from.number(), Some(1));
            prop_assert_eq!(from.histogram(), Some(histogram));
            prop_assert_eq!(from.number(), Some(7));
        }

        #[test]
        fn forged_bits_make_nothing_panic(bytes: Vec<u8>) {
            let mut from = Reader::new(&bytes);
            while from.histogram().is_some() {}
            while from.text().is_some() {}
            let _ = from.signed();
        }
    }
}
