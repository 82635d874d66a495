//! Where the server is, and how a connection to it is made.

use std::time::{Duration, Instant};

use redis::aio::{AsyncPushSender, ConnectionManager, MultiplexedConnection};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::io::tcp::{TcpSettings, socket2};
use redis::sentinel::{Sentinel, SentinelNodeConnectionInfo};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, ErrorKind,
    IntoConnectionInfo, ProtocolVersion, RedisError, RedisResult, Value,
};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::single::Single;

/// How long connecting may take, finding the server included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// How long one node of a cluster may take for that: others wait for it, first for those that are named and then for those
/// that they name.
const NODE_CONNECT_TIMEOUT: Duration = Duration::from_millis(300);

/// After this long the operating system gives up a connection whose other end confirms nothing of what it is sent.
#[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(5);

/// After this long without a word the operating system asks whether the other end is there, and again and again: so an
/// idle connection is neither forgotten on its way nor thought to be there for hours.
const TCP_KEEPALIVE: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(5));

/// How long a node of a cluster may take for an answer. Callers have shorter limits of their own.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(20);

/// Where connections come from.
#[derive(Clone)]
pub(super) enum Source {
    Single(Client),
    Sentinel {
        sentinels: Vec<ConnectionInfo>,
        master: String,
        node: SentinelNodeConnectionInfo,
    },
    Cluster(Vec<ConnectionInfo>),
    /// The program's own, which reconnects by itself.
    Manager(ConnectionManager),
}

/// A connection that many callers use at once.
pub(super) enum Connection {
    Single(Single),
    Cluster(ClusterConnection),
    Manager(ConnectionManager),
}

impl Connection {
    fn of(connection: MultiplexedConnection) -> Self {
        Self::Single(Single::new(connection))
    }

    /// Whether it is to many servers, of which some may serve while another does not.
    pub(super) fn is_cluster(&self) -> bool {
        matches!(self, Self::Cluster(_))
    }

    /// Sends a request and waits for the answer to it.
    pub(super) async fn query(&self, command: &Cmd) -> RedisResult<Value> {
        match self {
            Self::Single(connection) => connection.query(command).await,
            Self::Cluster(connection) => command.query_async(&mut connection.clone()).await,
            Self::Manager(connection) => command.query_async(&mut connection.clone()).await,
        }
    }

    /// Asks for an entry, while so many other requests wait for an answer.
    pub(super) async fn load(&self, get: Cmd, pending: usize) -> RedisResult<Value> {
        match self {
            Self::Single(connection) => connection.load(get, pending).await,
            Self::Cluster(_) | Self::Manager(_) => self.query(&get).await,
        }
    }
}

/// What the operating system is told of connections, so that it notices those that were lost without notice.
pub(super) fn tcp_settings() -> TcpSettings {
    let (after, between) = TCP_KEEPALIVE;
    let keepalive = socket2::TcpKeepalive::new().with_time(after);
    let settings = TcpSettings::default().set_keepalive(keepalive.with_interval(between));
    #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
    let settings = settings.set_user_timeout(TCP_USER_TIMEOUT);
    settings
}

impl Source {
    /// A new connection, for the runtime on which this runs.
    pub(super) async fn connect(&self) -> RedisResult<Connection> {
        let connecting = async {
            match self {
                Self::Single(client) => connect_single(client, config()).await.map(Connection::of),
                Self::Sentinel { .. } => {
                    let client = self.master().await?;
                    connect_single(&client, config()).await.map(Connection::of)
                }
                Self::Cluster(nodes) => {
                    Ok(Connection::Cluster(connect_whole_cluster(nodes).await?))
                }
                Self::Manager(manager) => Ok(Connection::Manager(manager.clone())),
            }
        };
        in_time(connecting).await
    }

    /// A new connection, if names all over a cluster can be asked for.
    pub(super) async fn connect_to_all(&self) -> RedisResult<Connection> {
        // The driver has no request that reaches all masters, or else fails.
        const SAMPLE_KEYS: u32 = 64;
        let connection = self.connect().await?;
        let sampled = async {
            for number in 0..SAMPLE_KEYS {
                let name = format!("cachier:{{{number}}}");
                connection.query(redis::cmd("EXISTS").arg(name)).await?;
            }
            Ok(())
        };
        in_time(sampled).await?;
        Ok(connection)
    }

