//! What stands for CloudWatch where moto does not.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use aws_sdk_cloudwatch::config::{BehaviorVersion, Builder, Credentials, Region};
use aws_sdk_cloudwatch::{Client, Config};

/// A client of a service at this address, which may be none.
pub(super) fn client(endpoint: &str) -> Client {
    Client::from_conf(config(endpoint).build())
}

/// The same, not made yet.
pub(super) fn config(endpoint: &str) -> Builder {
    Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("access", "secret", None, None, "test"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(endpoint)
}

/// Answers each request so; each is told.
pub(super) fn answering(
    answer: impl Fn(usize) -> Option<Vec<u8>> + Send + 'static,
) -> (String, Receiver<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let (tell, told) = channel();
    thread::spawn(move || {
        for (number, client) in listener.incoming().enumerate() {
            let mut client = client.unwrap();
            let length = read_request(&mut client);
            // The test may have ended.
            let _ = tell.send(length);
            if let Some(answer) = answer(number) {
                let _ = client.write_all(&answer);
            }
        }
    });
    (endpoint, told)
}

/// A whole request; the length of its body.
fn read_request(client: &mut TcpStream) -> usize {
    let (mut request, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let end = request.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8_lossy(&request[..end]).to_lowercase();
            let length = head.split("content-length: ").nth(1).unwrap();
            let length: usize = length.lines().next().unwrap().parse().unwrap();
            if request.len() == end + 4 + length {
                return length;
            }
        }
        let length = client.read(&mut buffer).unwrap();
        assert!(length > 0);
        request.extend_from_slice(&buffer[..length]);
    }
}

pub(super) fn cbor(status: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status}\r\nsmithy-protocol: rpc-v2-cbor\r\ncontent-type: application/cbor\r\n\
         connection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

pub(super) fn fine() -> Vec<u8> {
    cbor("200 OK", b"\xa0")
}
