//! The stored values, of about 250 bytes.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

/// The number of entries.
pub(crate) const KEYS: u64 = 100;

/// The number of values computed by cached functions.
pub(crate) static COMPUTED: AtomicU64 = AtomicU64::new(0);

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    id: u64,
    title: String,
    words: Vec<u32>,
}

impl Report {
    /// The result of a cached function.
    pub(crate) fn computed(id: u64) -> Self {
        COMPUTED.fetch_add(1, Ordering::Relaxed);
        Self::new(id)
    }

    fn new(id: u64) -> Self {
        Self {
            id,
            title: format!(
                "Report {id} on the state of the shores of the northern lakes in autumn"
            ),
            words: (0..40).map(|word| word * 977 % 65_000).collect(),
        }
    }

    pub(crate) fn decoded(bytes: &[u8]) -> Self {
        ciborium::from_reader(bytes).expect("it is what was stored")
    }
}

/// The keys and bytes that the bare client reads.
pub(crate) fn stored() -> impl Iterator<Item = (u64, Vec<u8>)> {
    (0..KEYS).map(|id| {
        let mut bytes = Vec::new();
        ciborium::into_writer(&Report::new(id), &mut bytes).expect("it is serialized");
        (id, bytes)
    })
}

/// The cached functions on the backend of this name, async and sync.
#[rustfmt::skip] // It would indent the attributes more each time.
macro_rules! cached {
    ($store:tt, $of_task:ident, $of_thread:ident) => {
        #[cachier::cachier(backend = registered($store), enable_metrics, sampling_rate = 0.1)]
        async fn $of_task(id: u64) -> $crate::value::Report {
            $crate::value::Report::computed(id)
        }

        #[cachier::cachier(backend = registered($store), enable_metrics, sampling_rate = 0.1)]
        fn $of_thread(id: u64) -> $crate::value::Report {
            $crate::value::Report::computed(id)
        }
    };
}
pub(crate) use cached;
