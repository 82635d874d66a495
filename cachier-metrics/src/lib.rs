//! Exact counters, sampled timings, windows and exporters for cached functions.
