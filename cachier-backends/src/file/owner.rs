//! Identification of a lock's owner.
//!
//! A lock belongs to an open file, which child processes inherit, and outlives its owner as long as they do. So the
//! owner records its identity in the file. Where the system cannot identify processes nothing is recorded, and such a
//! lock ends with the last child.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

use crate::process::PerProcess;

/// The length of an owner's record, padded with spaces.
const RECORD_BYTES: usize = 128;

/// Records this process as the file's owner.
pub(super) fn sign(mut file: &File) -> io::Result<()> {
    static RECORD: PerProcess<Option<String>> = PerProcess::new(|_| system::this_process());
    let Some(record) = &*RECORD else {
        return Ok(());
    };
    file.seek(SeekFrom::Start(0))?;
    file.write_all(format!("{record:RECORD_BYTES$}").as_bytes())
}

/// Whether any owner has signed the file.
pub(super) fn is_signed(file: &File) -> io::Result<bool> {
    Ok(file.metadata()?.len() > 0)
}

/// Whether the recorded owner has ended, so that at most its children hold the lock. A new owner may not have signed
/// yet.
pub(super) fn has_ended(mut file: &File) -> io::Result<bool> {
    let mut record = String::new();
    file.seek(SeekFrom::Start(0))?;
    file.take(RECORD_BYTES as u64).read_to_string(&mut record)?;
    Ok(system::has_ended(record.trim_end()))
}

#[cfg(target_os = "linux")]
mod system {
    use std::{fs, io};

    /// The process ended while its file in `/proc` was open.
    const ESRCH: i32 = 3;

    /// The status of a process id.
    #[derive(Debug, PartialEq, Eq)]
    pub(super) enum ProcessStatus {
        /// Running, with its start time.
        Running(String),
        /// Does not exist, or is a zombie.
        Ended,
        /// The system does not tell.
        Unknown,
    }

    /// Boot id, namespace of process ids, process id, and start time.
    pub(super) fn this_process() -> Option<String> {
        let id = std::process::id();
        match process(id) {
            ProcessStatus::Running(start) => Some(format!("{} {id} {start}", here()?)),
            ProcessStatus::Ended | ProcessStatus::Unknown => None,
        }
    }

    /// Processes of other machines or namespaces are unknown.
    pub(super) fn has_ended(record: &str) -> bool {
        let mut words = record.rsplitn(3, ' ');
        let (Some(start), Some(id), Some(place)) = (words.next(), words.next(), words.next())
        else {
            return false;
        };
        let Ok(id) = id.parse() else {
            return false;
        };
        here().is_some_and(|here| here == place)
            && match process(id) {
                ProcessStatus::Running(other) => other != start,
                ProcessStatus::Ended => true,
                ProcessStatus::Unknown => false,
            }
    }

    fn here() -> Option<String> {
        let machine = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        let namespace = fs::read_link("/proc/self/ns/pid").ok()?;
        Some(format!("{} {}", machine.trim(), namespace.display()))
    }

    fn process(id: u32) -> ProcessStatus {
        let mounts = || fs::read_to_string("/proc/self/mounts");
        status(fs::read_to_string(format!("/proc/{id}/stat")), mounts)
    }

    /// Judges by the content of `/proc/{id}/stat`, or the error of reading it.
    pub(super) fn status(
        stat: io::Result<String>,
        mounts: impl FnOnce() -> io::Result<String>,
    ) -> ProcessStatus {
        match stat {
            Ok(stat) => started(&stat).unwrap_or(ProcessStatus::Unknown),
            Err(error) if error.raw_os_error() == Some(ESRCH) => ProcessStatus::Ended,
            Err(error) if error.kind() == io::ErrorKind::NotFound => match mounts() {
                Ok(mounts) if shows_all_processes(&mounts) => ProcessStatus::Ended,
                _ => ProcessStatus::Unknown,
            },
            Err(_) => ProcessStatus::Unknown,
        }
    }

