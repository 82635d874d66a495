//! Problems as a person sees them who has set up no listener.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use cachier::{
    Backend, BoxFuture, Error, ErrorKind, Key, Loaded, Operation, Scope, StoreReply, StoreRequest,
    cachier,
};
use cachier_tests::callers::one_thread;
use cachier_tests::identity;
use cachier_tests::listener::Listener;
use cachier_tests::process::{Process, part, say};

#[cachier(backend = "redis")]
fn in_redis(text: &str) -> String {
    text.to_owned()
}

#[cachier(backend = "redis")]
async fn in_redis_too(text: &str) -> String {
    text.to_owned()
}

#[cachier]
fn on_files(number: u64) -> u64 {
    number
}

identity!(in_memory, backend = "memory");

const URL: &str = "redis://user:s3cret@127.0.0.1:1/";

fn ask_redis() {
    let runtime = one_thread();
    for number in 0..3 {
        in_redis(&format!("an argument {number}"));
        runtime.block_on(in_redis_too(&format!("an argument {number}")));
    }
}

/// The lines that a part of a test writes on its standard error stream.
fn lines(test: &str, part: &str, prepare: impl FnOnce(&mut Command)) -> Vec<String> {
    lines_of(&format!("problems::{test}"), part, |command| {
        command.env("CACHIER_REDIS_URL", URL);
        prepare(command);
    })
}

/// The same for a test of any module.
pub(crate) fn lines_of(test: &str, part: &str, prepare: impl FnOnce(&mut Command)) -> Vec<String> {
    let written = tempfile::NamedTempFile::new().unwrap();
    let process = Process::start(test, part, |command| {
        command.stderr(written.reopen().unwrap());
        prepare(command);
    });
    process.finish();
    let written = std::fs::read_to_string(written.path()).unwrap();
    let lines = written.lines().filter(|line| line.starts_with("cachier: "));
    lines.map(str::to_owned).collect()
}

#[test]
fn an_unreachable_store_is_told_of_once() {
    if part().is_some() {
        return ask_redis();
    }
    let lines = lines("an_unreachable_store_is_told_of_once", "call", |_| {});
    let [line] = &lines[..] else {
        panic!("{lines:?}")
    };
    assert!(
        line.contains("in_redis` on `redis`: redis://127.0.0.1:1"),
        "{line}"
    );
    for secret in ["s3cret", "an argument"] {
        assert!(!line.contains(secret), "{line}");
    }
}

#[test]
fn a_quiet_program_writes_nothing() {
    if part().is_some() {
        return ask_redis();
    }
    let lines = lines("a_quiet_program_writes_nothing", "call", |command| {
        command.env("CACHIER_QUIET", "1");
    });
    assert_eq!(lines, Vec::<String>::new());
}

#[test]
fn a_subscriber_takes_the_place_of_the_lines() {
    if part().is_some() {
        // It wants to hear of nothing.
        let deaf = Listener::new(|_| false, |_, _| {});
        tracing::subscriber::set_global_default(deaf).unwrap();
        return ask_redis();
    }
    let lines = lines("a_subscriber_takes_the_place_of_the_lines", "call", |_| {});
    assert_eq!(lines, Vec::<String>::new());
}

#[test]
fn a_listener_takes_the_place_of_the_lines() {
    static HEARD: Mutex<Vec<String>> = Mutex::new(Vec::new());

    if part().is_some() {
        cachier::on_problem(|problem| {
            HEARD.lock().unwrap().push(problem.to_owned());
            panic!("on purpose");
        });
        std::panic::set_hook(Box::new(|_| {}));
        ask_redis();
        say(HEARD.lock().unwrap().join("|"));
        return;
    }
    let test = "a_listener_takes_the_place_of_the_lines";
    for quiet in ["0", "1"] {
        let process = Process::start(&format!("problems::{test}"), "call", |command| {
            command.env("CACHIER_REDIS_URL", URL);
            command.env("CACHIER_QUIET", quiet);
        });
        let heard = process.last_line();
        assert!(
            heard.contains("in_redis` on `redis`: redis://127.0.0.1:1"),
            "{heard}"
        );
        assert!(
            !heard.contains('|') && !heard.contains("cachier: "),
            "{heard}"
        );
    }
    let written = lines(test, "call", |_| {});
    assert_eq!(written, Vec::<String>::new());
}

#[cfg(target_os = "linux")]
#[test]
fn a_stream_that_takes_nothing_harms_no_call() {
    if part().is_some() {
        return ask_redis();
    }
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let test = "problems::a_stream_that_takes_nothing_harms_no_call";
    let process = Process::start(test, "call", |command| {
        command.env("CACHIER_REDIS_URL", URL).stderr(full);
    });
    process.finish();
}

