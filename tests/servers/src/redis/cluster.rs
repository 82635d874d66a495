//! A Redis cluster.

use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::certificate::Certificate;
use super::installed::installed;
use super::single::serve;
use crate::{START_TIMEOUT, Server, free_port};

/// Name and password of the restricted user of [`start_cluster_with_password`].
pub const USER_OF_CLUSTER: &str = "modest:pw";

/// A cluster of three masters.
#[derive(Debug)]
pub struct Cluster {
    nodes: Vec<Node>,
    access: Access,
}

/// A server, and its client port.
#[derive(Debug)]
struct Node {
    server: Server,
    port: u16,
}

/// How to talk to nodes.
#[derive(Debug, Default)]
struct Access {
    /// Options for each node.
    node: Vec<String>,
    /// Options for `redis-cli`.
    client: Vec<String>,
    certificate: Option<Certificate>,
}

/// A new cluster; `None` if the programs are not installed.
#[must_use]
pub fn start_cluster() -> Option<Cluster> {
    Cluster::start(3, Access::default())
}

/// A new cluster with a replica for each master, and a short failover time.
#[must_use]
pub fn start_cluster_with_replicas() -> Option<Cluster> {
    let node = ["--cluster-node-timeout", "1000"];
    Cluster::start(6, Access::told(&node, &[]))
}

/// A new cluster with the password `pw`, and a user [`USER_OF_CLUSTER`] with only these rights.
#[must_use]
pub fn start_cluster_with_password(rights: &str) -> Option<Cluster> {
    let user = format!("modest on >pw {rights}");
    let user: Vec<_> = ["--user"].into_iter().chain(user.split(' ')).collect();
    let passwords = ["--requirepass", "pw", "--masterauth", "pw"];
    let client = ["-a", "pw", "--no-auth-warning"];
    Cluster::start(3, Access::told(&[&passwords[..], &user].concat(), &client))
}

/// A new cluster with TLS, between nodes as well.
#[must_use]
pub fn start_cluster_with_tls() -> Option<Cluster> {
    let certificate = Certificate::new()?;
    let path = certificate.path().display().to_string();
    let mut access = Access::told(&["--tls-cluster", "yes"], &["--tls", "--cacert", &path]);
    access.certificate = Some(certificate);
    Cluster::start(3, access)
}

impl Cluster {
    fn start(count: usize, access: Access) -> Option<Self> {
        let nodes = (0..count).map(|_| Node::start(&access));
        let nodes = nodes.collect::<Option<_>>()?;
        installed("redis-cli")?;
        let cluster = Self { nodes, access };
        let addresses = cluster.nodes.iter().map(Node::address);
        let create = ["--cluster".to_owned(), "create".to_owned()].into_iter();
        let replicas = (count / 3 - 1).to_string();
        let answers = ["--cluster-replicas", &replicas, "--cluster-yes"].map(str::to_owned);
        cluster.command(create.chain(addresses).chain(answers));
        cluster.until("the nodes form a cluster", |cluster| {
            let nodes = cluster.nodes.iter();
            nodes
                .map(|node| cluster.ask(node, &["CLUSTER", "INFO"]))
                .all(|state| state.contains("cluster_state:ok"))
        });
        Some(cluster)
    }

    /// The address of all nodes.
    #[must_use]
    pub fn url(&self) -> String {
        let nodes: Vec<_> = self.nodes.iter().map(Node::address).collect();
        let scheme = match self.access.certificate {
            Some(_) => "rediss",
            None => "redis",
        };
        format!("{scheme}+cluster://{}", nodes.join(","))
    }

    /// The nodes' certificate, with TLS.
    #[must_use]
    pub fn certificate(&self) -> Option<PathBuf> {
        self.access.certificate.as_ref().map(Certificate::path)
    }

    /// Waits until every master has a replica with all of its data.
    ///
    /// # Panics
    /// When that does not happen.
    pub fn until_replicated(&self) {
        self.until("masters have replicas", |cluster| {
            let nodes = cluster.nodes.iter();
            let roles = nodes.map(|node| cluster.ask(node, &["INFO", "replication"]));
            roles
                .filter(|role| role.contains("master_link_status:up"))
                .count()
                == 3
        });
        for master in self.nodes.iter().filter(|node| self.is_master(node)) {
            self.ask(master, &["WAIT", "1", "0"]);
        }
    }

    /// Kills a master.
    ///
    /// # Panics
    /// When it cannot be killed.
    pub fn kill_master(&mut self) {
        let master = self.nodes.iter().position(|node| self.is_master(node));
        let master = self.nodes.remove(master.expect("a master"));
        let mut server = master.server;
        server.kill();
    }

    /// Sends a signal to the first node.
    ///
    /// # Panics
    /// When there is none.
    pub fn signal_first(&self, signal: Signal) {
        self.nodes.first().expect("a node").server.signal(signal);
    }

    /// Moves all slots of the first node to the second, with `redis-cli`.
    ///
    /// # Panics
    /// When they do not move.
    pub fn reshard(&self) {
        let [from, to] =
            [0, 1].map(|number: usize| self.ask(&self.nodes[number], &["CLUSTER", "MYID"]));
        let (node, slots) = (self.nodes[0].address(), "5461".to_owned());
        let flag = |name: &str| format!("--cluster-{name}");
        self.command([
            "--cluster".to_owned(),
            "reshard".to_owned(),
            node,
            flag("yes"),
            flag("from"),
            from.trim().to_owned(),
            flag("to"),
            to.trim().to_owned(),
            flag("slots"),
            slots,
        ]);
    }

    fn is_master(&self, node: &Node) -> bool {
        self.ask(node, &["ROLE"]).starts_with("master")
    }

    /// A node's answer to a command.
    fn ask(&self, node: &Node, command: &[&str]) -> String {
        let port = ["-p".to_owned(), node.port.to_string()];
        self.command(
            port.into_iter()
                .chain(command.iter().map(|word| (*word).to_owned())),
        )
    }

    /// The output of `redis-cli`.
    fn command(&self, arguments: impl IntoIterator<Item = String>) -> String {
        let client = installed("redis-cli").expect("it was there");
        let mut command = Command::new(client);
        command.args(&self.access.client).args(arguments);
        let done = command.output().expect("redis-cli runs");
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        // It reports each slot, and errors at the end.
        let lines: Vec<_> = said.lines().rev().take(9).collect();
        assert!(done.status.success(), "{lines:?} {:?}", done.stderr);
        said
    }

    fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let started = Instant::now();
        while !holds(self) {
            assert!(started.elapsed() < START_TIMEOUT, "in vain: {what}");
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Access {
    fn told(node: &[&str], client: &[&str]) -> Self {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Self {
            node: owned(node),
            client: owned(client),
            certificate: None,
        }
    }
}

impl Node {
    fn start(access: &Access) -> Option<Self> {
        let mut options = vec!["--cluster-enabled".to_owned(), "yes".to_owned()];
        options.extend_from_slice(&access.node);
        let tls = access
            .certificate
            .as_ref()
            .map(|certificate| (free_port(), certificate));
        if let Some((port, certificate)) = tls {
            options.extend(certificate.options(port));
        }
        let options: Vec<_> = options.iter().map(String::as_str).collect();
        let server = serve("redis-server", free_port(), &options)?;
        let port = tls.map_or(server.port(), |(port, _)| port);
        Some(Self { server, port })
    }

    fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}
