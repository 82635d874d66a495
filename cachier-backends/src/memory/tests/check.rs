//! Model checking: random schedules of one writer and lock-free readers. Run with `RUSTFLAGS="--cfg shuttle" cargo test
//! -p cachier-backends --lib memory`.

use std::ops::Range;
use std::sync::atomic::Ordering::{Acquire, Release};

use shuttle::sync::atomic::AtomicBool;
use shuttle::thread;

use super::super::catalog::Position;
use super::super::index::{self, Index};
use super::super::sync::Guard;
use super::super::times::Times;
use super::super::word_index::{WordIndex, WordItem, WordRef};
use super::support::{ANY, at_most, plain};

const SCHEDULES: usize = 1000;

/// Hashes of the same bucket, with the same byte in its summary.
const HASH: u32 = 0x0700_0000;

#[derive(Clone, Copy)]
struct Item {
    key: u32,
    version: u32,
}

impl index::Item for Item {
    fn hash(&self) -> u32 {
        HASH
    }

    fn id(&self) -> u32 {
        self.key
    }

    fn set_id(&self, id: u32) {
        assert_eq!(id, self.key);
    }
}

/// An index with its writer's state; the item of key 0 is always present.
struct Written {
    index: &'static Index<Item>,
    /// By key.
    positions: Vec<Option<Position>>,
}

impl Written {
    fn new() -> Self {
        let index = Box::leak(Box::new(Index::new()));
        let mut written = Self {
            index,
            positions: vec![None; 20],
        };
        written.insert(0);
        written
    }

    fn items(&self) -> usize {
        self.positions.iter().flatten().count()
    }

    fn insert(&mut self, key: u32) {
        let (items, item) = (self.items(), Item { key, version: 0 });
        let moved = &mut |key, position| moved(&mut self.positions, key, position);
        let position = self.index.insert(items, item, moved, &Guard::new());
        self.positions[key as usize] = Some(position);
    }

    fn replace(&mut self, item: Item) {
        let position = self.positions[item.key as usize].unwrap();
        self.index.replace(position, item, &Guard::new());
    }

    fn remove(&mut self, key: u32) {
        let position = self.positions[key as usize].take().unwrap();
        self.index.remove(position, &Guard::new());
    }

    fn clear(&mut self) {
        self.positions.fill(None);
        drop(self.index.clear(&Guard::new()));
    }

    fn shrink(&mut self) {
        let moved = &mut |key, position| moved(&mut self.positions, key, position);
        self.index.shrink(moved, &Guard::new());
    }
}

fn moved(positions: &mut [Option<Position>], key: u32, position: Position) -> u32 {
    positions[key as usize] = Some(position);
    key
}

fn find(index: &Index<Item>, key: u32) -> Option<Item> {
    let guard = Guard::new();
    index.find(HASH, |item| item.key == key, &guard).copied()
}

/// Runs `check` under many random schedules.
fn explore(check: impl Fn() + Send + Sync + 'static) {
    explore_under(SCHEDULES, check);
}

fn explore_under(schedules: usize, check: impl Fn() + Send + Sync + 'static) {
    let mut config = shuttle::Config::new();
    config.stack_size = 1 << 20;
    let scheduler = shuttle::scheduler::RandomScheduler::new(schedules);
    shuttle::Runner::new(scheduler, config).run(check);
}

/// Looks up key 0 while `write` runs: it must always be found, and never go backwards.
fn explore_concurrent_readers(write: fn(&mut Written)) {
    explore(move || {
        let mut written = Written::new();
        let index = written.index;
        let readers = [(); 2].map(|()| {
            thread::spawn(move || {
                let mut last = 0;
                for _ in 0..4 {
                    let item = find(index, 0).expect("lost an item");
                    assert!(item.version >= last, "went back in time");
                    last = item.version;
                }
            })
        });
        write(&mut written);
        readers
            .into_iter()
            .for_each(|reader| reader.join().unwrap());
    });
}

