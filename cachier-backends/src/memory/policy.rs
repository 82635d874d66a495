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
const PROBATION_SHARE: usize = 20;

/// The most ids that are spared in one eviction: else one insertion might visit all ids.
const MOST_SPARED: usize = 128;

const NIL: u32 = u32::MAX;

/// The order in which ids would be evicted.
#[derive(Default)]
pub(super) struct Policy {
    links: Vec<Link>,
    probation: Queue,
    protected: Queue,
    traces: Traces,
}

/// How an id comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// Its key was not there.
    New,
    /// It takes the place of a removed id of the same key.
    Again,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Segment {
    #[default]
    Probation,
    Protected,
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
struct Traces(Vec<u32>);

impl Policy {
    /// Takes up an id whose key has this hash.
    pub(super) fn enter(&mut self, id: u32, hash: u32, arrival: Arrival) {
        if self.links.len() <= id as usize {
            make_room(&mut self.links);
            self.links.resize(id as usize + 1, Link::default());
        }
        self.links[id as usize].hash = hash;
        let known = self.traces.forget(hash) || arrival == Arrival::Again;
        let segment = match known {
            true => Segment::Protected,
            false => Segment::Probation,
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
        for _ in 0..MOST_SPARED {
            let id = self.oldest()?;
            if !spend_use(id) {
                break;
            }
            self.unlink(id);
            self.push(id, Segment::Protected);
        }
        let id = self.oldest()?;
        if self.unlink(id) == Segment::Probation {
            let hash = self.links[id as usize].hash;
            self.traces.remember(hash, self.len());
        }
        Some(id)
    }

    /// Under the new id of each former one, in the same order. Traces are forgotten.
    pub(super) fn renumber(&mut self, ids: &[u32]) {
        let former = std::mem::take(self);
        self.links = vec![Link::default(); former.len()];
        let queues = [
            (former.probation.oldest, Segment::Probation),
            (former.protected.oldest, Segment::Protected),
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
        self.probation.len + self.protected.len
    }

    /// The segment to take from, unless there is nothing left.
    fn next_segment(&self) -> Option<Segment> {
        if self.len() == 0 {
            None
        } else if self.probation.len * PROBATION_SHARE >= self.len() {
            Some(Segment::Probation)
        } else {
            Some(Segment::Protected)
        }
    }

    fn queue(&mut self, segment: Segment) -> &mut Queue {
        match segment {
            Segment::Probation => &mut self.probation,
            Segment::Protected => &mut self.protected,
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

impl Traces {
    /// Keeps a trace, in an array for at least `room` of them.
    fn remember(&mut self, hash: u32, room: usize) {
        if self.0.len() < room.max(1) {
            self.0 = vec![0; room.max(1).next_power_of_two()];
        }
        let place = self.place(hash);
        self.0[place] = hash;
    }

    /// Whether there is a trace; it is used up.
    fn forget(&mut self, hash: u32) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let place = self.place(hash);
        let found = hash != 0 && self.0[place] == hash;
        if found {
            self.0[place] = 0;
        }
        found
    }

    fn place(&self, hash: u32) -> usize {
        hash as usize & (self.0.len() - 1)
    }
}
