//! The words that distinguish a text from the others: the async part of the program.

use std::collections::BTreeSet;
use std::sync::Arc;

use cachier::cachier;

use crate::analysis::Analysis;

/// The vocabularies of all texts.
pub(crate) struct Library(Vec<BTreeSet<String>>);

impl Library {
    pub(crate) fn of(analyses: &[Analysis]) -> Self {
        let vocabulary = |analysis: &Analysis| analysis.vocabulary.keys().cloned().collect();
        Self(analyses.iter().map(vocabulary).collect())
    }
}

/// The number of texts of the library with this word.
///
/// Many texts request the same words at once: the first computes, the others wait for it or find its result. There is
/// one library, so it is not part of the key.
#[cachier(backend = "memory", capacity = 100_000, skip(library), enable_metrics)]
pub(crate) async fn spread(word: &str, library: &Arc<Library>) -> usize {
    let mut found = 0;
    for texts in library.0.chunks(TEXTS_PER_TURN) {
        found += texts.iter().filter(|text| text.contains(word)).count();
        tokio::task::yield_now().await;
    }
    found
}

/// Other tasks get a turn after this many texts.
const TEXTS_PER_TURN: usize = 100;

/// For each text, the words that are frequent there and rare elsewhere. Several tasks share the texts.
pub(crate) async fn characteristic_words(
    library: &Arc<Library>,
    analyses: &[Analysis],
) -> Vec<Vec<String>> {
    let shares = analyses.chunks(analyses.len().div_ceil(TASKS).max(1));
    let tasks: Vec<_> = shares
        .map(|share| {
            let texts: Vec<_> = share.iter().map(frequent_words).collect();
            let library = Arc::clone(library);
            tokio::spawn(async move {
                let mut characteristic = Vec::new();
                for words in texts {
                    characteristic.push(most_characteristic(words, &library).await);
                }
                characteristic
            })
        })
        .collect();
    let mut characteristic = Vec::new();
    for task in tasks {
        characteristic.extend(task.await.expect("a task does not panic"));
    }
    characteristic
}

const TASKS: usize = 8;

/// The words with the highest tf-idf weight: Spärck Jones, "A statistical interpretation of term specificity and its
/// application in retrieval", Journal of Documentation 28 (1972).
async fn most_characteristic(words: Vec<(String, usize)>, library: &Arc<Library>) -> Vec<String> {
    let texts = library.0.len() as f64;
    let mut weighed = Vec::new();
    for (word, count) in words {
        let with_word = spread(&word, library).await as f64;
        weighed.push((word, count as f64 * (texts / with_word).ln()));
    }
    weighed.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    weighed.truncate(MAX_SHOWN);
    weighed.into_iter().map(|(word, _)| word).collect()
}

const MAX_SHOWN: usize = 4;

/// Candidates for characteristic words, with their number of occurrences.
fn frequent_words(analysis: &Analysis) -> Vec<(String, usize)> {
    let mut words: Vec<_> = analysis
        .vocabulary
        .iter()
        .filter(|(word, _)| word.len() > 2)
        .map(|(word, count)| (word.clone(), *count))
        .collect();
    words.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    words.truncate(MAX_CANDIDATES);
    words
}

const MAX_CANDIDATES: usize = 60;
