//! Model checking: random schedules of one writer and lock-free readers. Run with `RUSTFLAGS="--cfg shuttle" cargo test
//! -p cachier-backends --lib memory`.

use std::ops::Range;
use std::sync::atomic::Ordering::{Acquire, Release};

use shuttle::sync::atomic::AtomicBool;
use shuttle::thread;

use super::super::catalog::Catalog;
use super::super::entry::Times;
use super::super::index::Index;
use super::super::sync::Guard;
use super::super::word_index::{WordIndex, WordItem, WordRef};
use super::{ANY, at_most, plain};

const SCHEDULES: usize = 1000;

/// Hashes of the same bucket, with the same byte in its summary.
const HASH: u32 = 0x0700_0000;

#[derive(Clone, Copy)]
struct Item {
    key: u32,
    version: u32,
}

/// An index with its writer's state; the item of key 0 is always present.
struct Written {
    index: &'static Index<Item>,
    catalog: Catalog,
}

impl Written {
    fn new() -> Self {
        let index = Box::leak(Box::new(Index::new()));
        let mut written = Self {
            index,
            catalog: Catalog::default(),
        };
        assert_eq!(written.insert(0), 0);
        written
    }

    fn insert(&mut self, key: u32) -> u32 {
        let (id, item) = (self.catalog.next_id(), Item { key, version: 0 });
        self.index
            .insert(&mut self.catalog, HASH, item, &Guard::new());
        id
    }

    fn replace(&mut self, id: u32, item: Item) {
        self.index
            .replace(&mut self.catalog, id, item, &Guard::new());
    }

    fn remove(&mut self, id: u32) {
        self.index.remove(&mut self.catalog, id, &Guard::new());
    }
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
fn explore_readers_beside(write: fn(&mut Written)) {
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
    explore_readers_beside(|written| {
        for _ in 0..3 {
            let ids = [1, 2, 3].map(|key| written.insert(key));
            ids.into_iter().for_each(|id| written.remove(id));
        }
    });
}

#[test]
fn a_permanent_item_is_found_while_growing() {
    explore_readers_beside(|written| {
        for key in 1..14 {
            written.insert(key);
        }
    });
}

#[test]
fn a_key_is_found_during_its_replacement() {
    explore_readers_beside(|written| {
        (1..5).for_each(|version| written.replace(0, Item { key: 0, version }));
    });
}

#[test]
#[should_panic = "lost an item"]
fn the_checker_notices_a_replacement_in_two_steps() {
    explore_readers_beside(|written| {
        written.remove(0);
        written.insert(0);
    });
}

#[test]
#[should_panic = "lost an item"]
fn the_checker_notices_a_table_filled_after_publication() {
    explore_readers_beside(|written| {
        drop(written.index.clear(&mut written.catalog, &Guard::new()));
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

/// Changes a word index during a lookup. Many schedules, as few have a whole change between two steps of the reader.
fn explore_words(write: fn(&WordIndex, &mut Catalog), read: fn(&WordIndex)) {
    explore_under(30 * SCHEDULES, move || {
        let index: &'static WordIndex = Box::leak(Box::new(WordIndex::new()));
        let mut catalog = Catalog::default();
        index.insert(&mut catalog, HASH, word_item(1, 10), &Guard::new());
        let reader = thread::spawn(move || (0..3).for_each(|_| read(index)));
        write(index, &mut catalog);
        reader.join().unwrap();
    });
}

fn word_item(key: u64, value: u64) -> WordItem {
    WordItem {
        key,
        value,
        since: value,
        times: Times {
            created: value,
            compute_nanos: 0,
        },
    }
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
            assert_eq!(value, since, "torn");
        }
    });
}

#[test]
fn words_of_different_entries_are_never_mixed() {
    explore_words(
        |index, catalog| {
            let guard = Guard::new();
            index.replace(catalog, 0, word_item(1, 20), &guard);
            index.remove(catalog, 0, &guard);
            index.insert(catalog, HASH, word_item(2, 21), &guard);
            index.insert(catalog, HASH, word_item(1, 30), &guard);
        },
        read_word,
    );
}

#[test]
fn a_permanent_word_is_found_while_growing() {
    explore_words(
        |index, catalog| {
            // The last tables are large ones.
            insert_others(index, catalog, 2..16);
        },
        read_word_that_stays,
    );
}

fn insert_others(index: &WordIndex, catalog: &mut Catalog, keys: Range<u64>) {
    keys.for_each(|key| index.insert(catalog, HASH, word_item(key, 1), &Guard::new()));
}

/// Removes all words but the first, and halves the table as long as it is sparse; it has to be small in the end.
fn shrink_to_one(index: &WordIndex, catalog: &mut Catalog) {
    let guard = Guard::new();
    for id in 1..catalog.len() as u32 {
        index.remove(catalog, id, &guard);
    }
    while index.is_sparse(catalog.len(), &guard) {
        catalog.renumber();
        index.shrink(catalog, &guard);
    }
}

#[test]
fn words_are_found_while_tables_shrink_and_grow() {
    explore_words(
        |index, catalog| {
            insert_others(index, catalog, 2..4);
            shrink_to_one(index, catalog);
            insert_others(index, catalog, 2..12);
            shrink_to_one(index, catalog);
            insert_others(index, catalog, 2..4);
        },
        read_word_that_stays,
    );
}

#[test]
fn words_are_never_mixed_while_tables_clear() {
    explore_words(
        |index, catalog| {
            insert_others(index, catalog, 2..4);
            index.clear(catalog, &Guard::new());
            index.insert(catalog, HASH, word_item(3, 31), &Guard::new());
            index.insert(catalog, HASH, word_item(1, 40), &Guard::new());
            insert_others(index, catalog, 4..6);
        },
        read_word,
    );
}

#[test]
fn items_are_found_while_tables_shrink() {
    explore_readers_beside(|written| {
        let ids: Vec<u32> = (1..14).map(|key| written.insert(key)).collect();
        ids.into_iter().for_each(|id| written.remove(id));
        let guard = Guard::new();
        assert!(written.index.is_sparse(1, &guard));
        written.catalog.renumber();
        let tell = |_: &Item, id| assert_eq!(id, 0);
        written.index.shrink(&mut written.catalog, tell, &guard);
    });
}

#[test]
#[should_panic = "lost a word"]
fn the_checker_notices_a_two_step_replacement() {
    explore_words(
        |index, catalog| {
            index.remove(catalog, 0, &Guard::new());
            index.insert(catalog, HASH, word_item(1, 20), &Guard::new());
        },
        read_word_that_stays,
    );
}

#[test]
#[should_panic = "torn"]
fn the_checker_notices_a_reader_without_second_look() {
    explore_words(
        |index, catalog| index.replace(catalog, 0, word_item(1, 20), &Guard::new()),
        |index| {
            let Ok(Some((value, found))) = index.find_fresh(HASH, 1, ANY) else {
                return;
            };
            assert_eq!(found.times().created, value, "torn");
        },
    );
}