    /// The start time of a process that has not ended.
    fn started(stat: &str) -> Option<ProcessStatus> {
        // After the name, which may contain anything: the state first, the start time as the twentieth field.
        let (_, behind) = stat.rsplit_once(')')?;
        let mut words = behind.split_whitespace();
        let has_ended = matches!(words.next()?, "Z" | "X");
        let start = words.nth(18)?.to_owned();
        Some(match has_ended {
            true => ProcessStatus::Ended,
            false => ProcessStatus::Running(start),
        })
    }

    /// Whether `/proc` shows the processes of all users.
    fn shows_all_processes(mounts: &str) -> bool {
        let mut proc = mounts
            .lines()
            .filter(|line| line.split(' ').nth(1) == Some("/proc"));
        // The last mount hides the others.
        proc.next_back()
            .is_some_and(|line| !line.contains("hidepid="))
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    pub(super) fn this_process() -> Option<String> {
        None
    }

    pub(super) fn has_ended(_: &str) -> bool {
        false
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::process::Command;

    use super::*;

    fn signed(record: &str) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(record.as_bytes()).unwrap();
        file
    }

    #[test]
    fn a_running_owner_is_recognised() {
        let file = signed("the record of an owner before");
        sign(&file).unwrap();
        assert_eq!(file.metadata().unwrap().len(), RECORD_BYTES as u64);
        assert!(!has_ended(&file).unwrap());
    }

    #[test]
    fn a_reused_process_id_is_another_owner() {
        let this = system::this_process().unwrap();
        let (place, _) = this.rsplit_once(' ').unwrap();
        assert!(has_ended(&signed(&format!("{place} 1"))).unwrap());
        let mut child = Command::new("true").spawn().unwrap();
        let (place, _) = place.rsplit_once(' ').unwrap();
        let id = child.id();
        child.wait().unwrap();
        assert!(has_ended(&signed(&format!("{place} {id} 1"))).unwrap());
    }

    #[test]
    fn an_unreadable_owner_has_not_ended() {
        use system::ProcessStatus;

        let open = || Ok("proc /proc proc rw,relatime 0 0\n".to_owned());
        let of_kind = |kind: io::ErrorKind| io::Error::from(kind);
        assert_eq!(
            system::status(Err(of_kind(io::ErrorKind::NotFound)), open),
            ProcessStatus::Ended
        );
        let (esrch, emfile, eperm) = (3, 24, 1);
        let of_system = |number| Err(io::Error::from_raw_os_error(number));
        assert_eq!(system::status(of_system(esrch), open), ProcessStatus::Ended);
        for unknown in [
            of_system(emfile),
            of_system(eperm),
            Err(of_kind(io::ErrorKind::PermissionDenied)),
            Ok(String::new()),
        ] {
            assert_eq!(system::status(unknown, open), ProcessStatus::Unknown);
        }
    }

    #[test]
    fn a_hidden_owner_has_not_ended() {
        use system::ProcessStatus;

        let known = |mounts: io::Result<&str>| {
            let missing = Err(io::ErrorKind::NotFound.into());
            system::status(missing, || mounts.map(str::to_owned))
        };
        let (open, hidden) = (
            "proc /proc proc rw 0 0\n",
            "proc /proc proc rw,hidepid=invisible 0 0\n",
        );
        let elsewhere = "proc /mnt/proc proc rw,hidepid=2 0 0\n";
        assert_eq!(known(Ok(open)), ProcessStatus::Ended);
        assert_eq!(known(Ok(hidden)), ProcessStatus::Unknown);
        assert_eq!(
            known(Ok(&format!("{open}{hidden}"))),
            ProcessStatus::Unknown
        );
        assert_eq!(
            known(Ok(&format!("{open}{elsewhere}"))),
            ProcessStatus::Ended
        );
        assert_eq!(known(Ok("")), ProcessStatus::Unknown);
        let error = Err(io::Error::other("too many open files"));
        assert_eq!(known(error), ProcessStatus::Unknown);
    }

    #[test]
    fn processes_of_other_machines_are_unknown() {
        let this = system::this_process().unwrap();
        let (place, _) = this.rsplit_once(' ').unwrap();
        for record in ["", "1", "other machine 1 1", &format!("other {place} 1")] {
            assert!(!has_ended(&signed(record)).unwrap(), "{record}");
        }
    }
}
