//! Answers to arguments that do not exist: what other libraries have in their place, and the nearest name.

use crate::diagnostics::did_you_mean;

/// The message for an unknown argument.
pub(super) fn unknown_argument(name: &str, known: &[&str]) -> String {
    let of = |table: &[(&str, &'static str)]| {
        let mut rows = table.iter();
        rows.find(|(word, _)| *word == name)
            .map(|(_, answer)| *answer)
    };
    let hint = match (of(SYNONYMS), of(ANSWERS)) {
        (Some(argument), _) => Some(format!(", did you mean `{argument}`?")),
        (None, Some(answer)) => Some(format!("; {answer}")),
        (None, None) => did_you_mean(name, known.iter().copied()),
    };
    let hint = hint.unwrap_or_else(|| "; the page of `cachier::cachier` lists them all".to_owned());
    format!("unknown argument `{name}`{hint}")
}

/// Names in other libraries for this library's arguments, and values without their argument.
const SYNONYMS: &[(&str, &str)] = &[
    ("memory", "backend = \"memory\""),
    ("file", "backend = \"file\""),
    ("redis", "backend = \"redis\""),
    ("sql", "backend = \"sql\""),
    ("mongo", "backend = \"mongo\""),
    ("s3", "backend = \"s3\""),
    ("disk", "backend = \"file\""),
    ("in_trait", "companion = false"),
    ("storage", "backend"),
    ("store", "backend"),
    ("max_age", "stale_after"),
    ("expires", "stale_after"),
    ("expires_after", "stale_after"),
    ("expire_after", "stale_after"),
    ("time_to_live", "stale_after"),
    ("stale_while_revalidate", "next_time"),
    ("refresh", "next_time"),
    ("refresh_after_write", "refresh_after"),
    ("beta", "refresh_after = early"),
    ("ttl_jitter", "jitter"),
    ("expiry_jitter", "jitter"),
    ("jitter_max_duration", "jitter"),
    ("spread", "jitter"),
    ("profile", "policy"),
    ("eager_refresh", "refresh_after"),
    ("stale_if_error", "stale_on_error"),
    ("max_capacity", "capacity"),
    ("limit", "capacity"),
    ("lru", "capacity"),
    ("ignore", "skip"),
    ("exclude", "skip"),
    ("condition", "cache_if"),
    ("prefix", "name"),
    ("namespace", "name"),
    ("ttl", "stale_after"),
    ("ttl_secs", "stale_after"),
    ("time", "stale_after"),
    ("expire", "stale_after"),
    ("size", "capacity"),
    ("max_size", "capacity"),
    ("maxsize", "capacity"),
    ("lifespan", "stale_after"),
    ("cache_none", "allow_none"),
    ("max_entries", "capacity"),
    ("convert", "key"),
    ("hash_func", "key"),
    ("metrics", "enable_metrics"),
    ("dir", "cache_dir"),
];

/// Arguments of other libraries for what needs none here, or is said elsewhere.
const ANSWERS: &[(&str, &str)] = &[
    ("result", "of a `Result` only the `Ok` is kept anyway"),
    (
        "option",
        "of an `Option` a `None` is kept only with `allow_none`",
    ),
    (
        "cache_err",
        "an `Err` is not kept; what is to be kept is a value",
    ),
    (
        "sync_writes",
        "callers with one key wait for one computation anyway",
    ),
    (
        "sync",
        "callers with one key wait for one computation anyway",
    ),
    ("typed", "arguments of other types have other keys anyway"),
    ("ty", STORES),
    ("create", STORES),
    ("unbound", STORES),
    (
        "with_cached_flag",
        "`call_detailed` of the companion tells what happened",
    ),
    (
        "force_refresh",
        "`call_with` of the companion takes `CallOptions::new().overwrite_cache()`",
    ),
    (
        "map_error",
        "a backend that fails is passed over, or `on_backend_error = \"propagate\"` returns its error",
    ),
    (
        "timeout",
        "`operation_timeout` is about the backend, `wait_for_calc_timeout` about another caller's computation",
    ),
    ("enabled", SWITCHES),
    ("caching_enabled", SWITCHES),
    (
        "allow_non_static_methods",
        "`skip(self)` or `key` says what `self` means for the key",
    ),
    ("separate_files", FILES),
    ("pickle_reload", FILES),
    ("mongetter", CONNECTIONS),
    ("redis_client", CONNECTIONS),
    ("sql_engine", CONNECTIONS),
];

const STORES: &str = "`backend`, `capacity` and `stale_after` say what kind of cache it is";

const SWITCHES: &str = "`cachier::disable(\"..\")` turns functions off while the program runs";

const FILES: &str = "each entry is a file of its own, which is read when it is asked for";

const CONNECTIONS: &str = "`backend` names the kind of store; where it is, `cachier::register_backend` or the environment says";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_other_libraries_are_answered() {
        for (name, answer) in [
            ("ttl", "unknown argument `ttl`, did you mean `stale_after`?"),
            (
                "create",
                "unknown argument `create`; `backend`, `capacity` and `stale_after` say what kind of cache it is",
            ),
            (
                "result",
                "unknown argument `result`; of a `Result` only the `Ok` is kept anyway",
            ),
            (
                "ttl_jitter",
                "unknown argument `ttl_jitter`, did you mean `jitter`?",
            ),
            ("skpi", "unknown argument `skpi`, did you mean `skip`?"),
            (
                "colour",
                "unknown argument `colour`; the page of `cachier::cachier` lists them all",
            ),
        ] {
            assert_eq!(
                unknown_argument(name, &["skip", "crate", "cache_dir"]),
                answer
            );
        }
    }

    #[test]
    fn each_name_has_one_answer() {
        let mut names: Vec<_> = SYNONYMS
            .iter()
            .chain(ANSWERS)
            .map(|(name, _)| name)
            .collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
