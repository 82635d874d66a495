//! S3: the bare client reads one object.

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{
    BehaviorVersion, Builder, Credentials, Region, RequestChecksumCalculation,
    ResponseChecksumValidation,
};
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};
use cachier::S3Backend;
use cachier_servers::s3::Place;

use crate::compare::{Effort, Row, one_task, one_thread, runtime};
use crate::value::{cached, stored};

cached!("s3", of_task, of_thread);

pub(crate) fn rows(effort: Effort) -> Vec<Row> {
    let Some(server) = cachier_servers::s3::start() else {
        return Vec::new();
    };
    let place = server.place().clone();
    let backend = S3Backend::new(place.bucket.clone())
        .endpoint(place.endpoint.clone())
        .credentials(place.access_key.clone(), place.secret.clone());
    cachier::register_backend("s3", backend).expect("it is registered");
    let runtime = runtime();
    let client = runtime.block_on(filled(&place));
    let read = async |id: u64| {
        let get = client.get_object().bucket(&place.bucket).key(name(id));
        let body = get.send().await.expect("it is there").body;
        body.collect().await.expect("it is read").to_vec()
    };
    let effort = effort.fewer(8);
    vec![
        Row {
            what: "s3, async : one object by the bare client",
            at_most: 1.25,
            compared: one_task(&runtime, effort, of_task, read),
        },
        Row {
            what: "s3, sync : one object by the bare client",
            at_most: 1.25,
            compared: one_thread(effort, of_thread, |id| runtime.block_on(read(id))),
        },
    ]
}

async fn filled(place: &Place) -> Client {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(tls::Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let credentials = Credentials::new(&place.access_key, &place.secret, None, None, "bench");
    let config = Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .http_client(http)
        .region(Region::new("us-east-1"))
        .credentials_provider(credentials)
        .endpoint_url(&place.endpoint)
        .force_path_style(true)
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
    let client = Client::from_conf(config.build());
    for (id, bytes) in stored() {
        let put = client.put_object().bucket(&place.bucket).key(name(id));
        put.body(bytes.into()).send().await.expect("it is stored");
    }
    client
}

fn name(id: u64) -> String {
    format!("bare/{id}")
}
