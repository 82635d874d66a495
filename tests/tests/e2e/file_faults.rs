//! Damaged, foreign or hostile files, and unusable folders: the function runs, and the fault is counted.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use cachier::{Call, CallOptions, ErrorKind, Outcome, cachier};
use cachier_backends::entry::{self, Header};
use cachier_backends::{Key, KeyHash, Scope, Version};
use cachier_metrics::{ErrorLabel, Operation};
use cachier_tests::double;
use cachier_tests::process::{Process, part, say, skip};
use cachier_tests::sandbox::{entries, files, in_folder};

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
fn a_torn_entry() {
    for left in [0, 1, 10, 30] {
        is_a_counted_miss(ErrorKind::Corrupt, ErrorLabel::Corrupt, |file| {
            let bytes = fs::read(file).unwrap();
            fs::write(file, &bytes[..left]).unwrap();
        });
    }
}

#[test]
fn an_entry_that_is_too_long() {
    is_a_counted_miss(ErrorKind::Corrupt, ErrorLabel::Corrupt, |file| {
        let mut bytes = fs::read(file).unwrap();
        bytes.push(0);
        fs::write(file, bytes).unwrap();
    });
}

#[test]
fn an_entry_of_zeros_after_a_crash() {
    is_a_counted_miss(ErrorKind::Corrupt, ErrorLabel::Corrupt, |file| {
        let length = fs::metadata(file).unwrap().len() as usize;
        fs::write(file, vec![0; length]).unwrap();
    });
}

#[test]
fn a_file_of_somebody_else() {
    is_a_counted_miss(ErrorKind::Corrupt, ErrorLabel::Corrupt, |file| {
        fs::write(file, "Dear diary, today I learned about caches.").unwrap();
    });
}

#[test]
fn any_flipped_bit_is_a_miss() {
    in_folder(|folder| {
        double(21);
        let file = entries(folder).remove(0);
        let intact = fs::read(&file).unwrap();
        for bit in 0..intact.len() * 8 {
            let mut flipped = intact.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            fs::write(&file, flipped).unwrap();
            let call = call(21);
            assert_eq!((call.value, call.outcome), (42, Outcome::Miss), "bit {bit}");
        }
        let errors = double::metrics().snapshot().backend_errors;
        let corrupt = errors[Operation::Load][ErrorLabel::Corrupt];
        // A difference in the format means another cachier: a plain miss.
        assert_eq!(corrupt, (intact.len() as u64 - 4) * 8);
    });
}

#[test]
fn the_file_of_another_call() {
    in_folder(|folder| {
        double(4);
        let other = entries(folder).remove(0);
        double(21);
        let own = entries(folder).into_iter().find(|file| *file != other);
        fs::copy(&other, own.unwrap()).unwrap();
        let call = call(21);
        assert_eq!((call.value, call.outcome), (42, Outcome::Miss));
        let kind = call.backend_error.map(|error| error.kind());
        assert_eq!(kind, Some(ErrorKind::Corrupt));
        assert_eq!(self::call(21).outcome, Outcome::Hit, "it is replaced");
        assert_eq!(self::call(4).value, 8);
    });
}

#[test]
fn another_format_is_a_plain_miss() {
    for format in [0, 1, 3, 255] {
        in_folder(|folder| {
            double(21);
            let file = entries(folder).remove(0);
            let mut bytes = fs::read(&file).unwrap();
            bytes[4] = format;
            bytes.truncate(30);
            fs::write(&file, bytes).unwrap();
            let call = call(21);
            assert_eq!((call.value, call.outcome), (42, Outcome::Miss));
            assert!(call.backend_error.is_none());
            assert_eq!(double::metrics().stats().backend_errors, 0);
            assert_eq!(self::call(21).outcome, Outcome::Hit, "it is replaced");
        });
    }
}

#[test]
fn an_intact_entry_of_another_type() {
    hostile_value(b"\x64text");
}

#[test]
fn an_intact_entry_nested_without_end() {
    hostile_value(&[0x81; 100_000]);
}

#[test]
fn an_intact_entry_claiming_an_enormous_value() {
    hostile_value(&[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    hostile_value(&[0x5b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
}

#[test]
fn an_intact_entry_without_a_value() {
    hostile_value(&[]);
}

#[track_caller]
fn hostile_value(value: &[u8]) {
    is_a_counted_miss(ErrorKind::Codec, ErrorLabel::Codec, |file| {
        let created = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_704_067_200);
        fs::write(
            file,
            entry::encode(&key(21, file), &Header::new(created), value),
        )
        .unwrap();
    });
}

#[test]
fn a_folder_in_the_place_of_an_entry() {
    is_a_counted_miss(ErrorKind::Corrupt, ErrorLabel::Corrupt, |file| {
        fs::remove_file(file).unwrap();
        fs::create_dir(file).unwrap();
    });
}

#[test]
fn a_link_to_an_endless_device() {
    is_a_counted_miss(ErrorKind::Corrupt, ErrorLabel::Corrupt, |file| {
        fs::remove_file(file).unwrap();
        symlink("/dev/zero", file).unwrap();
    });
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
fn calls_in_vain() {
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

#[cachier(backend = "file", enable_metrics)]
fn repeat(length: usize) -> String {
    "x".repeat(length)
}

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
        return calls_in_vain();
    }
    if let Some([outcomes, errors]) = with_mount("a_full_disk", "size=64k") {
        // What does not fit is computed each time, the rest is stored.
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
        return calls_in_vain();
    }
    if let Some([outcomes, errors]) = with_mount("a_folder_that_may_only_be_read", "ro") {
        assert_eq!(outcomes, ["unavailable Some(Denied)"; 4].join(", "));
        assert_eq!(errors, "4");
    }
}

#[test]
fn a_user_without_a_home() {
    if part().is_some() {
        return calls_in_vain();
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
    assert_eq!(process.line(), "4");
    process.finish();
}

#[test]
fn a_held_lock_costs_only_the_budget() {
    #[cachier(backend = "file", operation_timeout = "50ms", enable_metrics)]
    fn triple(number: u64) -> u64 {
        number * 3
    }

    in_folder(|folder| {
        triple(1);
        let ledger = files(folder)
            .into_iter()
            .find(|path| path.ends_with(".ledger"));
        let ledger = fs::File::open(ledger.unwrap()).unwrap();
        ledger.lock().unwrap();
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
        ledger.unlock().unwrap();
        assert_eq!(triple(2), 6);
        assert_eq!(
            triple::call_detailed(CallOptions::new(), 2).outcome,
            Outcome::Hit
        );
    });
}
