//! What the attribute expands to, written by hand: the contract between `cachier-macros` and `cachier::__private`.
#![allow(clippy::unwrap_used, non_camel_case_types, dead_code, missing_docs)]

use std::time::Duration;

use cachier::{CacheMetrics, Call, CallOptions, Error, Outcome};

// #[cachier(backend = "memory", enable_metrics, stale_after = "1h", next_time)]
// fn join(text: &str, n: u32) -> Result<String, u8> { ... }
fn join(text: &str, n: u32) -> Result<String, u8> {
    let __shape = ::cachier::__shape!(Result<String, u8>);
    let __begun = join::__site().begin(
        __shape,
        &::cachier::__private::MemoryArguments((::cachier::__part!(text), ::cachier::__part!(&n))),
        ::cachier::__private::Option::Some(&join::__SLOT),
    );
    match __begun {
        ::cachier::__private::Begun::Hit(__value) => __value,
        ::cachier::__private::Begun::Miss(__start) => {
            let __call =
                ::cachier::__private::Operation::Call(::cachier::CallOptions::new(), __start);
            join::__dispatch(__call, text, n).call().value
        }
    }
}

#[doc(hidden)]
enum join {}

impl join {
    const __SLOT: ::std::thread::LocalKey<::cachier::__private::LocalSlot> = {
        ::std::thread_local! {
            static SLOT: ::cachier::__private::LocalSlot = const { ::cachier::__private::LocalSlot::new() };
        }
        SLOT
    };

    fn __site() -> &'static ::cachier::__private::Site<
        ::cachier::__private::Memory<
            (::cachier::__owned!(str), ::cachier::__owned!(u32)),
            ::cachier::__value!(Result<String, u8>),
        >,
    > {
        static SITE: ::cachier::__private::Site<
            ::cachier::__private::Memory<
                (::cachier::__owned!(str), ::cachier::__owned!(u32)),
                ::cachier::__value!(Result<String, u8>),
            >,
        > = ::cachier::__private::Site::new(|_| ::cachier::__private::Definition {
            identity: ::std::any::type_name::<join>().to_owned(),
            options: ::cachier::__private::Options {
                backend: ::cachier::__private::BackendName::Memory,
                stale_after: Some(Duration::from_secs(3600)),
                next_time: true,
                metrics: Some(const { ::cachier::__private::SamplingRate::new(1.0) }),
                ..::cachier::__private::Options::new()
            },
        });
        &SITE
    }

    fn __dispatch(
        __operation: ::cachier::__private::Operation<String>,
        text: &str,
        n: u32,
    ) -> ::cachier::__private::Reply<Result<String, u8>, String> {
        fn __body(text: &str, n: u32) -> Result<String, u8> {
            if n == 0 {
                return Err(7);
            }
            Ok(text.repeat(n as usize))
        }
        let __shape = ::cachier::__shape!(Result<String, u8>);
        let mut __recipe = ::cachier::__private::Recipe::new(__shape);
        __recipe.measure = ::cachier::__measure!(__shape);
        let __prepared = join::__site().prepare(
            __shape,
            __operation,
            &::cachier::__private::MemoryArguments((
                ::cachier::__part!(text),
                ::cachier::__part!(&n),
            )),
        );
        ::cachier::__private::dispatch(__recipe, __prepared, move |__mode| match __mode {
            ::cachier::__private::Mode::Now => ::cachier::__private::Step::Now(__body(text, n)),
            ::cachier::__private::Mode::Later => {
                let text = ::std::borrow::ToOwned::to_owned(text);
                ::cachier::__private::Step::Later(__recipe.in_thread(move || __body(&text, n)))
            }
        })
    }

    fn metrics() -> &'static CacheMetrics {
        Self::__site().metrics()
    }

    fn call_detailed(options: CallOptions, text: &str, n: u32) -> Call<Result<String, u8>> {
        let __call =
            ::cachier::__private::Operation::Call(options, ::cachier::__private::Start::default());
        Self::__dispatch(__call, text, n).call()
    }

    fn invalidate(text: &str, n: u32) -> Result<bool, Error> {
        Self::__dispatch(::cachier::__private::Operation::Invalidate, text, n).invalidated()
    }

    fn clear_cache() -> Result<Option<u64>, Error> {
        ::cachier::__private::block_on(Self::__site().clear(::cachier::__private::IsAsync::No))
    }

    fn precache_value(text: &str, n: u32, stored: String) -> Result<(), Error> {
        Self::__dispatch(::cachier::__private::Operation::Precache(stored), text, n).precached()
    }

    fn peek(text: &str, n: u32) -> Result<Option<String>, Error> {
        Self::__dispatch(::cachier::__private::Operation::Peek, text, n).peeked()
    }
}

