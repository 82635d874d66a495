//! Error reporting: errors are collected until all are known, with suggestions for typos.

use std::fmt::Display;

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;
use syn::Error;

/// All errors found so far, each with its span.
#[derive(Default)]
pub(crate) struct Errors(Vec<Error>);

impl Errors {
    /// Adds an error.
    pub(crate) fn at(&mut self, place: Span, message: impl Display) {
        self.0.push(Error::new(place, message));
    }

    /// Adds an error that spans all tokens of a construct.
    pub(crate) fn over(&mut self, tokens: impl ToTokens, message: impl Display) {
        self.0.push(Error::new_spanned(tokens, message));
    }

    /// The value of a result; an error is added.
    pub(crate) fn note<T>(&mut self, result: syn::Result<T>) -> Option<T> {
        result.map_err(|error| self.0.push(error)).ok()
    }

    /// Adds all of these errors.
    pub(crate) fn append(&mut self, more: Self) {
        self.0.extend(more.0);
    }

    /// Whether there are no errors.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One `compile_error!` per error.
    pub(crate) fn into_compile_errors(self) -> TokenStream {
        self.0.iter().map(Error::to_compile_error).collect()
    }

    /// Message and source text of each error, for tests.
    #[cfg(test)]
    pub(crate) fn described(&self) -> Vec<(String, String)> {
        let describe = |error: &Error| {
            let source = error.span().source_text().unwrap_or_default();
            (error.to_string(), source)
        };
        self.0.iter().map(describe).collect()
    }
}

/// `, did you mean ...?` if one of the candidates is close to `written`.
pub(crate) fn did_you_mean<'a>(
    written: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    closest(written, candidates).map(|candidate| format!(", did you mean `{candidate}`?"))
}

/// The candidate closest to `written`, if a typo explains the difference: at most a third of the letters, as in the
/// compiler's own suggestions.
fn closest<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let written = written.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| {
            (
                edit_distance(&written, &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|(distance, candidate)| *distance <= written.len().max(candidate.len()).div_ceil(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The number of insertions, deletions, replacements and transpositions between two words (the optimal string alignment
/// distance).
fn edit_distance(from: &str, to: &str) -> usize {
    let from: Vec<char> = from.chars().collect();
    let to: Vec<char> = to.chars().collect();
    let mut rows: Vec<Vec<usize>> = vec![(0..=to.len()).collect()];
    for (i, &a) in from.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, &b) in to.iter().enumerate() {
            let replaced = rows[i][j] + usize::from(a != b);
            let mut cost = replaced.min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a == to[j - 1] && b == from[i - 1] {
                cost = cost.min(rows[i - 1][j - 1] + 1);
            }
            row.push(cost);
        }
        rows.push(row);
    }
    rows[from.len()][to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_single_slips() {
        assert_eq!(edit_distance("stale_after", "stale_after"), 0);
        assert_eq!(edit_distance("stale_affter", "stale_after"), 1);
        assert_eq!(edit_distance("stael_after", "stale_after"), 1);
        assert_eq!(edit_distance("", "abc"), 3);
        assert_eq!(edit_distance("redis", "sql"), 5);
    }

    #[test]
    fn only_the_nearest_close_candidate_is_suggested() {
        let names = ["max_stale", "stale_after", "stale_on_error"];
        assert_eq!(closest("stale_affter", names), Some("stale_after"));
        assert_eq!(closest("Stale_After", names), Some("stale_after"));
        assert_eq!(closest("ttl", names), None);
    }
}
