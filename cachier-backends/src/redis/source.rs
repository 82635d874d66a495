//! Where the server is, and how to connect to it.

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

/// Limit for connecting, discovery included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Limit for connecting to one cluster node. The driver waits for all nodes: first the configured ones, then those they
/// name.
const NODE_CONNECT_TIMEOUT: Duration = Duration::from_millis(300);

/// After this time without an acknowledgement, the operating system drops the connection.
#[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(5);

/// After how long the operating system probes an idle connection, and how often: middleboxes keep it, and a lost peer
/// is noticed.
const TCP_KEEPALIVE: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(5));

/// Limit for the answer of a cluster node. Callers have shorter ones.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(20);

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

/// A multiplexed connection.
pub(super) enum Connection {
    Single(Single),
    Cluster(ClusterConnection),
    Manager(ConnectionManager),
}

impl Connection {
    fn of(connection: MultiplexedConnection) -> Self {
        Self::Single(Single::new(connection))
    }

    /// Whether it leads to several servers, of which some may work while others do not.
    pub(super) fn is_cluster(&self) -> bool {
        matches!(self, Self::Cluster(_))
    }

    /// Sends a request and waits for the answer.
    pub(super) async fn query(&self, command: &Cmd) -> RedisResult<Value> {
        match self {
            Self::Single(connection) => connection.query(command).await,
            Self::Cluster(connection) => command.query_async(&mut connection.clone()).await,
            Self::Manager(connection) => command.query_async(&mut connection.clone()).await,
        }
    }

    /// Loads an entry while `pending` other requests wait for an answer.
    pub(super) async fn load(&self, get: Cmd, pending: usize) -> RedisResult<Value> {
        match self {
            Self::Single(connection) => connection.load(get, pending).await,
            Self::Cluster(_) | Self::Manager(_) => self.query(&get).await,
        }
    }
}

/// Socket options by which the operating system notices lost connections.
pub(super) fn tcp_settings() -> TcpSettings {
    let (after, between) = TCP_KEEPALIVE;
    let keepalive = socket2::TcpKeepalive::new().with_time(after);
    let settings = TcpSettings::default().set_keepalive(keepalive.with_interval(between));
    #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
    let settings = settings.set_user_timeout(TCP_USER_TIMEOUT);
    settings
}

impl Source {
    /// A new connection, driven by the current runtime.
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

    /// A new connection, once keys all over the cluster can be queried through it.
    pub(super) async fn connect_to_all(&self) -> RedisResult<Connection> {
        // The driver has no request that reaches all masters or fails.
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

    /// A dedicated connection for subscriptions, with messages sent to `push`.
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

    /// Whether [`subscribe`](Self::subscribe) is supported.
    pub(super) fn can_subscribe(&self) -> bool {
        !matches!(self, Self::Manager(_))
    }

    /// The current master, as told by the sentinels.
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
        // Concurrently: an unresponsive sentinel must not use up the time of the others.
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
        // All nodes are slow, so there is no point in leaving slow ones out.
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

/// A connection to the first node that answers: published messages reach all nodes.
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

/// The same server, with the protocol that supports push messages.
fn with_push(client: &Client) -> RedisResult<Client> {
    let info = client.get_connection_info().clone();
    let settings = info.redis_settings().clone();
    let settings = settings.set_protocol(ProtocolVersion::RESP3);
    Client::open(info.set_redis_settings(settings).into_connection_info()?)
}

/// No response timeout: callers have their own.
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

/// Installs a default crypto provider for TLS unless the program chose one; the driver needs it.
fn prepare_tls(servers: &[ConnectionInfo]) {
    let needs_tls =
        |server: &ConnectionInfo| matches!(server.addr(), ConnectionAddr::TcpTls { .. });
    if servers.iter().any(needs_tls) {
        // Fails if there is one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}

fn unsupported(what: &'static str) -> RedisError {
    RedisError::from((ErrorKind::InvalidClientConfig, what))
}
