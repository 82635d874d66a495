//! Eviction by S3-FIFO, as plain logic over ids.
//!
//! New ids enter the *small* FIFO queue. At its end, those used meanwhile move on to the *main* queue; the others are
//! evicted, and only their hash stays for a while in the *ghost* queue. A key that returns while its hash is there goes
//! straight to the main queue. At the end of the main queue, an id with uses left spends one and starts again at the
//! front. So a scan, whose keys are used once, passes through the small queue and leaves the main one alone.
//!
//! Source: Yang, Zhang, Qiu, Yue, Vinayak: "FIFO queues are all you need for cache eviction", SOSP 2023. Different
//! here: the small queue is shorter, one use is enough to leave it, and the ghost queue is an array in which later
//! hashes may overwrite earlier ones.

use super::catalog::make_room;

/// One in this many ids is in the small queue once the store is full.
const SMALL_SHARE: usize = 20;

/// The most ids spared per eviction; otherwise one insertion might visit all.
const MAX_SPARED: usize = 128;

const NIL: u32 = u32::MAX;

/// The queues of ids.
#[derive(Default)]
pub(super) struct Policy {
    links: Vec<Link>,
    small: Queue,
    main: Queue,
    ghost: Ghost,
}

/// How an id enters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// Its key was absent.
    New,
    /// It replaces a removed id of the same key.
    Replacement,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Segment {
    #[default]
    Small,
    Main,
}

#[derive(Clone, Default)]
struct Link {
    /// Towards the front, where ids enter.
    newer: u32,
    /// Towards the end, where they leave.
    older: u32,
    hash: u32,
    segment: Segment,
}

struct Queue {
    newest: u32,
    oldest: u32,
    len: usize,
}

/// Hashes recently evicted from the small queue. A hash of 0 is not remembered.
#[derive(Default)]
struct Ghost(Vec<u32>);

impl Policy {
    /// Enters an id whose key has this hash.
    pub(super) fn enter(&mut self, id: u32, hash: u32, arrival: Arrival) {
        if self.links.len() <= id as usize {
            make_room(&mut self.links);
            self.links.resize(id as usize + 1, Link::default());
        }
        self.links[id as usize].hash = hash;
        let known = self.ghost.take(hash) || arrival == Arrival::Replacement;
        let segment = match known {
            true => Segment::Main,
            false => Segment::Small,
        };
        self.push(id, segment);
    }

    /// Removes an id for a reason other than lack of room.
    pub(super) fn remove(&mut self, id: u32) {
        self.unlink(id);
    }

    /// Removes the id to evict, if there is any. `spend_use` takes a use away from an id, if it has one left.
    pub(super) fn evict(&mut self, spend_use: &mut dyn FnMut(u32) -> bool) -> Option<u32> {
        for _ in 0..MAX_SPARED {
            let id = self.oldest()?;
            if !spend_use(id) {
                break;
            }
            self.unlink(id);
            self.push(id, Segment::Main);
        }
        let id = self.oldest()?;
        if self.unlink(id) == Segment::Small {
            let hash = self.links[id as usize].hash;
            self.ghost.insert(hash, self.len());
        }
        Some(id)
    }

    /// Replaces each id by its new one and keeps the order. Ghosts are forgotten.
    pub(super) fn renumber(&mut self, ids: &[u32]) {
        let former = std::mem::take(self);
        self.links = vec![Link::default(); former.len()];
        let queues = [
            (former.small.oldest, Segment::Small),
            (former.main.oldest, Segment::Main),
        ];
        for (mut id, segment) in queues {
            while id != NIL {
                let Link { newer, hash, .. } = former.links[id as usize];
                let new = ids[id as usize];
                self.links[new as usize].hash = hash;
                self.push(new, segment);
                id = newer;
            }
        }
    }

    /// The next id to leave or to be spared.
    fn oldest(&mut self) -> Option<u32> {
        let segment = self.next_segment()?;
        Some(self.queue(segment).oldest)
    }

    fn len(&self) -> usize {
        self.small.len + self.main.len
    }

    /// The segment to evict from; `None` if both are empty.
    fn next_segment(&self) -> Option<Segment> {
        if self.len() == 0 {
            None
        } else if self.small.len * SMALL_SHARE >= self.len() {
            Some(Segment::Small)
        } else {
            Some(Segment::Main)
        }
    }

    fn queue(&mut self, segment: Segment) -> &mut Queue {
        match segment {
            Segment::Small => &mut self.small,
            Segment::Main => &mut self.main,
        }
    }

    fn push(&mut self, id: u32, segment: Segment) {
        let queue = self.queue(segment);
        let second = std::mem::replace(&mut queue.newest, id);
        queue.len += 1;
        if second == NIL {
            queue.oldest = id;
        } else {
            self.links[second as usize].newer = id;
        }
        let link = &mut self.links[id as usize];
        link.newer = NIL;
        link.older = second;
        link.segment = segment;
    }

    fn unlink(&mut self, id: u32) -> Segment {
        let Link {
            newer,
            older,
            segment,
            ..
        } = self.links[id as usize];
        match older {
            NIL => self.queue(segment).oldest = newer,
            older => self.links[older as usize].newer = newer,
        }
        match newer {
            NIL => self.queue(segment).newest = older,
            newer => self.links[newer as usize].older = older,
        }
        self.queue(segment).len -= 1;
        segment
    }
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            newest: NIL,
            oldest: NIL,
            len: 0,
        }
    }
}

impl Ghost {
    /// Remembers a hash, in an array for at least `room` of them.
    fn insert(&mut self, hash: u32, room: usize) {
        if self.0.len() < room.max(1) {
            self.0 = vec![0; room.max(1).next_power_of_two()];
        }
        let slot = self.slot(hash);
        self.0[slot] = hash;
    }

    /// Whether a hash is remembered; forgets it.
    fn take(&mut self, hash: u32) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let slot = self.slot(hash);
        let found = hash != 0 && self.0[slot] == hash;
        if found {
            self.0[slot] = 0;
        }
        found
    }

    fn slot(&self, hash: u32) -> usize {
        hash as usize & (self.0.len() - 1)
    }
}