#[test]
fn typed_sync_memory() {
    assert_eq!(join("ab", 2), Ok("abab".to_owned()));
    assert_eq!(join("ab", 2), Ok("abab".to_owned()));
    assert_eq!(join("ab", 0), Err(7));
    assert_eq!(join("ab", 0), Err(7));
    let stats = join::metrics().stats();
    assert_eq!((stats.hits, stats.misses), (1, 3));
    assert_eq!(join::peek("ab", 2).unwrap().as_deref(), Some("abab"));
    assert!(join::invalidate("ab", 2).unwrap());
    assert_eq!(join::peek("ab", 2).unwrap(), None);
    join::precache_value("x", 1, "y".to_owned()).unwrap();
    assert_eq!(join("x", 1), Ok("y".to_owned()));
    let call = join::call_detailed(CallOptions::new().overwrite_cache(), "x", 1);
    assert_eq!(
        (call.outcome, call.value),
        (Outcome::Miss, Ok("x".to_owned()))
    );
    assert_eq!(join::clear_cache().unwrap(), Some(1));
}

// #[cachier(backend = "file", cache_dir = ..., next_time, stale_after)]
// async fn fetch(id: u64) -> Option<u64>
async fn fetch(id: u64) -> Option<u64> {
    let __begun = {
        let __shape = ::cachier::__shape!(Option<u64>);
        fetch::__site().begin(
            __shape,
            &::cachier::__private::StoredArguments((&id,)),
            ::cachier::__private::Option::None,
        )
    };
    match __begun {
        ::cachier::__private::Begun::Hit(__value) => __value,
        ::cachier::__private::Begun::Miss(__start) => {
            let __call =
                ::cachier::__private::Operation::Call(::cachier::CallOptions::new(), __start);
            fetch::__dispatch(__call, id).await.call().value
        }
    }
}

enum fetch {}

impl fetch {
    fn __site() -> &'static ::cachier::__private::Site<::cachier::__private::Persistent> {
        static SITE: ::cachier::__private::Site<::cachier::__private::Persistent> =
            ::cachier::__private::Site::new(|_| ::cachier::__private::Definition {
                identity: ::std::any::type_name::<fetch>().to_owned(),
                options: ::cachier::__private::Options {
                    backend: ::cachier::__private::BackendName::Named("file"),
                    version: ::cachier::__private::Version::Code(12),
                    cache_dir: Some(
                        std::env::temp_dir().join(format!("cachier-{}", std::process::id())),
                    ),
                    stale_after: Some(Duration::from_secs(3600)),
                    next_time: true,
                    ..::cachier::__private::Options::new()
                },
            });
        &SITE
    }

    async fn __dispatch(
        __operation: ::cachier::__private::Operation<u64>,
        id: u64,
    ) -> ::cachier::__private::Reply<Option<u64>, u64> {
        async fn __body(id: u64) -> Option<u64> {
            tokio::task::yield_now().await;
            id.checked_sub(1)
        }
        let __shape = ::cachier::__shape!(Option<u64>);
        let __recipe = ::cachier::__private::Recipe::new(__shape);
        let __prepared = fetch::__site().prepare(
            __shape,
            __operation,
            &::cachier::__private::StoredArguments((&id,)),
        );
        ::cachier::__private::dispatch_async(__recipe, __prepared, move |__mode| match __mode {
            ::cachier::__private::Mode::Now => ::cachier::__private::Step::Now(__body(id)),
            ::cachier::__private::Mode::Later => {
                ::cachier::__private::Step::Later(__recipe.in_task(async move { __body(id).await }))
            }
        })
        .await
    }

    async fn call_detailed(options: CallOptions, id: u64) -> Call<Option<u64>> {
        let __call =
            ::cachier::__private::Operation::Call(options, ::cachier::__private::Start::default());
        Self::__dispatch(__call, id).await.call()
    }
}

