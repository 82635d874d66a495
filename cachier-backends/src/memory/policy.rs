//! Which entry goes when the store is full: S3-FIFO, as plain logic over ids.
//!
//! New ids wait in a short first-in-first-out queue, on *probation*. Who was used by the time it
//! reaches the end moves on to the *protected* queue; who was not is evicted, and only a trace of its
//! hash stays. Who comes back while the trace lasts is protected at once. At the end of the
//! protected queue an id that has uses left spends one and starts again at the front. So a scan, whose
//! keys are used once, passes through the short queue and leaves the protected ids alone.
//!
//! Source: Yang, Zhang, Qiu, Yue, Vinayak: "FIFO queues are all you need for cache eviction",
//! SOSP 2023. Different here: probation is shorter, one use is enough to leave it, and traces are an
//! array in which a later one may overwrite an earlier one.

use super::catalog::make_room;

/// One in this many ids is on probation once the store is full.
const SMALL_SHARE: usize = 20;

/// The most ids that are spared in one eviction: else one insertion might visit all ids.
const MAX_SPARED: usize = 128;

const NIL: u32 = u32::MAX;

/// The order in which ids would be evicted.
#[derive(Default)]
pub(super) struct Policy {
    links: Vec<Link>,
    small: Queue,
    main: Queue,
    ghost: Ghost,
}

/// How an id comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// Its key was not there.
    New,
    /// It takes the place of a removed id of the same key.
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

/// Hashes of ids that were evicted from probation lately. A hash of 0 leaves no trace.
#[derive(Default)]
struct Ghost(Vec<u32>);

impl Policy {
    /// Takes up an id whose key has this hash.
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

    /// Takes out an id for another reason than lack of room.
    pub(super) fn remove(&mut self, id: u32) {
        self.unlink(id);
    }

    /// Takes out the id that can best be spared, if there is any. `spend_use` says whether an id has a
    /// use left, and takes it away.
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

    /// Under the new id of each former one, in the same order. Ghost are forgotten.
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

    /// The segment to take from, unless there is nothing left.
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
    /// Keeps a trace, in an array for at least `room` of them.
    fn insert(&mut self, hash: u32, room: usize) {
        if self.0.len() < room.max(1) {
            self.0 = vec![0; room.max(1).next_power_of_two()];
        }
        let slot = self.slot(hash);
        self.0[slot] = hash;
    }

    /// Whether there is a trace; it is used up.
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
