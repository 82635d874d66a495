//! Spans of calls for `tracing`.

use std::fmt::{Debug, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use cachier::testing::{Clock, isolated, isolated_async};
use cachier::{CallOptions, CallSpans, cachier, set_call_spans};
use cachier_tests::backend::MapBackend;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Dispatch, Event, Metadata, Subscriber};

/// Writes down what happens to the spans of cachier, and what the program says meanwhile.
#[derive(Clone, Default)]
struct Diary(Arc<Mutex<Vec<String>>>);

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, " {field}={value:?}");
    }
}

impl Diary {
    fn note(&self, begin: &str, fields: impl FnOnce(&mut Text)) {
        let mut text = Text(begin.to_owned());
        fields(&mut text);
        self.0.lock().unwrap().push(text.0);
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Subscriber for Diary {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let is_said = metadata.is_event() && metadata.target() == "said";
        is_said || metadata.is_span() && metadata.target() == "cachier"
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        self.note(span.metadata().name(), |text| span.record(text));
        Id::from_u64(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        self.note("record", |text| values.record(text));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        self.note("said", |text| event.record(text));
    }

    fn enter(&self, _: &Id) {
        self.note("enter", |_| {});
    }

    fn exit(&self, _: &Id) {
        self.note("exit", |_| {});
    }
}

/// What is written down on this thread while these calls have spans; one test at a time, as that is for the whole program.
fn diary(spans: CallSpans) -> (Diary, impl Drop) {
    struct Chosen {
        _alone: MutexGuard<'static, ()>,
        _listening: DefaultGuard,
    }
    impl Drop for Chosen {
        fn drop(&mut self) {
            set_call_spans(CallSpans::Sampled);
        }
    }
    static ALONE: Mutex<()> = Mutex::new(());
    // With a single subscriber, tracing asks only the first thread whether it is interested, and caches the answer for all.
    static ANOTHER: OnceLock<Dispatch> = OnceLock::new();
    ANOTHER.get_or_init(|| Dispatch::new(Diary::default()));
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    set_call_spans(spans);
    let diary = Diary::default();
    let _listening = tracing::subscriber::set_default(diary.clone());
    (diary, Chosen { _alone, _listening })
}

#[cachier(
    backend = "memory",
    name = "spanned",
    stale_after = "1h",
    enable_metrics,
    sampling_rate = 1.0
)]
fn spanned(name: &str) -> usize {
    tracing::info!(target: "said", "computing");
    name.len()
}

const BEGIN: &str =
    "cachier.call function=\"spanned\" backend=\"memory\" cache.operation=\"get\" cache.ttl=3600.0";

#[test]
fn a_sampled_call_has_a_span() {
    let (diary, _chosen) = diary(CallSpans::Sampled);
    isolated(|| {
        assert_eq!(spanned("a secret"), 8);
        let miss = diary.take();
        let outcome = ["record outcome=\"miss\"", "record cache.hit=false"];
        let run = ["enter", "said message=computing", "exit"];
        assert_eq!(miss[0], BEGIN);
        assert_eq!(miss[1..4], run);
        assert!(
            outcome
                .iter()
                .all(|part| miss[4..].iter().any(|line| line == part)),
            "{miss:?}"
        );
        Clock::advance(Duration::from_secs(3));
        assert_eq!(spanned("a secret"), 8);
        let hit = [
            BEGIN,
            "record outcome=\"hit\"",
            "record cache.hit=true",
            "record tier=\"backend\"",
            "record age=3.0",
        ];
        assert_eq!(diary.take(), hit);
        // Neither does a call that reports what happened.
        let call = spanned::call_detailed(CallOptions::new().skip_cache(), "a secret");
        assert_eq!(call.value, 8);
        let bypass = diary.take();
        assert_eq!(bypass[0], BEGIN);
        assert!(
            !bypass.iter().any(|line| line.contains("cache.hit")),
            "{bypass:?}"
        );
        let all = [miss, bypass].concat().join("\n");
        assert!(!all.contains("secret"), "{all}");
    });
}

#[test]
fn others_have_a_span_by_choice() {
    #[cachier(backend = "memory", name = "unmeasured")]
    fn unmeasured(number: u64) -> u64 {
        number
    }

    for (choice, of_measured, of_unmeasured) in [
        (CallSpans::Off, 0, 0),
        (CallSpans::Sampled, 2, 0),
        (CallSpans::All, 2, 2),
    ] {
        let (diary, _chosen) = diary(choice);
        isolated(|| {
            let spans = |call: fn()| {
                (0..2).for_each(|_| call());
                let lines = diary.take();
                let hits = lines
                    .iter()
                    .filter(|line| *line == "record outcome=\"hit\"")
                    .count();
                let spans = lines
                    .iter()
                    .filter(|line| line.starts_with("cachier.call"))
                    .count();
                assert_eq!(hits, spans / 2, "{lines:?}");
                spans
            };
            assert_eq!(spans(|| _ = spanned("x")), of_measured);
            assert_eq!(spans(|| _ = unmeasured(1)), of_unmeasured);
        });
    }
}

#[tokio::test]
async fn a_span_is_around_its_task_alone() {
    #[cachier(backend = registered("map"), name = "awaited", enable_metrics, sampling_rate = 1.0)]
    async fn awaited(number: u64) -> u64 {
        tokio::task::yield_now().await;
        tracing::info!(target: "said", "computing");
        number
    }

    let (diary, _chosen) = diary(CallSpans::Sampled);
    isolated_async(async {
        cachier::register_backend("map", MapBackend::default()).unwrap();
        assert_eq!(awaited(1).await, 1);
        let lines = diary.take();
        assert!(
            lines[0].starts_with("cachier.call function=\"awaited\" backend=\"map\""),
            "{lines:?}"
        );
        assert!(!lines[0].contains("cache.ttl"), "{lines:?}");
        let entered = |until: &str| {
            let until = lines.iter().position(|line| line == until).unwrap();
            let of = |what: &str| lines[..until].iter().filter(|line| *line == what).count();
            of("enter") - of("exit")
        };
        assert_eq!(entered("said message=computing"), 1);
        assert_eq!(entered("record outcome=\"miss\""), 0);
        let has_size = |lines: &[String]| {
            lines
                .iter()
                .any(|line| line.starts_with("record cache.item_size="))
        };
        assert!(has_size(&lines), "{lines:?}");
        assert_eq!(awaited(1).await, 1);
        let lines = diary.take();
        assert!(
            has_size(&lines) && lines.contains(&"record cache.hit=true".to_owned()),
            "{lines:?}"
        );
    })
    .await;
}
