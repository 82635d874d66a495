//! Scripts that run on the server atomically.

use std::time::{Duration, SystemTime};

use redis::{Arg, Cmd, ToRedisArgs, Value};

use super::link::{Failure, Link};
use super::names::Shard;
use crate::error::{Error, ErrorKind, Operation};
use once_cell::race::OnceBox;

/// A script, cached by the server under its hash.
pub(super) struct Script {
    code: &'static str,
    hash: OnceBox<String>,
}

/// A request to run a script.
pub(super) struct Call {
    script: &'static Script,
    operation: Operation,
    command: Cmd,
}

macro_rules! scripts {
    ($($name:ident = $file:literal;)*) => {$(
        pub(super) static $name: Script =
            Script::new(concat!(include_str!("lua/shared.lua"), include_str!($file)));
    )*};
}

scripts! {
    STORE = "lua/store.lua";
    REMOVE = "lua/remove.lua";
    CLEAR = "lua/clear.lua";
    LEASE = "lua/lease.lua";
    TAKE_OVER = "lua/take_over.lua";
    VACATE = "lua/vacate.lua";
    RENEW = "lua/renew.lua";
    RELEASE = "lua/release.lua";
    WAIT = "lua/wait.lua";
    CLEAR_LEASES = "lua/clear_leases.lua";
    CLEANUP = "lua/cleanup.lua";
    USAGE = "lua/usage.lua";
}

impl Script {
    const fn new(code: &'static str) -> Self {
        let hash = OnceBox::new();
        Self { code, hash }
    }

    fn hash(&self) -> &String {
        let hash = || redis::Script::new(self.code).get_hash().to_owned();
        self.hash.get_or_init(|| Box::new(hash()))
    }

    /// A request to run this on a shard, about the entry of `member`, or about all if that is empty.
    ///
    /// Its notifications name `origin` as the author.
    pub(super) fn call(
        &'static self,
        operation: Operation,
        shard: &Shard,
        origin: &str,
        member: &str,
    ) -> Call {
        let mut command = redis::cmd("EVALSHA");
        command.arg(self.hash()).arg(2).arg(shard.name());
        command.arg(shard.index());
        command.arg(shard.channel()).arg(origin).arg(member);
        Call {
            script: self,
            operation,
            command,
        }
    }
}

impl Call {
    /// Appends an argument.
    pub(super) fn arg(mut self, argument: impl ToRedisArgs) -> Self {
        self.command.arg(argument);
        self
    }

    /// Runs the script: one round trip, once the server knows it.
    pub(super) async fn run(self, link: &Link) -> Result<Value, Error> {
        let operation = self.operation;
        let reply = self.try_run(link).await;
        reply.map_err(|failure| link.error(operation, failure))
    }

    /// Like [`run`](Self::run), for callers that inspect the failure.
    pub(super) async fn try_run(self, link: &Link) -> Result<Value, Failure> {
        match link.try_query(self.operation, &self.command).await {
            Err(Failure::Refused(refused)) if is_unknown_script(&refused) => {
                link.try_query(self.operation, &self.with_code()).await
            }
            reply => reply,
        }
    }

    /// Runs the script, which returns a number; a negative one counts as 0.
    pub(super) async fn number(self, link: &Link) -> Result<u64, Error> {
        Ok(self.number_if_any(link).await?.unwrap_or(0))
    }

    /// Runs the script, which returns a number; `None` if it is negative.
    pub(super) async fn number_if_any(self, link: &Link) -> Result<Option<u64>, Error> {
        let operation = self.operation;
        match self.run(link).await? {
            Value::Int(number) => Ok(u64::try_from(number).ok()),
            _ => Err(link.fault(operation)),
        }
    }

    /// Runs the script, which returns `N` numbers.
    pub(super) async fn numbers<const N: usize>(self, link: &Link) -> Result<[u64; N], Error> {
        let operation = self.operation;
        let numbers: Option<Vec<u64>> = match self.run(link).await? {
            Value::Array(values) => values.iter().map(number).collect(),
            _ => None,
        };
        let numbers = numbers.and_then(|numbers| numbers.try_into().ok());
        numbers.ok_or_else(|| link.fault(operation))
    }

    /// The same request with the script's source, which the server then caches.
    fn with_code(&self) -> Cmd {
        let mut command = redis::cmd("EVAL");
        command.arg(self.script.code);
        for argument in self.command.args_iter().skip(2) {
            if let Arg::Simple(bytes) = argument {
                command.arg(bytes);
            }
        }
        command
    }
}

impl Link {
    /// The error for an answer that no script returns. Where something on the way has lost an answer, each later one is that of
    /// another request, so the connection is replaced.
    pub(super) fn fault(&self, operation: Operation) -> Error {
        self.distrust();
        Error::new(
            ErrorKind::Protocol,
            operation,
            "the server answered something unexpected",
        )
        .at(self.name())
    }
}

fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Int(number) => u64::try_from(*number).ok(),
        _ => None,
    }
}

fn is_unknown_script(error: &redis::RedisError) -> bool {
    error.kind() == redis::ErrorKind::Server(redis::ServerErrorKind::NoScript)
}

/// Microseconds since 1970. Exact as a double, the score of the index, until 2255.
pub(super) fn micros(moment: SystemTime) -> u64 {
    let since = moment.duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
    })
}

/// An expiry in milliseconds since 1970.
pub(super) fn expiry(moment: SystemTime) -> String {
    (micros(moment) / 1000).max(1).to_string()
}

/// A period in milliseconds: at least one.
pub(super) fn millis(period: Duration) -> u64 {
    u64::try_from(period.as_millis().clamp(1, 1 << 40)).unwrap_or(1)
}
