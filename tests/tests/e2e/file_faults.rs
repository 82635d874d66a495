//! Hostile files, and unusable folders: the function runs, and the fault is counted. Damaged entries of any store are among the
//! tests of servers (`entries`).

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use cachier::{Call, CallOptions, ErrorKind, Outcome, cachier};
use cachier_backends::entry::{self, Header};
use cachier_backends::{Key, KeyHash, Scope, Version};
use cachier_metrics::{ErrorLabel, Operation};
use cachier_tests::process::{Process, part, say, skip};
use cachier_tests::sandbox::{entries, files, in_folder};
use cachier_tests::{double, outcome, repeat};

double!(
    backend = "file",
    enable_metrics,
    name = "file_faults::double",
    version = 1
);

/// The key of `double(number)`, stored in this file.
fn key(number: u64, file: &Path) -> Key {
    let namespace = file.iter().rev().nth(4).unwrap().to_str().unwrap();
    let scope = Arc::new(Scope::new(namespace, "cachier-tests:file_faults::double"));
    let hash = KeyHash::of(&(number,), None).unwrap();
    Key::new(scope, Version::Number(1), hash)
}

fn call(number: u64) -> Call<u64> {
    double::call_detailed(CallOptions::new(), number)
}

/// Stores an entry and damages its file: a miss with an error of this kind, and a new entry.
#[track_caller]
fn is_a_counted_miss(kind: ErrorKind, label: ErrorLabel, damage: impl FnOnce(&Path)) {
    in_folder(|folder| {
        double(21);
        damage(&entries(folder)[0]);
        let call = call(21);
        assert_eq!((call.value, call.outcome), (42, Outcome::Miss));
        assert_eq!(call.backend_error.map(|error| error.kind()), Some(kind));
        let errors = double::metrics().snapshot().backend_errors;
        assert_eq!(errors[Operation::Load][label], 1);
        assert_eq!(double::metrics().stats().backend_errors, 1);
        assert_eq!(self::call(21).outcome, Outcome::Hit, "it is replaced");
    });
}

#[test]
fn an_intact_entry_with_a_hostile_value() {
    for value in [
        b"\x64text".to_vec(),
        // Nested without end.
        vec![0x81; 100_000],
        // An enormous length, of a list and of bytes.
        [&[0x9b][..], &[0xff; 8]].concat(),
        [&[0x5b, 0x7f][..], &[0xff; 7]].concat(),
        Vec::new(),
    ] {
        is_a_counted_miss(ErrorKind::Codec, ErrorLabel::Codec, |file| {
            let created = SystemTime::UNIX_EPOCH + Duration::from_secs(1_704_067_200);
            let entry = entry::encode(&key(21, file), &Header::new(created), &value);
            fs::write(file, entry).unwrap();
        });
    }
}

#[test]
fn folders_and_devices_in_place_of_entries() {
    let is_replaced = |replace: fn(&Path)| {
        is_a_counted_miss(ErrorKind::Corrupt, ErrorLabel::Corrupt, |file| {
            fs::remove_file(file).unwrap();
            replace(file);
        });
    };
    is_replaced(|file| fs::create_dir(file).unwrap());
    is_replaced(|file| symlink("/dev/zero", file).unwrap());
}

#[test]
fn a_file_in_the_place_of_the_folder() {
    in_folder(|folder| {
        let file = folder.join("file");
        fs::write(&file, "").unwrap();
        cachier::set_global_params(cachier::global_params().cache_dir(&file));
        let call = call(21);
        assert_eq!((call.value, call.outcome), (42, Outcome::Unavailable));
        assert!(call.backend_error.is_some());
        assert_eq!(double::metrics().stats().unavailable, 1);
        assert!(!cachier::check()[0].is_healthy());
    });
}

/// The part of a process with an unusable folder.
fn call_with_unusable_folder() {
    let text = |length| {
        let call = repeat::call_detailed(CallOptions::new(), length);
        assert_eq!(call.value.len(), length);
        let kind = call.backend_error.map(|error| error.kind());
        format!("{} {kind:?}", call.outcome)
    };
    say([text(200_000), text(200_000), text(10), text(10)].join(", "));
    let errors = repeat::metrics().stats().backend_errors;
    say(errors);
}

repeat!(backend = "file", enable_metrics);

/// Runs the test on a file system with these mount options.
fn with_mount(test: &str, options: &str) -> Option<[String; 2]> {
    let folder = tempfile::tempdir().unwrap();
    let test = format!("file_faults::{test}");
    let process = Process::start_with_mount(&test, "call", folder.path(), options, |_| {});
    let Some(process) = process else {
        skip("this user may not mount a file system");
        return None;
    };
    let said = [process.line(), process.line()];
    process.finish();
    Some(said)
}

#[test]
fn a_full_disk() {
    if part().is_some() {
        return call_with_unusable_folder();
    }
    if let Some([outcomes, errors]) = with_mount("a_full_disk", "size=64k") {
        // Values that do not fit are computed each time, the rest is stored.
        assert_eq!(
            outcomes,
            "miss Some(Full), miss Some(Full), miss None, hit None"
        );
        assert_eq!(errors, "2");
    }
}

#[test]
fn a_folder_that_may_only_be_read() {
    if part().is_some() {
        return call_with_unusable_folder();
    }
    if let Some([outcomes, errors]) = with_mount("a_folder_that_may_only_be_read", "ro") {
        assert_eq!(outcomes, ["unavailable Some(Denied)"; 4].join(", "));
        assert_eq!(errors, "4");
    }
}

#[test]
fn a_user_without_a_home() {
    if part().is_some() {
        return call_with_unusable_folder();
    }
    let process = Process::start("file_faults::a_user_without_a_home", "call", |command| {
        command
            .env_remove("CACHIER_CACHE_DIR")
            .env_remove("XDG_CACHE_HOME");
        // A relative path is ignored.
        command.env("HOME", "nowhere");
    });
    let outcomes = process.line();
    assert_eq!(outcomes.matches("unavailable").count(), 4, "{outcomes}");
    assert_eq!(process.last_line(), "4");
}

#[test]
fn a_held_lock_costs_only_the_budget() {
    #[cachier(backend = "file", operation_timeout = "50ms", enable_metrics)]
    fn triple(number: u64) -> u64 {
        number * 3
    }

    in_folder(|folder| {
        triple(1);
        let table = files(folder)
            .into_iter()
            .find(|path| path.ends_with(".ledger"));
        let table = fs::File::open(table.unwrap()).unwrap();
        table.lock().unwrap();
        // In at least one attempt: the machine may be busy.
        let is_quick = (0..5).any(|_| {
            let began = Instant::now();
            let call = triple::call_detailed(CallOptions::new(), 2);
            let took = began.elapsed();
            assert_eq!(call.value, 6);
            let error = call.backend_error.unwrap();
            error.kind() == ErrorKind::Timeout && took < Duration::from_millis(400)
        });
        assert!(is_quick);
        table.unlock().unwrap();
        assert_eq!(triple(2), 6);
        assert_eq!(outcome!(triple(2)), Outcome::Hit);
    });
}
