//! One owner at a time, by the server's clock.

use std::time::{Duration, Instant};

use aws_sdk_s3::types::Object;
use cachier_backends::{Backend, Key, LeaseReply, Renewal, StoreReply};
use cachier_servers::s3::Place;
use futures_lite::future::or;
use tokio::time::sleep;

use crate::support::{
    ask, backend, behind_a_proxy, client, entry, key, lease, load, place, private, scope, store,
    store_under,
};

const PERIOD: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn leases_expire_by_the_servers_clock() {
    let Some(server) = private() else { return };
    let (backend, scope) = (backend(server.place()), scope("clock"));
    let (cold, warm) = (key(&scope, 1), key(&scope, 2));
    store(&backend, &warm, b"old").await;
    for key in [&cold, &warm] {
        server.age(Duration::ZERO);
        let before = load(&backend, key).await;
        let late = lease(&backend, key, PERIOD).await;
        server.age(PERIOD - Duration::from_secs(5));
        let reply = ask(&backend, key, PERIOD).await;
        assert!(matches!(reply, LeaseReply::Held(_)), "{reply:?}");
        server.age(PERIOD + Duration::from_secs(1));
        let next = lease(&backend, key, PERIOD).await;

        assert_eq!(backend.renew(&late).await.unwrap(), Renewal::Lost);
        let reply = store_under(&backend, key, b"late", late).await;
        assert_eq!(reply, StoreReply::Superseded);
        assert_eq!(load(&backend, key).await, before);
        let reply = store_under(&backend, key, b"next", next).await;
        assert_eq!(reply, StoreReply::Stored { evicted: 0 });
        assert_eq!(load(&backend, key).await, Some(entry(b"next")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_survives_a_lost_renewal_answer() {
    let Some(place) = place() else { return };
    let (proxy, behind) = behind_a_proxy(place);
    let (backend, scope) = (backend(&behind), scope("lost answers"));
    let (cold, warm) = (key(&scope, 1), key(&scope, 2));
    store(&backend, &warm, b"old").await;
    for (key, object) in [(&cold, "/1/"), (&warm, ".lease-")] {
        let lease = lease(&backend, key, PERIOD).await;
        let renew_unheard = async || {
            let before = etag_of_lease(place, key, object).await;
            proxy.mute(true);
            let heard = async { panic!("an answer was heard: {:?}", backend.renew(&lease).await) };
            let renewed = async {
                let started = Instant::now();
                while etag_of_lease(place, key, object).await == before {
                    assert!(started.elapsed() < PERIOD / 2, "it is never renewed");
                    sleep(Duration::from_millis(1)).await;
                }
            };
            or(heard, renewed).await;
            proxy.mute(false);
        };
        renew_unheard().await;
        assert_eq!(backend.renew(&lease).await.unwrap(), Renewal::Renewed);
        renew_unheard().await;
        let reply = store_under(&backend, key, b"new", lease).await;
        assert_eq!(reply, StoreReply::Stored { evicted: 0 });
        assert_eq!(load(&backend, key).await, Some(entry(b"new")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unanswered_lease_is_released() {
    let Some(place) = place() else { return };
    let (proxy, behind) = behind_a_proxy(place);
    let (backend, other, scope) = (backend(&behind), backend(place), scope("unheard"));
    let (cold, warm) = (key(&scope, 1), key(&scope, 2));
    store(&other, &warm, b"old").await;
    for (key, object) in [(&cold, "/1/"), (&warm, ".lease-")] {
        let seen = backend.load(key).await.unwrap();
        let seen = seen.map(|loaded| loaded.version);
        proxy.mute(true);
        let heard = async {
            let reply = backend.lease(key, seen.as_ref(), PERIOD).await;
            panic!("an answer was heard: {reply:?}")
        };
        let granted = async {
            let started = Instant::now();
            while etag_of_lease(place, key, object).await.is_none() {
                assert!(started.elapsed() < PERIOD / 2, "it is never granted");
                sleep(Duration::from_millis(1)).await;
            }
        };
        or(heard, granted).await;
        proxy.mute(false);
        let started = Instant::now();
        while !matches!(ask(&other, key, PERIOD).await, LeaseReply::Granted(_)) {
            assert!(started.elapsed() < PERIOD / 2, "it stays");
            sleep(Duration::from_millis(10)).await;
        }
    }
}

/// The `ETag` of the key's lease object, whose name contains `name`.
async fn etag_of_lease(place: &Place, key: &Key, name: &str) -> Option<String> {
    let listed = client(place).list_objects_v2().bucket(&place.bucket);
    let objects = listed.send().await.unwrap().contents.unwrap_or_default();
    let is_lease = |object: &&Object| {
        let object = object.key.as_deref().unwrap();
        object.contains(&key.to_string()) && object.contains(name)
    };
    objects.iter().find(is_lease)?.e_tag.clone()
}
