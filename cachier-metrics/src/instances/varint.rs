//! Numbers of seven bits in each byte, the lowest first, as LEB128 has them, and texts behind their lengths.

/// Writes numbers and texts.
#[derive(Default)]
pub(super) struct Writer(Vec<u8>);

/// Reads them again. What is not there, or is none, is `None`: the bytes may be anything.
#[derive(Clone)]
pub(super) struct Reader<'a>(&'a [u8]);

impl Writer {
    pub(super) fn number(&mut self, number: impl Into<u128>) {
        let mut number = number.into();
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    /// A number that may be absent: one more than it is, or zero.
    pub(super) fn option(&mut self, number: Option<impl Into<u128>>) {
        self.number(number.map_or(0, |number| number.into().saturating_add(1)));
    }

    /// A number of either sign.
    pub(super) fn signed(&mut self, number: i32) {
        self.number(((number << 1) ^ (number >> 31)).cast_unsigned());
    }

    pub(super) fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.bytes(text.as_bytes());
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.0
    }
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn number(&mut self) -> Option<u128> {
        let mut number = 0;
        for place in (0..u128::BITS).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            number |= u128::from(byte & 0x7f) << place;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    /// A number of a smaller type.
    pub(super) fn int<T: TryFrom<u128>>(&mut self) -> Option<T> {
        T::try_from(self.number()?).ok()
    }

    pub(super) fn option(&mut self) -> Option<Option<u128>> {
        Some(self.number()?.checked_sub(1))
    }

    pub(super) fn signed(&mut self) -> Option<i32> {
        let number: u32 = self.int()?;
        Some((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    pub(super) fn text(&mut self) -> Option<&'a str> {
        let length = self.int()?;
        std::str::from_utf8(self.bytes(length)?).ok()
    }

    pub(super) fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    pub(super) fn rest(self) -> &'a [u8] {
        self.0
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut writer = Writer::default();
        let numbers = [0, 1, 127, 128, 300, u64::MAX.into(), u128::MAX];
        let options = [None, Some(0), Some(u64::MAX.into())];
        let signed = [0, -1, 1, i32::MIN, i32::MAX];
        numbers.iter().for_each(|number| writer.number(*number));
        options
            .iter()
            .for_each(|option: &Option<u128>| writer.option(*option));
        signed.iter().for_each(|number| writer.signed(*number));
        writer.text("Kø");
        let bytes = writer.finish();
        let mut reader = Reader::new(&bytes);
        assert_eq!(numbers.map(|_| reader.number().unwrap()), numbers);
        assert_eq!(options.map(|_| reader.option().unwrap()), options);
        assert_eq!(signed.map(|_| reader.signed().unwrap()), signed);
        assert_eq!(reader.text(), Some("Kø"));
        assert!(reader.rest().is_empty());
    }

    #[test]
    fn what_is_no_number_is_none() {
        assert_eq!(Reader::new(&[]).number(), None);
        assert_eq!(Reader::new(&[0x80; 30]).number(), None);
        assert_eq!(Reader::new(&[0x80, 2]).int::<u8>(), None);
        assert_eq!(Reader::new(&[9, b'a']).text(), None);
        assert_eq!(Reader::new(&[1, 0xff]).text(), None);
    }
}