    /// A connection of its own for subscriptions, whose messages go to `push`.
    pub(super) async fn subscribe(
        &self,
        push: impl AsyncPushSender,
    ) -> RedisResult<MultiplexedConnection> {
        let config = config().set_push_sender(push);
        let connecting = async {
            match self {
                Self::Single(client) => connect_single(&with_push(client)?, config).await,
                Self::Sentinel { .. } => {
                    connect_single(&with_push(&self.master().await?)?, config).await
                }
                Self::Cluster(nodes) => connect_any(nodes, &config).await,
                Self::Manager(_) => Err(unsupported("a connection manager cannot subscribe")),
            }
        };
        in_time(connecting).await
    }

    /// Whether [`subscribe`](Self::subscribe) can work at all.
    pub(super) fn can_subscribe(&self) -> bool {
        !matches!(self, Self::Manager(_))
    }

    /// The server that the sentinels call master now.
    async fn master(&self) -> RedisResult<Client> {
        let Self::Sentinel {
            sentinels,
            master,
            node,
        } = self
        else {
            return Err(unsupported("there are no sentinels"));
        };
        prepare_tls(sentinels);
        // All at once: one that does not answer must not take the time of those that would.
        let mut asked = JoinSet::new();
        for sentinel in sentinels {
            let mut sentinel = Sentinel::build(vec![sentinel.clone()])?;
            let (master, node) = (master.clone(), node.clone());
            asked.spawn(async move { sentinel.async_master_for(&master, Some(&node)).await });
        }
        let mut refused = unsupported("there are no sentinels");
        while let Some(Ok(answer)) = asked.join_next().await {
            match answer {
                Ok(master) => return Ok(master),
                Err(error) => refused = error,
            }
        }
        Err(refused)
    }
}

async fn connect_single(
    client: &Client,
    config: AsyncConnectionConfig,
) -> RedisResult<MultiplexedConnection> {
    prepare_tls(std::slice::from_ref(client.get_connection_info()));
    client
        .get_multiplexed_async_connection_with_config(&config)
        .await
}

async fn connect_whole_cluster(nodes: &[ConnectionInfo]) -> RedisResult<ClusterConnection> {
    prepare_tls(nodes);
    let started = Instant::now();
    match connect_cluster(NODE_CONNECT_TIMEOUT, nodes).await {
        // All are slow, so that it is no use to go on without the slow ones.
        Err(_) if started.elapsed() >= NODE_CONNECT_TIMEOUT => {
            connect_cluster(CONNECT_TIMEOUT, nodes).await
        }
        connected => connected,
    }
}

async fn connect_cluster(
    each: Duration,
    nodes: &[ConnectionInfo],
) -> RedisResult<ClusterConnection> {
    ClusterClient::builder(nodes.iter().cloned())
        .tcp_settings(tcp_settings())
        .connection_timeout(each)
        .response_timeout(RESPONSE_TIMEOUT)
        .overall_response_timeout(Some(RESPONSE_TIMEOUT))
        .retries(3)
        .min_retry_wait(20)
        .max_retry_wait(200)
        .build()?
        .get_async_connection()
        .await
}

/// A connection to the first node that answers: what is published reaches all of them.
async fn connect_any(
    nodes: &[ConnectionInfo],
    config: &AsyncConnectionConfig,
) -> RedisResult<MultiplexedConnection> {
    let share = CONNECT_TIMEOUT / u32::try_from(nodes.len().max(1)).unwrap_or(u32::MAX);
    let config = config.clone().set_connection_timeout(Some(share));
    let mut refused = unsupported("the cluster has no nodes");
    for node in nodes {
        let client = with_push(&Client::open(node.clone())?)?;
        match connect_single(&client, config.clone()).await {
            Ok(connection) => return Ok(connection),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

/// The same server, talked to in the protocol that can push messages.
fn with_push(client: &Client) -> RedisResult<Client> {
    let info = client.get_connection_info().clone();
    let settings = info.redis_settings().clone();
    let settings = settings.set_protocol(ProtocolVersion::RESP3);
    Client::open(info.set_redis_settings(settings).into_connection_info()?)
}

/// Answers may take as long as the caller waits for them.
fn config() -> AsyncConnectionConfig {
    AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT_TIMEOUT))
        .set_response_timeout(None)
}

async fn in_time<T>(connecting: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
    let late = |_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into());
    timeout(CONNECT_TIMEOUT, connecting)
        .await
        .unwrap_or_else(late)
}

/// Chooses the cryptography for TLS where the program has not: the driver relies on a choice.
fn prepare_tls(servers: &[ConnectionInfo]) {
    let needs_tls =
        |server: &ConnectionInfo| matches!(server.addr(), ConnectionAddr::TcpTls { .. });
    if servers.iter().any(needs_tls) {
        // Fails if the choice has been made.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}

fn unsupported(what: &'static str) -> RedisError {
    RedisError::from((ErrorKind::InvalidClientConfig, what))
}