#[test]
fn a_permanent_item_is_found_during_other_changes() {
    explore_concurrent_readers(|written| {
        for _ in 0..3 {
            (1..4).for_each(|key| written.insert(key));
            (1..4).for_each(|key| written.remove(key));
        }
    });
}

#[test]
fn a_permanent_item_is_found_while_growing() {
    explore_concurrent_readers(|written| {
        for key in 1..14 {
            written.insert(key);
        }
    });
}

#[test]
fn a_key_is_found_during_its_replacement() {
    explore_concurrent_readers(|written| {
        (1..5).for_each(|version| written.replace(Item { key: 0, version }));
    });
}

#[test]
#[should_panic = "lost an item"]
fn the_checker_notices_a_replacement_in_two_steps() {
    explore_concurrent_readers(|written| {
        written.remove(0);
        written.insert(0);
    });
}

#[test]
#[should_panic = "lost an item"]
fn the_checker_notices_a_table_filled_after_publication() {
    explore_concurrent_readers(|written| {
        written.clear();
        written.insert(0);
    });
}

#[test]
fn earlier_changes_are_visible() {
    explore(|| {
        let mut written = Written::new();
        let index = written.index;
        let done: &'static AtomicBool = Box::leak(Box::new(AtomicBool::new(false)));
        let reader = thread::spawn(move || {
            let was_done = done.load(Acquire);
            let (old, new) = (find(index, 0), find(index, 7));
            if was_done {
                assert!(old.is_none() && new.is_some());
            }
        });
        for key in 1..8 {
            written.insert(key);
        }
        written.remove(0);
        done.store(true, Release);
        reader.join().unwrap();
    });
}

#[test]
fn a_bound_holds_and_counts_agree_whoever_inserts() {
    explore(|| {
        let store = Box::leak(Box::new(at_most(2)));
        let store = &*store;
        let threads = [0u64, 1, 2].map(|thread| {
            thread::spawn(move || {
                for key in thread..thread + 3 {
                    assert!(store.insert(key, plain(key)).entries <= 2);
                    assert!(store.get(&key, ANY).is_none_or(|value| value == key));
                }
            })
        });
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
        let held = (0..5).filter(|key| store.peek(key).is_some()).count();
        assert_eq!((held as u64, held), (store.entries(), 2));
    });
}

/// A word index with its writer's state.
struct Words {
    index: &'static WordIndex,
    /// By key.
    positions: Vec<Option<Position>>,
}

impl Words {
    fn new() -> Self {
        let hash = |_| HASH;
        Self {
            index: Box::leak(Box::new(WordIndex::new(Box::new(hash)))),
            positions: vec![None; 20],
        }
    }

    fn items(&self) -> usize {
        self.positions.iter().flatten().count()
    }

    fn insert(&mut self, item: WordItem) {
        let (items, key) = (self.items(), item.key);
        let moved = &mut |key, position| moved(&mut self.positions, key, position);
        let guard = Guard::new();
        let position = self.index.insert(items, HASH, item, moved, &guard);
        self.index.set_id(position, key as u32, &guard);
        self.positions[key as usize] = Some(position);
    }

    /// Inserts others than the first.
    fn insert_others(&mut self, keys: Range<u64>) {
        keys.for_each(|key| self.insert(word_item(key, 1)));
    }

    fn replace(&mut self, item: WordItem) {
        let position = self.positions[item.key as usize].unwrap();
        self.index.replace(position, item, &Guard::new());
    }

    fn remove(&mut self, key: u64) {
        let position = self.positions[key as usize].take().unwrap();
        self.index.remove(position, &Guard::new());
    }

    fn clear(&mut self) {
        self.positions.fill(None);
        self.index.clear(&Guard::new());
    }

    /// Removes all words but the first, and halves the table as long as it is sparse; it has to be small in the end.
    fn shrink_to_one(&mut self) {
        for key in 2..self.positions.len() {
            if self.positions[key].is_some() {
                self.remove(key as u64);
            }
        }
        let guard = Guard::new();
        while self.index.is_sparse(self.items(), &guard) {
            let moved = &mut |key, position| moved(&mut self.positions, key, position);
            self.index.shrink(moved, &guard);
        }
    }
}

