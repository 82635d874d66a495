//! MongoDB: the bare client reads one document by its `_id`.

use cachier::MongoBackend;
use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, Document, doc};
use mongodb::{Client, Collection};

use crate::compare::{Effort, Row, one_task, one_thread, runtime};
use crate::value::{cached, stored};

cached!("mongo", of_task, of_thread);

pub(crate) fn rows(effort: Effort) -> Vec<Row> {
    let Some(server) = cachier_servers::mongo::start() else {
        return Vec::new();
    };
    let backend = MongoBackend::from_url(server.url()).expect("the address is a URL");
    cachier::register_backend("mongo", backend).expect("it is registered");
    let runtime = runtime();
    let documents = runtime.block_on(filled(server.url()));
    let read = async |id: u64| match documents.find_one(doc! { "_id": id.cast_signed() }).await {
        Ok(Some(document)) => bytes_in(document),
        _ => panic!("it is there"),
    };
    let effort = effort.fewer(4);
    vec![
        Row {
            what: "mongo, async : one document by the bare client",
            at_most: 1.25,
            compared: one_task(&runtime, effort, of_task, read),
        },
        Row {
            what: "mongo, sync : one document by the bare client",
            at_most: 1.25,
            compared: one_thread(effort, of_thread, |id| runtime.block_on(read(id))),
        },
    ]
}

async fn filled(url: &str) -> Collection<Document> {
    let client = Client::with_uri_str(url).await.expect("it is a URL");
    let documents = client.database("cachier").collection("bare");
    documents.drop().await.expect("it is dropped");
    let document = |(id, bytes): (u64, Vec<u8>)| {
        let value = Binary {
            subtype: BinarySubtype::Generic,
            bytes,
        };
        doc! { "_id": id.cast_signed(), "value": value }
    };
    let stored = documents.insert_many(stored().map(document)).await;
    stored.expect("they are stored");
    documents
}

fn bytes_in(mut document: Document) -> Vec<u8> {
    match document.remove("value") {
        Some(mongodb::bson::Bson::Binary(binary)) => binary.bytes,
        _ => panic!("it is binary"),
    }
}
