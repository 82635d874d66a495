//! Random faults of processes, connections, servers and files.

use std::fs;
use std::thread;
use std::time::Duration;

use cachier_servers::proxy::Proxy;
use cachier_tests::process::Process;
use cachier_tests::sandbox::entries;
use fastrand::Rng;
use rustix::process::Signal;
use sqlx::{Connection, Executor, SqliteConnection};
use tokio::runtime::{Builder, Runtime};

use crate::settings::{LONG_HANG, MAX_FAULT_TIME};
use crate::store::{Site, Store};
use crate::value::MARK;

/// A fault of a process.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ProcessFault {
    Killed,
    Stopped,
    Forks,
}

/// A fault of a store, or of the connections to it.
#[derive(Clone, Copy, Debug)]
enum StoreFault {
    ConnectionsBreak,
    ConnectionsAreRefused,
    ConnectionsAreLost,
    ConnectionsBreakNowAndThen,
    NothingComesThrough,
    AnswersAreLost,
    IsSlow,
    IsStopped,
    HangsWithinAStore,
    IsLocked,
    EntryIsTorn,
    EntryIsForeign,
    EntryIsGone,
}

const SERVER_FAULTS: &[StoreFault] = &[
    StoreFault::ConnectionsBreak,
    StoreFault::ConnectionsAreRefused,
    StoreFault::ConnectionsAreLost,
    StoreFault::ConnectionsBreakNowAndThen,
    StoreFault::NothingComesThrough,
    StoreFault::AnswersAreLost,
    StoreFault::IsSlow,
    StoreFault::IsStopped,
    StoreFault::HangsWithinAStore,
    StoreFault::HangsWithinAStore,
];
/// Faults that last [`LONG_HANG`], in one of [`LONG_FAULT_ONCE_IN`] steps.
const LONG_SERVER_FAULTS: &[StoreFault] = &[
    StoreFault::NothingComesThrough,
    StoreFault::AnswersAreLost,
    StoreFault::IsStopped,
    StoreFault::HangsWithinAStore,
];
const LONG_FAULT_ONCE_IN: u32 = 8;
const SQLITE_FAULTS: &[StoreFault] = &[StoreFault::IsLocked];
const FILE_FAULTS: &[StoreFault] = &[
    StoreFault::EntryIsTorn,
    StoreFault::EntryIsForeign,
    StoreFault::EntryIsGone,
];

/// Starts a process in place of one that was killed.
pub(crate) type StartProcess<'a> = dyn FnMut() -> Process + 'a;

pub(crate) struct Faults<'a> {
    store: Store,
    site: &'a mut Site,
    rng: Rng,
    runtime: Runtime,
    lock: Option<SqliteConnection>,
    tell: &'a dyn Fn(&str),
    steps: u32,
}

impl<'a> Faults<'a> {
    pub(crate) fn new(store: Store, site: &'a mut Site, rng: Rng, tell: &'a dyn Fn(&str)) -> Self {
        let mut builder = Builder::new_current_thread();
        Self {
            store,
            site,
            rng,
            runtime: builder.enable_all().build().expect("a runtime"),
            lock: None,
            tell,
            steps: 0,
        }
    }

    /// A temporary fault of the store, a process, or both.
    pub(crate) fn step(&mut self, processes: &mut [Process], start: &mut StartProcess<'_>) {
        self.steps += 1;
        if self.steps % LONG_FAULT_ONCE_IN == 2 && matches!(self.site, Site::Server { .. }) {
            return self.hang_for_long();
        }
        let store = self
            .rng
            .choice(self.of_store())
            .copied()
            .filter(|_| self.rng.u32(..4) > 0);
        let process = self
            .rng
            .choice(self.of_processes())
            .copied()
            .filter(|_| self.rng.u32(..3) == 0);
        let victim = self.rng.usize(..processes.len());
        let millis = u64::try_from(MAX_FAULT_TIME.as_millis()).expect("milliseconds");
        let lasts = Duration::from_millis(self.rng.u64(20..millis));
        (self.tell)(&format!(
            "FAULT for {lasts:?}: {store:?}, process {process:?}"
        ));
        store.inspect(|fault| self.begin(*fault));
        match process {
            Some(ProcessFault::Killed) => std::mem::replace(&mut processes[victim], start()).kill(),
            Some(ProcessFault::Stopped) => processes[victim].signal(Signal::STOP),
            Some(ProcessFault::Forks) => processes[victim].tell("fork"),
            None => {}
        }
        thread::sleep(lasts);
        if let Some(ProcessFault::Stopped) = process {
            processes[victim].signal(Signal::CONT);
        }
        self.end();
    }