/// Changes a word index during a lookup. Many schedules, as few have a whole change between two steps of the reader.
fn explore_words(write: fn(&mut Words), read: fn(&WordIndex)) {
    explore_under(30 * SCHEDULES, move || {
        let mut words = Words::new();
        words.insert(word_item(1, 10));
        let index = words.index;
        let reader = thread::spawn(move || (0..3).for_each(|_| read(index)));
        write(&mut words);
        reader.join().unwrap();
    });
}

/// Its times belong to its value. Some count as fresh since their creation, for which the table has no room at first.
fn word_item(key: u64, value: u64) -> WordItem {
    let later = if value.is_multiple_of(20) { value } else { 0 };
    WordItem {
        key,
        value,
        times: Times::new(1000 * value, 0),
        since: 1000 * value + later,
    }
}

/// Since when a word item of this value counts as fresh.
fn since_of(value: u64) -> u64 {
    word_item(1, value).since
}

/// Reads as the store does, but for the lock.
fn look_at_word(index: &WordIndex, see: impl Fn(Option<(u64, WordRef<'_>)>)) {
    let guard = Guard::new();
    let found = index.find_fresh(HASH, 1, ANY);
    let found = found.or_else(|_| index.find_fresh_under(&guard, HASH, 1, ANY));
    if let Ok(found) = found {
        see(found);
    }
}

fn read_word_that_stays(index: &WordIndex) {
    look_at_word(index, |found| {
        let (value, _) = found.expect("lost a word");
        assert_eq!(value % 10, 0, "the value of another key");
    });
}

/// A value and the moment since which it counts belong together, and to the key.
fn read_word(index: &WordIndex) {
    look_at_word(index, |found| {
        let Some((value, found)) = found else { return };
        assert_eq!(value % 10, 0, "the value of another key");
        if let Ok(since) = found.since() {
            assert_eq!(since_of(value), since, "torn");
        }
    });
}

#[test]
fn words_of_different_entries_are_never_mixed() {
    explore_words(
        |words| {
            words.replace(word_item(1, 20));
            words.remove(1);
            words.insert(word_item(2, 21));
            words.insert(word_item(1, 30));
        },
        read_word,
    );
}

#[test]
fn a_permanent_word_is_found_while_growing() {
    explore_words(
        // The last tables are large ones.
        |words| words.insert_others(2..16),
        read_word_that_stays,
    );
}

#[test]
fn words_are_found_while_tables_shrink_and_grow() {
    explore_words(
        |words| {
            words.insert_others(2..4);
            words.shrink_to_one();
            words.insert_others(2..12);
            words.shrink_to_one();
            words.insert_others(2..4);
        },
        read_word_that_stays,
    );
}

#[test]
fn words_are_never_mixed_while_tables_clear() {
    explore_words(
        |words| {
            words.insert_others(2..4);
            words.clear();
            words.insert(word_item(3, 31));
            words.insert(word_item(1, 40));
            words.insert_others(4..6);
        },
        read_word,
    );
}

#[test]
fn items_are_found_while_tables_shrink() {
    explore_concurrent_readers(|written| {
        (1..14).for_each(|key| written.insert(key));
        (1..14).for_each(|key| written.remove(key));
        assert!(written.index.is_sparse(1, &Guard::new()));
        written.shrink();
    });
}

#[test]
#[should_panic = "lost a word"]
fn the_checker_notices_a_two_step_replacement() {
    explore_words(
        |words| {
            words.remove(1);
            words.insert(word_item(1, 20));
        },
        read_word_that_stays,
    );
}

#[test]
#[should_panic = "torn"]
fn the_checker_notices_a_reader_without_second_look() {
    explore_words(
        |words| words.replace(word_item(1, 20)),
        |index| {
            let Ok(Some((value, found))) = index.find_fresh(HASH, 1, ANY) else {
                return;
            };
            let created = found.entry(value).created;
            assert_eq!(created / 1000, value, "torn");
        },
    );
}