#[tokio::test]
async fn typed_async_file() {
    let task = tokio::spawn(fetch(5));
    assert_eq!(task.await.unwrap(), Some(4));
    let call = fetch::call_detailed(CallOptions::new(), 5).await;
    assert_eq!(
        (call.outcome, call.value),
        (Outcome::Hit, Some(4)),
        "{:?}",
        call.backend_error
    );
    assert_eq!(fetch(0).await, None);
    let call = fetch::call_detailed(CallOptions::new(), 0).await;
    assert_eq!((call.outcome, call.value), (Outcome::Miss, None));
}

// A method: erased.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Repo<T>(T);

impl<T: Clone + Send + Sync + Eq + std::hash::Hash + 'static> Repo<T> {
    fn get(&self, id: u64) -> (T, u64) {
        let __begun = {
            let __shape = ::cachier::__shape!((T, u64));
            let __arguments = ::cachier::__private::MemoryArguments((
                ::cachier::__part!(self),
                ::cachier::__part!(&id),
            ));
            Self::__cachier_get_site()
                .resolve(&|| (), __shape, &__arguments)
                .begin(__shape, &__arguments, ::cachier::__private::Option::None)
        };
        match __begun {
            ::cachier::__private::Begun::Hit(__value) => __value,
            ::cachier::__private::Begun::Miss(__start) => {
                let __call =
                    ::cachier::__private::Operation::Call(::cachier::CallOptions::new(), __start);
                self.__cachier_get(__call, id).call().value
            }
        }
    }

    #[doc(hidden)]
    fn __cachier_get_site() -> &'static ::cachier::__private::ErasedSite {
        static SITE: ::cachier::__private::ErasedSite =
            ::cachier::__private::ErasedSite::new(|__marker| ::cachier::__private::Definition {
                identity: ::cachier::__private::identity_of_method(__marker, "get"),
                options: ::cachier::__private::Options {
                    backend: ::cachier::__private::BackendName::Memory,
                    ..::cachier::__private::Options::new()
                },
            });
        &SITE
    }

    #[doc(hidden)]
    fn __cachier_get(
        &self,
        __operation: ::cachier::__private::Operation<(T, u64)>,
        id: u64,
    ) -> ::cachier::__private::Reply<(T, u64), (T, u64)> {
        let __shape = ::cachier::__shape!((T, u64));
        let __recipe = ::cachier::__private::Recipe::new(__shape);
        let __prepared = {
            let __arguments = ::cachier::__private::MemoryArguments((
                ::cachier::__part!(self),
                ::cachier::__part!(&id),
            ));
            Self::__cachier_get_site()
                .resolve(&|| (), __shape, &__arguments)
                .prepare(__shape, __operation, &__arguments)
        };
        ::cachier::__private::dispatch(__recipe, __prepared, move |_| {
            ::cachier::__private::Step::Now(self.__cachier_body_get(id))
        })
    }

    fn get_cache<'a>() -> ::cachier::MethodCache<(&'a Self, u64), (T, u64), (T, u64)> {
        ::cachier::MethodCache::new(
            Self::__cachier_get_site(),
            ::cachier::__private::name_of(&|| ()),
            |__operation, (__self, id)| Self::__cachier_get(__self, __operation, id),
        )
    }

    #[doc(hidden)]
    fn __cachier_body_get(&self, id: u64) -> (T, u64) {
        (self.0.clone(), id)
    }
}

#[test]
fn erased_method() {
    assert_eq!(Repo(1_u8).get(2), (1, 2));
    assert_eq!(Repo("x").get(2), ("x", 2));
    assert_eq!(Repo("x").get(2), ("x", 2));
    assert_eq!(
        Repo::get_cache().peek(&Repo("x"), 2).unwrap(),
        Some(("x", 2))
    );
    assert_eq!(Repo::<u8>::get_cache().peek(&Repo(2), 2).unwrap(), None);
    let names: Vec<_> = cachier::functions().into_iter().map(|f| f.name()).collect();
    assert!(
        names.contains(&"hand_expanded::Repo<&str>::get"),
        "{names:?}"
    );
}
