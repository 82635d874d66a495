//! A cache folder that the users of a group share (`CACHIER_CACHE_MODE`).

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use cachier::{CallOptions, cachier};
use cachier_tests::process::{Process, hear, part, say, skip};
use tempfile::TempDir;

#[cachier(backend = "file")]
fn in_files(number: u64) -> u64 {
    number * 2
}

#[cachier(backend = "sql")]
fn in_sql(number: u64) -> u64 {
    number * 2
}

const TEAM: u32 = 54_000;
const ALICE: (u32, u32) = (54_001, TEAM);
const BOB: (u32, u32) = (54_002, TEAM);
const STRANGER: (u32, u32) = (54_003, 54_003);

/// Does what the test says until it says nothing more; `part` names the backend.
fn play(part: &str) {
    let is_sql = part == "sql";
    loop {
        let line = hear();
        let options = CallOptions::new;
        let call = |options, number| match is_sql {
            true => in_sql::call_detailed(options, number),
            false => in_files::call_detailed(options, number),
        };
        let said = match line.as_str() {
            "end" => return,
            "clear" => match is_sql {
                true => format!("{:?}", in_sql::clear_cache()),
                false => format!("{:?}", in_files::clear_cache()),
            },
            "overwrite" => call(options().overwrite_cache(), 1).outcome.to_string(),
            number => {
                let call = call(options(), number.parse().unwrap());
                match call.backend_error {
                    Some(error) => error.to_string(),
                    None => call.outcome.to_string(),
                }
            }
        };
        say(said);
    }
}

/// A user with a process.
struct User(Process);

impl User {
    /// `None` where no other user can be had.
    fn start(
        user: (u32, u32),
        test: &str,
        backend: &str,
        folder: &Path,
        mode: &str,
    ) -> Option<Self> {
        let test = format!("team::{test}");
        let process = Process::start_as(user, &test, backend, |command| {
            command
                .env("CACHIER_CACHE_DIR", folder)
                .env("CACHIER_CACHE_MODE", mode)
                .env("CACHIER_QUIET", "1");
        });
        if process.is_none() {
            skip("this user may not become another, who runs this program");
        }
        process.map(Self)
    }

    fn answer(&mut self, line: &str) -> String {
        self.0.tell(line);
        self.0.line()
    }

    fn end(mut self) {
        self.0.tell("end");
        self.0.finish();
    }
}

/// A folder of the group in which a cache folder can be made.
fn of_the_team() -> Option<(TempDir, PathBuf)> {
    let folder = tempfile::tempdir().unwrap();
    if chown(folder.path(), None, Some(TEAM)).is_err() {
        skip("this user cannot give a folder to a group");
        return None;
    }
    fs::set_permissions(folder.path(), Permissions::from_mode(0o2775)).unwrap();
    let cache = folder.path().join("cache");
    Some((folder, cache))
}

/// Everything in a folder, and itself.
fn all(folder: &Path) -> Vec<PathBuf> {
    let inside = fs::read_dir(folder).unwrap().flatten();
    let inside = inside.flat_map(|item| match item.path() {
        path if path.is_dir() => all(&path),
        path => vec![path],
    });
    inside.chain([folder.to_owned()]).collect()
}

/// Runs a scene of two users in a folder of the group, in which they cache in this mode; in their processes, plays a part.
fn on_stage(
    (test, backend, mode): (&str, &str, &str),
    [first, second]: [(u32, u32); 2],
    scene: impl FnOnce(&Path, &mut User, &mut User),
) {
    if let Some(part) = part() {
        return play(&part);
    }
    let Some((_parent, folder)) = of_the_team() else {
        return;
    };
    let start = |user| User::start(user, test, backend, &folder, mode);
    let (Some(mut first), Some(mut second)) = (start(first), start(second)) else {
        return;
    };
    scene(&folder, &mut first, &mut second);
    first.end();
    second.end();
}

macro_rules! shared {
    ($($name:ident: $backend:literal;)*) => {$(
        #[test]
        fn $name() {
            let cache = (stringify!($name), $backend, "0770");
            on_stage(cache, [ALICE, BOB], |folder, alice, bob| share($backend, folder, alice, bob));
        }
    )*};
}

shared! {
    users_of_a_group_share_files: "file";
    users_of_a_group_share_a_sqlite_file: "sql";
}

fn share(backend: &str, folder: &Path, alice: &mut User, bob: &mut User) {
    assert_eq!(alice.answer("1"), "miss");
    assert_eq!(bob.answer("1"), "hit");
    assert_eq!(bob.answer("2"), "miss");
    assert_eq!(alice.answer("2"), "hit");
    // Each replaces what the other has made.
    assert_eq!(bob.answer("overwrite"), "miss");
    assert_eq!(alice.answer("overwrite"), "miss");
    assert_eq!(alice.answer("clear"), "Ok(Some(2))");
    assert_eq!(bob.answer("1"), "miss");
    for path in all(folder) {
        let found = fs::symlink_metadata(&path).unwrap();
        let mode = if found.is_dir() { 0o2770 } else { 0o660 };
        let there = (found.gid(), found.mode() & 0o7777);
        assert_eq!(there, (TEAM, mode), "{} {:o}", path.display(), there.1);
    }
    if backend == "file" {
        // Somebody empties it by hand.
        fs::remove_dir_all(folder).unwrap();
        assert_eq!(bob.answer("1"), "miss");
        assert_eq!(alice.answer("1"), "hit");
    }
}

#[test]
fn a_private_folder_says_how_to_share_it() {
    let cache = ("a_private_folder_says_how_to_share_it", "file", "");
    on_stage(cache, [ALICE, BOB], |_, alice, bob| {
        assert_eq!(alice.answer("1"), "miss");
        let denied = bob.answer("1");
        assert!(denied.contains("belongs to another user"), "{denied}");
        assert!(denied.contains("CACHIER_CACHE_MODE=0770"), "{denied}");
    });
}

#[test]
fn nonmembers_use_nothing_of_a_groups_folder() {
    let cache = ("nonmembers_use_nothing_of_a_groups_folder", "file", "0770");
    on_stage(cache, [ALICE, STRANGER], |folder, alice, stranger| {
        assert_eq!(alice.answer("1"), "miss");
        let denied = stranger.answer("1");
        let shared_with_others = "not shared with a group of this one";
        assert!(denied.contains(shared_with_others), "{denied}");
        // Nor does anybody use what everybody may write to.
        fs::set_permissions(folder, Permissions::from_mode(0o2777)).unwrap();
        for user in [alice, stranger] {
            let denied = user.answer("1");
            assert!(denied.contains("other users may write"), "{denied}");
        }
    });
}
