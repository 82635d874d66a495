//! Hashes canonical bytes.

use super::sink::Sink;

/// Hashes bytes.
///
/// Most arguments are a few bytes in many pieces, which are gathered on the stack and hashed at once; only longer ones
/// need the hasher, which is large.
pub(super) struct HashSink<'k> {
    key: Option<&'k [u8; 32]>,
    gathered: [u8; BUFFER_BYTES],
    len: usize,
    hasher: Option<Box<blake3::Hasher>>,
}

const BUFFER_BYTES: usize = 512;

impl<'k> HashSink<'k> {
    pub(super) fn new(key: Option<&'k [u8; 32]>) -> Self {
        Self {
            key,
            gathered: [0; BUFFER_BYTES],
            len: 0,
            hasher: None,
        }
    }

    pub(super) fn finish(mut self) -> [u8; 32] {
        let gathered = &self.gathered[..self.len];
        let hash = match (&mut self.hasher, self.key) {
            (Some(hasher), _) => hasher.update(gathered).finalize(),
            (None, Some(key)) => blake3::keyed_hash(key, gathered),
            (None, None) => blake3::hash(gathered),
        };
        *hash.as_bytes()
    }

    #[cold]
    fn spill(&mut self, bytes: &[u8]) {
        let key = self.key;
        let hasher = self.hasher.get_or_insert_with(|| {
            Box::new(key.map_or_else(blake3::Hasher::new, blake3::Hasher::new_keyed))
        });
        hasher.update(&self.gathered[..self.len]);
        hasher.update(bytes);
        self.len = 0;
    }
}

impl Sink for HashSink<'_> {
    fn put(&mut self, bytes: &[u8]) {
        let end = self.len + bytes.len();
        match self.gathered.get_mut(self.len..end) {
            Some(room) => {
                room.copy_from_slice(bytes);
                self.len = end;
            }
            None => self.spill(bytes),
        }
    }
}
