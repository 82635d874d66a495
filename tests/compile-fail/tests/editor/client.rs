//! A client of rust-analyzer, as an editor is one.

use std::io::{BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// The longest time until it has read a package, and for an answer.
const TIMEOUT: Duration = Duration::from_secs(240);

/// A running rust-analyzer with one file open.
pub(crate) struct Client {
    process: Child,
    requests: ChildStdin,
    messages: Receiver<Value>,
    last_id: u64,
    settings: Value,
    file: String,
    source: String,
}

impl Client {
    /// Whether there is one, and the sources of the standard library, which it would fetch.
    pub(crate) fn is_there() -> bool {
        let version = Command::new("rust-analyzer").arg("--version").output();
        let sysroot = Command::new("rustc").args(["--print", "sysroot"]).output();
        version.is_ok_and(|ended| ended.status.success())
            && sysroot.is_ok_and(|ended| {
                let sysroot = String::from_utf8_lossy(&ended.stdout);
                let sources = Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library");
                sources.is_dir()
            })
    }

    /// Opens a package's file, which is built in this folder.
    pub(crate) fn open(package: &Path, file: &Path, target: &Path) -> Self {
        let mut process = Command::new("rust-analyzer")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let requests = process.stdin.take().unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let (sender, messages) = channel();
        thread::spawn(move || {
            while let Some(message) = read(&mut output) {
                let _ = sender.send(message);
            }
        });
        let mut client = Self {
            process,
            requests,
            messages,
            last_id: 0,
            settings: json!({
                "cargo": { "targetDir": target },
                "cachePriming": { "enable": false },
                "checkOnSave": false,
            }),
            file: format!("file://{}", file.display()),
            source: std::fs::read_to_string(file).unwrap(),
        };
        client.begin(package);
        client
    }

    fn begin(&mut self, package: &Path) {
        let settings = self.settings.clone();
        self.request(
            "initialize",
            json!({
                "processId": null,
                "rootUri": format!("file://{}", package.display()),
                "capabilities": {
                    "experimental": { "serverStatusNotification": true },
                    "textDocument": { "hover": { "contentFormat": ["markdown"] } },
                },
                "initializationOptions": settings,
            }),
        );
        self.send(json!({ "method": "initialized", "params": {} }));
        let document = json!({
            "uri": self.file, "languageId": "rust", "version": 1, "text": self.source,
        });
        self.send(json!({
            "method": "textDocument/didOpen", "params": { "textDocument": document },
        }));
        self.wait_for(|message| {
            message["method"] == "experimental/serverStatus"
                && message["params"]["quiescent"] == true
        });
    }

    /// The hover text of the word at the mark.
    pub(crate) fn hover(&mut self, text: &str) -> String {
        let answer = self.ask("textDocument/hover", text);
        let shown = answer["contents"]["value"].as_str();
        shown.unwrap_or_default().to_owned()
    }

    /// The lines, as they are written, to which it leads from a place in this file.
    pub(crate) fn definitions(&mut self, text: &str) -> Vec<String> {
        let answer = self.ask("textDocument/definition", text);
        let places = answer.as_array().cloned().unwrap_or_default();
        let line = |place: &Value| {
            let line = place["range"]["start"]["line"].as_u64()?;
            let line = self.source.lines().nth(usize::try_from(line).ok()?)?;
            (place["uri"] == *self.file).then(|| line.trim().to_owned())
        };
        places.iter().filter_map(line).collect()
    }

    /// The completions at a place.
    pub(crate) fn completions(&mut self, text: &str) -> Vec<String> {
        let answer = self.ask("textDocument/completion", text);
        let offered = answer["items"].as_array().or(answer.as_array());
        let label = |item: &Value| {
            let label = item["label"].as_str()?;
            Some(label.split('(').next()?.to_owned())
        };
        offered.into_iter().flatten().filter_map(label).collect()
    }

    /// The answer about the place in a text, at which that has the mark `^`.
    fn ask(&mut self, method: &str, text: &str) -> Value {
        let (before, after) = text.split_once('^').unwrap();
        let found = self.source.find(&format!("{before}{after}"));
        let at = found.unwrap_or_else(|| panic!("no `{text}` in the source")) + before.len();
        let line = self.source[..at].matches('\n').count();
        let begins = self.source[..at].rfind('\n').map_or(0, |end| end + 1);
        self.request(
            method,
            json!({
                "textDocument": { "uri": self.file },
                "position": { "line": line, "character": at - begins },
            }),
        )
    }

    fn request(&mut self, method: &str, params: Value) -> Value {
        self.last_id += 1;
        let id = self.last_id;
        self.send(json!({ "id": id, "method": method, "params": params }));
        let answer = self.wait_for(|message| message["id"] == id && message["method"].is_null());
        answer["result"].clone()
    }

    fn wait_for(&mut self, is_it: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + TIMEOUT;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let message = self.messages.recv_timeout(left).expect("an answer in time");
            if is_it(&message) {
                return message;
            }
            self.answer(&message);
        }
    }

    /// Answers what it asks itself.
    fn answer(&mut self, message: &Value) {
        if message["id"].is_null() || message["method"].is_null() {
            return;
        }
        let result = match message["method"].as_str() {
            Some("workspace/configuration") => {
                let items = message["params"]["items"].as_array();
                let settings = items.into_iter().flatten().map(|_| self.settings.clone());
                settings.collect()
            }
            _ => Value::Null,
        };
        self.send(json!({ "id": message["id"], "result": result }));
    }

    fn send(&mut self, mut message: Value) {
        message["jsonrpc"] = json!("2.0");
        let text = message.to_string();
        write!(
            self.requests,
            "Content-Length: {}\r\n\r\n{text}",
            text.len()
        )
        .unwrap();
        self.requests.flush().unwrap();
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The next message; `None` at the end.
fn read(output: &mut impl std::io::BufRead) -> Option<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if output.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some(given) = line.strip_prefix("Content-Length: ") {
            length = given.parse().ok()?;
        }
    }
    let mut text = vec![0; length];
    output.read_exact(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}
