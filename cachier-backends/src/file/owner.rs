//! Who has locked a file.
//!
//! A lock belongs to an open file, which the children of its owner have open as well: it outlives the owner as long as
//! they do. So the owner writes into the file who it is. Where the system does not tell enough of a process to know it
//! again, nothing is written, and such a lock ends with the last of the children.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

use crate::process::PerProcess;

/// How long the record of an owner is; what is shorter is filled up with spaces.
const LENGTH: usize = 128;

/// Notes in a file that this process has locked it.
pub(super) fn sign(mut file: &File) -> io::Result<()> {
    static RECORD: PerProcess<Option<String>> = PerProcess::new(|_| system::this_process());
    let Some(record) = &*RECORD else {
        return Ok(());
    };
    file.seek(SeekFrom::Start(0))?;
    file.write_all(format!("{record:LENGTH$}").as_bytes())
}

/// Whether somebody has signed a file.
pub(super) fn has_signed(file: &File) -> io::Result<bool> {
    Ok(file.metadata()?.len() > 0)
}

/// Whether the owner that has signed a file, which is locked, is gone: its children hold the lock, or one that has not signed
/// yet, which only who has the ledger can rule out.
pub(super) fn is_gone(mut file: &File) -> io::Result<bool> {
    let mut record = String::new();
    file.seek(SeekFrom::Start(0))?;
    file.take(LENGTH as u64).read_to_string(&mut record)?;
    Ok(system::is_gone(record.trim_end()))
}

#[cfg(target_os = "linux")]
mod system {
    use std::fs;

    /// The machine since it was started, the namespace of process ids, the id, and when the process was started.
    pub(super) fn this_process() -> Option<String> {
        let id = std::process::id();
        Some(format!("{} {id} {}", here()?, started(id)?))
    }

    /// Of processes elsewhere nothing is known.
    pub(super) fn is_gone(record: &str) -> bool {
        let mut words = record.rsplitn(3, ' ');
        let (Some(start), Some(id), Some(place)) = (words.next(), words.next(), words.next())
        else {
            return false;
        };
        let Ok(id) = id.parse() else {
            return false;
        };
        here().is_some_and(|here| here == place) && started(id).as_deref() != Some(start)
    }

    fn here() -> Option<String> {
        let machine = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        let namespace = fs::read_link("/proc/self/ns/pid").ok()?;
        Some(format!("{} {}", machine.trim(), namespace.display()))
    }

    /// When the process of this id was started; `None` if there is none, or one that has ended and was not waited for.
    fn started(id: u32) -> Option<String> {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        // Behind the name, which may hold anything: the state, and as the twentieth word the start.
        let (_, behind) = stat.rsplit_once(')')?;
        let mut words = behind.split_whitespace();
        let has_ended = matches!(words.next()?, "Z" | "X");
        let start = words.nth(18)?.to_owned();
        (!has_ended).then_some(start)
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    pub(super) fn this_process() -> Option<String> {
        None
    }

    pub(super) fn is_gone(_: &str) -> bool {
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
    fn an_owner_is_known_while_it_lives() {
        let file = signed("the record of an owner before");
        sign(&file).unwrap();
        assert_eq!(file.metadata().unwrap().len(), LENGTH as u64);
        assert!(!is_gone(&file).unwrap());
    }

    #[test]
    fn one_that_has_ended_is_gone_though_another_has_its_id() {
        let this = system::this_process().unwrap();
        let (place, _) = this.rsplit_once(' ').unwrap();
        assert!(is_gone(&signed(&format!("{place} 1"))).unwrap());
        let mut child = Command::new("true").spawn().unwrap();
        let (place, _) = place.rsplit_once(' ').unwrap();
        let id = child.id();
        child.wait().unwrap();
        assert!(is_gone(&signed(&format!("{place} {id} 1"))).unwrap());
    }

    #[test]
    fn of_processes_elsewhere_nothing_is_known() {
        let this = system::this_process().unwrap();
        let (place, _) = this.rsplit_once(' ').unwrap();
        for record in ["", "1", "other machine 1 1", &format!("other {place} 1")] {
            assert!(!is_gone(&signed(record)).unwrap(), "{record}");
        }
    }
}
