//! Other attributes on a cached function.

use std::sync::{Arc, Mutex};

use cachier::cachier;
use cachier_tests::listener::Listener;
use cachier_tests::sandbox::{in_folder, in_folder_async};
use tracing::{Metadata, Subscriber};

/// Remembers the names of all spans.
#[derive(Default)]
struct Spans(Arc<Mutex<Vec<&'static str>>>);

impl Spans {
    fn listener(&self) -> impl Subscriber + use<> {
        let names = Arc::clone(&self.0);
        let hear = move |metadata: Option<&'static Metadata<'static>>, _| {
            names.lock().unwrap().push(metadata.unwrap().name());
        };
        Listener::new(|metadata| metadata.is_span(), hear)
    }

    fn take(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

#[cachier(backend = "memory")]
#[tracing::instrument]
fn computed(id: u64) -> u64 {
    id
}

#[cachier(backend = "file")]
#[tracing::instrument(skip_all, fields(id), name = "named")]
async fn computed_async(id: u64) -> u64 {
    id
}

/// An attribute that asks for a span of each call has one of its own.
#[tracing::instrument]
fn called(id: u64) -> u64 {
    computed(id)
}

#[derive(Debug)]
struct Service;

impl Service {
    #[cachier(backend = "memory", skip(self))]
    #[tracing::instrument(level = "debug")]
    fn computed(&self, id: u64) -> u64 {
        id
    }
}

#[tokio::test]
async fn an_instrumented_function_has_spans_of_computations() {
    let spans = Spans::default();
    let _guard = tracing::subscriber::set_default(spans.listener());
    in_folder_async(async |_| {
        spans.take();
        for _ in 0..2 {
            assert_eq!(computed(1), 1);
        }
        assert_eq!(spans.take(), ["computed"]);
        for _ in 0..2 {
            assert_eq!(computed_async(1).await, 1);
        }
        assert_eq!(spans.take(), ["named"]);
        for _ in 0..2 {
            assert_eq!(Service.computed(1), 1);
        }
        assert_eq!(spans.take(), ["computed"]);
        for _ in 0..2 {
            assert_eq!(called(2), 2);
        }
        assert_eq!(spans.take(), ["called", "computed", "called"]);
    })
    .await;
}

trait Lookup {
    fn lookup(&self, id: u64) -> u64;
    fn conditional(&self, id: u64) -> u64;
}

#[cachier::methods]
impl Lookup for Service {
    #[cachier(backend = "memory", skip(self))]
    #[tracing::instrument(skip_all)]
    fn lookup(&self, id: u64) -> u64 {
        id
    }

    #[cfg_attr(any(), coverage(off), optimize(size))]
    #[cachier(backend = "memory", skip(self))]
    #[cfg_attr(all(), inline, tracing::instrument, expect(clippy::needless_return))]
    #[cfg_attr(any(), track_caller_of_another_crate, cfg(any()))]
    fn conditional(&self, id: u64) -> u64 {
        return id;
    }

    #[cfg_attr(all(), cfg(any()))]
    #[cachier(backend = "memory", skip(self))]
    fn absent(&self, id: u64) -> Absent {
        id
    }
}

/// The macro on the impl comes first, and does what the compiler does for an attribute on the method.
#[test]
fn annotated_impls_have_spans_of_computations() {
    let spans = Spans::default();
    tracing::subscriber::with_default(spans.listener(), || {
        in_folder(|_| {
            spans.take();
            for _ in 0..2 {
                assert_eq!(Service.lookup(1), 1);
                assert_eq!(Service.conditional(1), 1);
            }
            assert_eq!(
                Service::conditional_cache().peek(&Service, 1).unwrap(),
                Some(1)
            );
        });
    });
    assert_eq!(spans.take(), ["lookup", "conditional"]);
}

#[cfg_attr(all(), cachier(backend = "memory"))]
#[cfg_attr(all(), tracing::instrument(name = "conditional"))]
fn conditional(id: u64) -> u64 {
    id
}

#[cfg(any())]
#[cachier(backend = "memory")]
fn conditional(id: u64) -> u64 {
    id
}

#[test]
fn conditions_come_before_the_attribute() {
    let spans = Spans::default();
    tracing::subscriber::with_default(spans.listener(), || {
        in_folder(|_| {
            spans.take();
            assert_eq!((conditional(1), conditional(1)), (1, 1));
            assert_eq!(conditional::peek(1).unwrap(), Some(1));
        });
    });
    assert_eq!(spans.take(), ["conditional"]);
}

#[cachier(backend = "memory")]
#[inline]
#[cold]
#[must_use]
#[doc(hidden)]
#[rustfmt::skip]
#[deprecated(note = "use the other")]
#[expect(clippy::too_many_arguments, reason = "all are needed")]
#[expect(clippy::needless_return)]
#[warn(unused)]
pub(crate) fn old(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8) -> u8 {
    if a == 0 {
        return b + c + d + e + f + g + h;
    }
    return old(a - 1, b, c, d, e, f, g, h) + 1;
}

#[test]
#[expect(deprecated)]
fn attributes_of_the_language_keep_their_meaning() {
    in_folder(|_| {
        assert_eq!(old(1, 1, 1, 1, 1, 1, 1, 1), 8);
        assert_eq!(old::peek(0, 1, 1, 1, 1, 1, 1, 1).unwrap(), Some(7));
    });
}
