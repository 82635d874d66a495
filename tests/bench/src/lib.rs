//! Benches of cachier beside its peers.
