//! Persistent memoization with observability built in.
