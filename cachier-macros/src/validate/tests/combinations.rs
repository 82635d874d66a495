//! Arguments that exclude or need each other.

use super::support::{F, fine, refused};

#[test]
fn arguments_that_exclude_each_other() {
    refused(
        "key = |a| a, skip(b)",
        F,
        "`skip` and `key` exclude each other",
        "skip",
    );
    refused(
        "backend = \"memory\", near_cache = 3",
        F,
        "`near_cache` stands in front",
        "near_cache",
    );
    refused(
        "backend = \"redis\", cache_dir = \"x\"",
        F,
        "`cache_dir` is the folder of the file backend",
        "cache_dir",
    );
    refused(
        "backend = registered(\"x\"), cache_dir = \"x\"",
        F,
        "`cache_dir` is the folder",
        "cache_dir",
    );
    refused(
        "capacity = 3",
        F,
        "`capacity` bounds the memory backend",
        "capacity",
    );
    refused(
        "backend = \"file\", near_cache = 3, capacity = 3",
        F,
        "`capacity` bounds the memory",
        "capacity",
    );
    refused(
        "stale_after = \"10m\", refresh_after = \"10m\"",
        F,
        "`refresh_after` has no effect from `stale_after` on",
        "refresh_after",
    );
    refused(
        "refresh_after = \"100%\"",
        F,
        "`refresh_after` has no effect",
        "refresh_after",
    );
    for nothing in ["0s", "0%"] {
        refused(
            &format!("refresh_after = \"{nothing}\""),
            F,
            "`refresh_after` of nothing",
            "refresh_after",
        );
    }
    fine("stale_after = \"10m\", refresh_after = \"9m\"", F);
    fine("refresh_after = \"20m\"", F);
    refused(
        "backend = \"s3\", capacity_bytes = 3",
        F,
        "`capacity_bytes` bounds",
        "capacity_bytes",
    );
    refused(
        "backend = registered(\"x\"), capacity_bytes = 3",
        F,
        "`capacity_bytes` bounds",
        "capacity_bytes",
    );
}

#[test]
fn arguments_that_need_another() {
    refused(
        "sampling_rate = 0.1",
        F,
        "`sampling_rate` has nothing to sample",
        "sampling_rate",
    );
    refused(
        "enable_metrics = false, metrics_sampling_rate = 0.1",
        F,
        "`sampling_rate` has",
        "metrics_sampling_rate",
    );
    refused(
        "cleanup_stale = false, cleanup_interval = \"1d\"",
        F,
        "`cleanup_interval` has no effect",
        "cleanup_interval",
    );
    refused(
        "near_stale_after = \"1s\"",
        F,
        "`near_stale_after` has no effect",
        "near_stale_after",
    );
}

#[test]
fn combinations_that_make_sense() {
    fine("next_time", F);
    fine("cleanup_interval = \"1d\"", F);
    fine("next_time, retry_after = \"0s\"", F);
    fine("stale_on_error = \"1h\", retry_after = \"1m\"", F);
    // `stale_on_error` may be one of the program's parameters.
    fine("stale_after = \"1h\", retry_after = \"5s\"", F);
    fine("next_time = auto, retry_after = \"5s\"", F);
    fine("cache_dir = \"x\", capacity_bytes = \"1GB\"", F);
    fine(
        "backend = \"file\", cache_dir = \"x\", near_cache = 3, near_stale_after = \"1s\"",
        F,
    );
    fine(
        "backend = \"memory\", capacity = 3, capacity_bytes = 3, operation_timeout = \"1s\", version = 2",
        F,
    );
    fine(
        "enable_metrics, sampling_rate = 0.1, cleanup_stale, cleanup_interval = \"1d\"",
        F,
    );
}