#[test]
fn a_user_without_a_home_is_told_that() {
    if part().is_some() {
        on_files(1);
        on_files(2);
        return;
    }
    let lines = lines("a_user_without_a_home_is_told_that", "call", |command| {
        command.env("HOME", "relative").env_remove("XDG_CACHE_HOME");
    });
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("no home folder"), "{lines:?}");
}

#[test]
fn each_unusable_folder_is_reported() {
    identity!(one, backend = "file", cache_dir = "/dev/null/one");

    identity!(other, backend = "file", cache_dir = "/dev/null/other");

    if part().is_some() {
        for number in 0..3 {
            let _ = (one(number), other(number));
        }
        return;
    }
    let test = "each_unusable_folder_is_reported";
    let lines = lines(test, "call", |_| {});
    assert_eq!(lines.len(), 2, "{lines:?}");
    for (line, folder) in lines.iter().zip(["/dev/null/one", "/dev/null/other"]) {
        assert!(line.contains(folder), "{lines:?}");
    }
}

/// A store whose loads fail for one reason and another.
struct Failing(AtomicUsize);

impl Backend for Failing {
    fn kind(&self) -> &str {
        "failing"
    }

    fn store_name(&self) -> String {
        "/a/folder".to_owned()
    }

    fn load<'a>(&'a self, _: &'a Key) -> BoxFuture<'a, Option<Loaded>> {
        let asked = self.0.fetch_add(1, Ordering::Relaxed);
        let of_system = |code| {
            let error = io::Error::from_raw_os_error(code);
            Error::io(Operation::Load, "cannot read the entry", error)
        };
        let error = match asked % 3 {
            0 => of_system(5),
            1 => of_system(116),
            _ => Error::new(ErrorKind::Io, Operation::Load, "it is torn"),
        };
        Box::pin(async { Err(error) })
    }

    fn store<'a>(&'a self, _: &'a Key, _: StoreRequest<'a>) -> BoxFuture<'a, StoreReply> {
        Box::pin(async { Ok(StoreReply::Stored { evicted: 0 }) })
    }

    fn remove<'a>(&'a self, _: &'a Key) -> BoxFuture<'a, bool> {
        Box::pin(async { Ok(false) })
    }

    fn clear<'a>(&'a self, _: &'a Arc<Scope>) -> BoxFuture<'a, Option<u64>> {
        Box::pin(async { Ok(None) })
    }
}

#[test]
fn each_failure_of_a_store_is_told_once() {
    identity!(failing, backend = registered("failing"));

    if part().is_some() {
        cachier::register_backend("failing", Failing(AtomicUsize::new(0))).unwrap();
        cachier::set_global_params(cachier::global_params().breaker_threshold(100));
        for number in 0..9 {
            failing(number);
        }
        return;
    }
    let lines = lines("each_failure_of_a_store_is_told_once", "call", |_| {});
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(
        lines.iter().all(|line| line.contains("(/a/folder): ")),
        "{lines:?}"
    );
    assert!(lines[2].contains("it is torn"), "{lines:?}");
}

#[test]
fn each_unreachable_kind_of_store_is_reported_once() {
    #[cachier(backend = "sql", operation_timeout = "1s")]
    fn in_sql(text: &str) -> String {
        text.to_owned()
    }

    #[cachier(backend = "mongo", operation_timeout = "1s")]
    fn in_mongo(text: &str) -> String {
        text.to_owned()
    }

    #[cachier(backend = "s3", operation_timeout = "1s")]
    fn in_s3(text: &str) -> String {
        text.to_owned()
    }

    #[cachier(backend = "file", cache_dir = "/dev/null/x")]
    fn in_a_folder(text: &str) -> String {
        text.to_owned()
    }

    if let Some(part) = part() {
        for number in 0..3 {
            let argument = format!("an argument {number}");
            match &*part {
                "sql" => in_sql(&argument),
                "mongo" => in_mongo(&argument),
                "s3" => in_s3(&argument),
                _ => in_a_folder(&argument),
            };
        }
        return;
    }
    for (store, variable, value) in [
        (
            "sql",
            "CACHIER_SQL_URL",
            "postgres://user:s3cret@127.0.0.1:1/x",
        ),
        (
            "sql",
            "CACHIER_SQL_URL",
            "mysql://user:s3cret@127.0.0.1:1/x",
        ),
        ("sql", "CACHIER_SQL_URL", "sqlite:/dev/null/x.db"),
        (
            "mongo",
            "CACHIER_MONGO_URL",
            "mongodb://user:s3cret@127.0.0.1:1/x",
        ),
        ("s3", "CACHIER_S3_ENDPOINT", "http://127.0.0.1:1"),
        ("file", "CACHIER_QUIET", "0"),
    ] {
        let test = "each_unreachable_kind_of_store_is_reported_once";
        let lines = lines(test, store, |command| {
            command
                .env("AWS_ACCESS_KEY_ID", "user")
                .env("AWS_SECRET_ACCESS_KEY", "s3cret");
            command
                .env("AWS_REGION", "eu-central-1")
                .env("CACHIER_S3_BUCKET", "bucket");
            command.env(variable, value);
        });
        let [line] = &lines[..] else {
            panic!("{value}: {lines:?}")
        };
        assert!(line.contains(&format!("` on `{store}`")), "{line}");
        for secret in ["s3cret", "an argument"] {
            assert!(!line.contains(secret), "{line}");
        }
    }
}