    /// Nothing is answered for longer than any call may take.
    fn hang_for_long(&mut self) {
        let fault = self.rng.choice(LONG_SERVER_FAULTS).copied();
        (self.tell)(&format!("FAULT for {LONG_HANG:?}: {fault:?}"));
        fault.inspect(|fault| self.begin(*fault));
        thread::sleep(LONG_HANG);
        self.end();
    }

    fn of_store(&self) -> &'static [StoreFault] {
        match (&self.site, self.store) {
            (Site::Server { .. }, _) => SERVER_FAULTS,
            (_, Store::Sqlite) => SQLITE_FAULTS,
            (_, Store::File) => FILE_FAULTS,
            _ => &[],
        }
    }

    fn of_processes(&self) -> &'static [ProcessFault] {
        use ProcessFault::{Forks, Killed, Stopped};
        match self.store.survives_forks() {
            true => &[Killed, Stopped, Stopped, Forks],
            false => &[Killed, Stopped],
        }
    }

    fn begin(&mut self, fault: StoreFault) {
        match self.site {
            Site::Process => {}
            Site::Folder(_) => self.begin_with_files(fault),
            Site::Server { proxy, .. } if !matches!(fault, StoreFault::IsStopped) => {
                on_the_way(fault, proxy)
            }
            Site::Server { server, .. } => {
                server
                    .server()
                    .expect("it was started here")
                    .signal(Signal::STOP);
            }
        }
    }

    fn begin_with_files(&mut self, fault: StoreFault) {
        let folder = self.site.path().expect("a folder");
        if let StoreFault::IsLocked = fault {
            let database = folder.join("cache.db");
            let locked = self.runtime.block_on(async {
                let url = format!("sqlite:{}", database.display());
                let mut connection = SqliteConnection::connect(&url).await?;
                connection.execute("BEGIN EXCLUSIVE").await?;
                Ok::<_, sqlx::Error>(connection)
            });
            // If it is busy, it is not locked.
            self.lock = locked.ok();
            return;
        }
        let entries = entries(&folder);
        if entries.len() < 2 {
            return;
        }
        // Only from an earlier entry to a later one, so that nothing old returns to its place.
        let to = self.rng.usize(1..entries.len());
        let from = self.rng.usize(..to);
        // The file may just have been removed.
        let _ = match fault {
            StoreFault::EntryIsTorn => fs::read(&entries[to]).and_then(|bytes| {
                fs::write(&entries[to], &bytes[..self.rng.usize(..=bytes.len())])
            }),
            StoreFault::EntryIsForeign => {
                fs::read(&entries[from]).and_then(|bytes| fs::write(&entries[to], bytes))
            }
            _ => fs::remove_file(&entries[to]),
        };
    }

    /// Ends all faults of the store.
    fn end(&mut self) {
        self.lock = None;
        if let Site::Server { server, proxy } = self.site {
            server
                .server()
                .expect("it was started here")
                .signal(Signal::CONT);
            proxy.delay(Duration::ZERO);
            proxy.mute(false);
            proxy.break_one_in(0);
            proxy.refuse(false);
            proxy.hang_within_request(&[]);
            proxy.hang(false);
        }
        (self.tell)("FAULT is over");
        thread::sleep(Duration::from_millis(self.rng.u64(..500)));
    }
}

fn on_the_way(fault: StoreFault, proxy: &Proxy) {
    match fault {
        StoreFault::ConnectionsBreak => proxy.break_all(),
        StoreFault::ConnectionsAreRefused => proxy.refuse(true),
        StoreFault::ConnectionsAreLost => proxy.lose_all(),
        StoreFault::ConnectionsBreakNowAndThen => proxy.break_one_in(37),
        StoreFault::NothingComesThrough => proxy.hang(true),
        StoreFault::AnswersAreLost => proxy.mute(true),
        StoreFault::IsSlow => proxy.delay(Duration::from_millis(150)),
        StoreFault::HangsWithinAStore => proxy.hang_within_request(&[MARK]),
        fault => unreachable!("{fault:?} is nothing on the way to a server"),
    }
}
