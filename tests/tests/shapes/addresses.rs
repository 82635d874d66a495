//! Types with a compact and a human-readable form, inside types that serde buffers.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use cachier::{CallOptions, Outcome, cachier};
use cachier_tests::sandbox::{in_folder, in_folder_async};
use serde::{Deserialize, Serialize};

use crate::with_database;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
enum Tagged {
    Nobody,
    Peer {
        ip: IpAddr,
        socket: Option<SocketAddr>,
        seen: (),
    },
    Group(Group),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Group {
    members: Vec<Ipv6Addr>,
    load: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Ip(IpAddr),
    Socket(SocketAddr),
    Peer { ip: IpAddr, tagged: Tagged },
    Nobody,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Flattened {
    id: u64,
    #[serde(flatten)]
    group: Group,
    #[serde(flatten)]
    tagged: Tagged,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Named {
    id: u64,
    #[serde(flatten)]
    by_name: HashMap<String, IpAddr>,
}

fn ip(id: u64) -> IpAddr {
    match id % 2 {
        0 => Ipv4Addr::LOCALHOST.into(),
        _ => Ipv6Addr::LOCALHOST.into(),
    }
}

fn group() -> Group {
    Group {
        members: vec![Ipv6Addr::UNSPECIFIED, Ipv6Addr::LOCALHOST],
        load: 1.5,
    }
}

fn tagged_of(id: u64) -> Tagged {
    match id {
        0 => Tagged::Nobody,
        1 => Tagged::Peer {
            ip: ip(id),
            socket: None,
            seen: (),
        },
        2 => Tagged::Peer {
            ip: ip(id),
            socket: Some((ip(id), 80).into()),
            seen: (),
        },
        _ => Tagged::Group(group()),
    }
}

fn untagged_of(id: u64) -> Untagged {
    match id {
        0 => Untagged::Nobody,
        1 => Untagged::Ip(ip(id)),
        2 => Untagged::Socket((ip(id), 80).into()),
        _ => Untagged::Peer {
            ip: ip(id),
            tagged: tagged_of(id - 2),
        },
    }
}

fn flattened_of(id: u64) -> Flattened {
    Flattened {
        id,
        group: group(),
        tagged: tagged_of(id.min(2)),
    }
}

fn named_of(id: u64) -> Named {
    Named {
        id,
        by_name: (0..id)
            .map(|name| (format!("peer {name}"), ip(name)))
            .collect(),
    }
}

/// Each value is requested twice.
fn twice() -> impl Iterator<Item = (u64, Outcome)> {
    (0..5).flat_map(|id| [(id, Outcome::Miss), (id, Outcome::Hit)])
}

/// Functions that return such values, on a backend: the second call is a hit, with an equal value.
macro_rules! come_back {
    ($($test:ident: [$($backend:tt)*], $function:ident($of:ident) -> $returned:ty;)*) => {$(
        #[test]
        fn $test() {
            #[cachier(backend = $($backend)*)]
            #[allow(dead_code)]
            fn $function(id: u64) -> $returned {
                $of(id)
            }

            #[cachier(backend = $($backend)*)]
            #[allow(dead_code)]
            async fn asynchronous(id: u64) -> $returned {
                $of(id)
            }

            in_folder(|folder| {
                with_database(folder);
                for (id, expected) in twice() {
                    let call = $function::call_detailed(CallOptions::new(), id);
                    assert!(call.backend_error.is_none(), "{call}");
                    assert_eq!((call.value, call.outcome), ($of(id), expected));
                }
            });
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(in_folder_async(async |folder| {
                with_database(folder);
                for (id, expected) in twice() {
                    let call = asynchronous::call_detailed(CallOptions::new(), id).await;
                    assert!(call.backend_error.is_none(), "{call}");
                    assert_eq!((call.value, call.outcome), ($of(id), expected));
                }
            }));
        }
    )*};
}

come_back! {
    tagged_addresses_come_back_from_files: ["file"], tagged(tagged_of) -> Tagged;
    untagged_addresses_come_back_from_files: ["file"], untagged(untagged_of) -> Untagged;
    flattened_addresses_come_back_from_files: ["file"], flattened(flattened_of) -> Flattened;
    addresses_by_name_come_back_from_files: ["file"], named(named_of) -> Named;
    tagged_addresses_come_back_from_a_database: [registered("database")], tagged(tagged_of) -> Tagged;
    untagged_addresses_come_back_from_a_database: [registered("database")], untagged(untagged_of) -> Untagged;
    flattened_addresses_come_back_from_a_database: [registered("database")], flattened(flattened_of) -> Flattened;
    addresses_by_name_come_back_from_a_database: [registered("database")], named(named_of) -> Named;
}