#[test]
fn a_listener_hears_what_was_not_written() {
    static HEARD: Mutex<Vec<String>> = Mutex::new(Vec::new());

    identity!(nowhere, backend = registered("nobody"));

    if part().is_some() {
        nowhere(1);
        cachier::on_problem(|problem| HEARD.lock().unwrap().push(problem.to_owned()));
        nowhere(2);
        nowhere(3);
        return say(HEARD.lock().unwrap().len());
    }
    for (quiet, heard) in [("1", "1"), ("0", "0")] {
        let test = "problems::a_listener_hears_what_was_not_written";
        let process = Process::start(test, "call", |command| {
            command.env("CACHIER_QUIET", quiet).stderr(Stdio::null());
        });
        assert_eq!(process.last_line(), heard, "CACHIER_QUIET={quiet}");
    }
}

#[test]
fn functions_in_memory_tell_of_unusable_variables() {
    if part().is_some() {
        in_memory(1);
        in_memory(2);
        on_files(1);
        return;
    }
    let test = "functions_in_memory_tell_of_unusable_variables";
    let folder = tempfile::tempdir().unwrap();
    let lines = lines(test, "call", |command| {
        command.env("CACHIER_MAX_WORKERS", "eight");
        command.env("CACHIER_CACHE_DIR", Path::new(folder.path()));
    });
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("CACHIER_MAX_WORKERS"), "{lines:?}");
    assert!(!lines[0].contains("eight"), "{lines:?}");
}

#[test]
fn what_cannot_be_serialized_is_told_without_it() {
    struct Refused;

    impl serde::Serialize for Refused {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("s3cret"))
        }
    }

    impl<'de> serde::Deserialize<'de> for Refused {
        fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
            Ok(Self)
        }
    }

    #[cachier(backend = "file")]
    fn value(_number: u64) -> Refused {
        Refused
    }

    #[cachier(backend = "file")]
    fn argument(refused: &Refused) -> u64 {
        let _ = refused;
        1
    }

    if part().is_some() {
        for _ in 0..2 {
            value(1);
            argument(&Refused);
        }
        return;
    }
    let test = "what_cannot_be_serialized_is_told_without_it";
    let folder = tempfile::tempdir().unwrap();
    let lines = lines(test, "call", |command| {
        command.env("CACHIER_CACHE_DIR", folder.path());
    });
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(
        lines[0].contains("::value`") && lines[1].contains("::argument`"),
        "{lines:?}"
    );
    assert!(
        lines.iter().all(|line| !line.contains("s3cret")),
        "{lines:?}"
    );
}

#[test]
fn no_more_than_twenty_lines_are_written() {
    macro_rules! functions {
        ($($name:tt)*) => {$({
            #[cachier(backend = registered($name), name = $name)]
            fn nowhere(number: u64) -> u64 {
                number
            }
            nowhere(1);
        })*};
    }
    if part().is_some() {
        functions! {
            "a" "b" "c" "d" "e" "f" "g" "h" "i" "j" "k" "l" "m" "n" "o" "p" "q" "r" "s" "t" "u" "v"
        }
        return;
    }
    let lines = lines("no_more_than_twenty_lines_are_written", "call", |_| {});
    assert_eq!(lines.len(), 20, "{lines:?}");
}

identity!(listened_to, backend = "memory", name = "same");
identity!(of_the_same_name, backend = "memory", name = "same");

/// It is told while nothing is locked that it needs.
#[test]
fn a_listener_may_call_what_it_hears_of() {
    if part().is_some() {
        static HEARD: AtomicUsize = AtomicUsize::new(0);
        cachier::on_problem(|_| {
            HEARD.fetch_add(1, Ordering::SeqCst);
            assert_eq!(of_the_same_name(1), 1);
        });
        listened_to(1);
        assert_eq!(of_the_same_name(2), 2);
        return say(HEARD.load(Ordering::SeqCst).to_string());
    }
    let process = Process::start(
        "problems::a_listener_may_call_what_it_hears_of",
        "listen",
        |_| {},
    );
    assert_eq!(process.last_line(), "1");
}
