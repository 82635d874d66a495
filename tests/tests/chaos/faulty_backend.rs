//! A backend that sometimes gives another request's answer, or part of an answer.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use cachier::{Backend, BoxFuture, Key, Loaded};
use cachier_tests::layer::{Layer, Layered};

/// The frequency of false answers.
const ONCE_IN: u32 = 150;

/// Whether all answers are right from now on.
pub(crate) static IS_OVER: AtomicBool = AtomicBool::new(false);

pub(crate) struct FaultyBackend {
    backend: Arc<dyn Backend>,
    /// An earlier answer to another request.
    earlier: Mutex<Option<(Key, Vec<u8>)>>,
}

impl FaultyBackend {
    pub(crate) fn in_front_of(backend: Arc<dyn Backend>) -> Layered<Self> {
        let earlier = Mutex::default();
        Layered(Self { backend, earlier })
    }

    fn tamper(&self, key: &Key, loaded: &mut Loaded) {
        if IS_OVER.load(Ordering::Relaxed) {
            return;
        }
        let mut earlier = self.earlier.lock().unwrap_or_else(PoisonError::into_inner);
        match fastrand::u32(..ONCE_IN) {
            0 => {
                if let Some((of, bytes)) = &*earlier
                    && of != key
                {
                    loaded.bytes.clone_from(bytes);
                }
            }
            1 => loaded
                .bytes
                .truncate(fastrand::usize(..=loaded.bytes.len())),
            2 if !loaded.bytes.is_empty() => {
                let at = fastrand::usize(..loaded.bytes.len());
                loaded.bytes[at] ^= 1 << fastrand::u32(..8);
            }
            3..20 => *earlier = Some((key.clone(), loaded.bytes.clone())),
            _ => {}
        }
    }
}

impl Layer for FaultyBackend {
    fn behind(&self) -> &dyn Backend {
        &*self.backend
    }

    fn load<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Option<Loaded>> {
        Box::pin(async move {
            let mut loaded = self.backend.load(key).await?;
            if let Some(loaded) = &mut loaded {
                self.tamper(key, loaded);
            }
            Ok(loaded)
        })
    }
}
