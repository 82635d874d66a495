//! Analyses a single text: the slow part of the program, which is cached.

use std::collections::BTreeMap;
use std::time::Duration;

use cachier::cachier;
use serde::{Deserialize, Serialize};

/// The results for one text.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Analysis {
    pub(crate) lines: usize,
    pub(crate) words: usize,
    /// The number of occurrences of each word.
    pub(crate) vocabulary: BTreeMap<String, usize>,
    /// The time to read it.
    pub(crate) reading_time: Duration,
    pub(crate) misspellings: Vec<Misspelling>,
}

/// A word that may be misspelt.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Misspelling {
    pub(crate) word: String,
    /// The more frequent word probably meant.
    pub(crate) meant: String,
}

/// Analyses a text.
///
/// The key is the text itself: a changed file is analysed anew, a moved one is not. (In storage the key is a hash; the
/// text is not kept.) `version = auto` would notice changes of this body, but not of the functions it calls: hence a
/// number, to be raised when one of them changes.
#[cachier(backend = "file", version = 1, enable_metrics)]
pub(crate) fn analyse(text: &str) -> Analysis {
    let mut vocabulary = BTreeMap::new();
    for word in words(text) {
        *vocabulary.entry(word.to_lowercase()).or_insert(0) += 1;
    }
    let words = vocabulary.values().sum();
    Analysis {
        lines: text.lines().count(),
        words,
        reading_time: Duration::from_secs_f64(words as f64 * 60.0 / WORDS_PER_MINUTE),
        misspellings: misspellings(&vocabulary),
        vocabulary,
    }
}

/// The average speed of adults reading English silently: Brysbaert, "How many words do we read per minute?", Journal of
/// Memory and Language 109 (2019).
const WORDS_PER_MINUTE: f64 = 238.0;

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|character: char| !character.is_alphabetic())
        .filter(|word| !word.is_empty())
}

/// Words that are one typo away from a much more frequent one.
fn misspellings(vocabulary: &BTreeMap<String, usize>) -> Vec<Misspelling> {
    let long = |(word, count): (&String, &usize)| {
        let letters: Vec<char> = word.chars().collect();
        (letters.len() >= MIN_LETTERS).then_some((letters, *count))
    };
    let words: Vec<_> = vocabulary.iter().filter_map(long).collect();
    let misspelling = |(word, count): &(Vec<char>, usize)| {
        let alike = words.iter().filter(|(other, often)| {
            *often >= count * MIN_FREQUENCY_RATIO
                && !is_inflection(word, other)
                && distance(word, other) == 1
        });
        let (meant, _) = alike.max_by_key(|(_, often)| *often)?;
        Some(Misspelling {
            word: word.iter().collect(),
            meant: meant.iter().collect(),
        })
    };
    words.iter().filter_map(misspelling).collect()
}

/// Shorter words are too often one letter apart.
const MIN_LETTERS: usize = 6;

/// The meant word must occur this many times as often.
const MIN_FREQUENCY_RATIO: usize = 2;

/// Whether two words differ near their ends only: `caches`, `cached`.
fn is_inflection(a: &[char], b: &[char]) -> bool {
    let stem = a.len().min(b.len()) - 2;
    a[..stem] == b[..stem]
}

/// The number of insertions, deletions, replacements and swaps of neighbours that turn one word into the other: the
/// optimal string alignment distance, after Damerau, "A technique for computer detection and correction of spelling
/// errors", Communications of the ACM 7 (1964).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before = vec![0; b.len() + 1];
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut fewest = replaced.min(above[j] + 1).min(row[j - 1] + 1);
            let swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if swapped {
                fewest = fewest.min(before[j - 2] + 1);
            }
            row.push(fewest);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letters(word: &str) -> Vec<char> {
        word.chars().collect()
    }

    #[test]
    fn one_slip_is_a_distance_of_one() {
        let word = letters("memory");
        for slip in ["memroy", "memor", "memoryy", "mamory"] {
            assert_eq!(distance(&word, &letters(slip)), 1, "{slip}");
        }
        assert_eq!(distance(&word, &word), 0);
        assert_eq!(distance(&word, &letters("")), 6);
    }

    #[test]
    fn rare_words_close_to_frequent_ones_are_misspellings() {
        let folder = tempfile::tempdir().expect("a folder for the test");
        cachier::testing::isolated(|| {
            cachier::set_global_params(cachier::global_params().cache_dir(folder.path()));
            let analysis = analyse("Memory, memroy; memory: caches cached cached");
            let misspellings: Vec<_> = analysis
                .misspellings
                .iter()
                .map(|misspelling| (&*misspelling.word, &*misspelling.meant))
                .collect();
            assert_eq!(misspellings, [("memroy", "memory")]);
            assert_eq!((analysis.lines, analysis.words), (1, 6));
        });
    }
}
