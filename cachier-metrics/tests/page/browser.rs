//! A browser with the live page open.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use cachier_servers::chromedriver::{self, Chromedriver};
use fantoccini::wd::Capabilities;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

/// How wide the page is.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Device {
    Desktop,
    Phone,
}

/// The page, in a browser of its own.
pub(super) struct Page {
    client: Client,
    driver: Chromedriver,
    origin: String,
}

const ELEMENT_TIMEOUT: Duration = Duration::from_secs(20);

/// Runs a test with the page of this origin; says so and does nothing where there is no browser.
pub(super) fn with_page(origin: &str, device: Device, test: impl AsyncFnOnce(Page) -> Page) {
    let Some(driver) = chromedriver::start() else {
        return;
    };
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().unwrap().block_on(async {
        let page = Page::open(driver, origin, device).await;
        let page = test(page).await;
        page.client.close().await.unwrap();
    });
}

impl Page {
    async fn open(driver: Chromedriver, origin: &str, device: Device) -> Self {
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(capabilities(device));
        let client = builder.connect(&driver.url()).await.unwrap();
        client.goto(&format!("{origin}/")).await.unwrap();
        let page = Self {
            client,
            driver,
            origin: origin.to_owned(),
        };
        page.until(
            "shows figures",
            "return document.querySelector('#functions tbody tr') !== null",
        )
        .await;
        page
    }

    /// What a script returns.
    pub(super) async fn script(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.unwrap()
    }

    /// What a script hands to its last argument.
    pub(super) async fn promised(&self, script: &str) -> Value {
        self.client.execute_async(script, Vec::new()).await.unwrap()
    }

    /// Waits until a script returns `true`.
    pub(super) async fn until(&self, what: &str, script: &str) {
        let until = Instant::now() + ELEMENT_TIMEOUT;
        while self.script(script).await != true {
            assert!(Instant::now() < until, "the page never {what}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub(super) async fn click(&self, selector: &str) {
        let element = self.client.find(Locator::Css(selector)).await.unwrap();
        element.click().await.unwrap();
    }

    /// Types into a field, in place of what is there.
    pub(super) async fn write(&self, selector: &str, text: &str) {
        const DELETE: &str = "\u{e017}";
        self.script(&format!("document.querySelector('{selector}').select()"))
            .await;
        let field = self.client.find(Locator::Css(selector)).await.unwrap();
        let keys = if text.is_empty() { DELETE } else { text };
        field.send_keys(keys).await.unwrap();
    }

    pub(super) async fn text(&self, selector: &str) -> String {
        let element = self.client.find(Locator::Css(selector)).await.unwrap();
        element.text().await.unwrap()
    }

    /// The texts of a column, from the top.
    pub(super) async fn column(&self, name: &str) -> Vec<String> {
        let cells = if name == "Function" {
            "tbody th".to_owned()
        } else {
            format!("tbody td[data-name='{name}']")
        };
        let script = format!(
            "return [...document.querySelectorAll(\"#functions {cells}\")].map((cell) => cell.textContent)"
        );
        serde_json::from_value(self.script(&script).await).unwrap()
    }

    /// The texts of all elements.
    pub(super) async fn texts(&self, selector: &str) -> Vec<String> {
        let script = format!(
            "return [...document.querySelectorAll(\"{selector}\")].map((element) => element.textContent)"
        );
        serde_json::from_value(self.script(&script).await).unwrap()
    }

    /// Names and figures, side by side.
    pub(super) async fn pairs(&self, selector: &str) -> BTreeMap<String, String> {
        let names = self.texts(&format!("{selector} dt")).await;
        let figures = self.texts(&format!("{selector} dd")).await;
        names.into_iter().zip(figures).collect()
    }

    /// Gives the window, with its borders, this size.
    pub(super) async fn resize(&self, width: u32, height: u32) {
        self.client.set_window_size(width, height).await.unwrap();
    }

    /// A picture, as PNG, of what is to be seen.
    pub(super) async fn screenshot(&self) -> Vec<u8> {
        self.client.screenshot().await.unwrap()
    }

    /// A picture of the whole page in the folder that `CACHIER_TEST_SHOTS` names, for people to look at.
    pub(super) async fn picture(&self, name: &str) {
        if let Some(folder) = std::env::var_os("CACHIER_TEST_SHOTS") {
            let picture = self.screenshot().await;
            let path = std::path::Path::new(&folder).join(format!("{name}.png"));
            std::fs::write(path, picture).unwrap();
        }
    }

    /// Nothing was asked of anybody but the program.
    pub(super) async fn asked_its_own_server_alone(&self) {
        let asked = self
            .script("return performance.getEntriesByType('resource').map(({ name }) => name)")
            .await;
        let asked = asked.as_array().unwrap();
        let own = format!("{}/stats.json?", self.origin);
        assert!(!asked.is_empty());
        for address in asked {
            let is_own = address.as_str().unwrap().starts_with(&own);
            assert!(is_own || address == "data:,", "{address}");
        }
    }

    /// What the console of the browser was told since the last time: by a command of Chromium's own.
    pub(super) async fn console(&self) -> Vec<String> {
        let session = self.client.session_id().await.unwrap().unwrap();
        let said = self.driver.command(
            &format!("/session/{session}/se/log"),
            r#"{"type":"browser"}"#,
        );
        let said: Value = serde_json::from_str(&said).unwrap();
        let messages = said["value"].as_array().unwrap().iter();
        messages
            .map(|message| message["message"].to_string())
            .collect()
    }

    /// What keeps people from using the page, as `axe-core` finds it.
    pub(super) async fn obstacles(&self, axe: &str) -> Vec<String> {
        self.script(axe).await;
        let found = self
            .promised(
                "const done = arguments[arguments.length - 1];\
                 axe.run({ resultTypes: ['violations'] }).then(({ violations }) => done(violations.map(\
                   ({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).slice(0, 3)}`)))",
            )
            .await;
        serde_json::from_value(found).unwrap()
    }
}

fn capabilities(device: Device) -> Capabilities {
    let arguments = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--window-size=1400,1000",
    ];
    let mut options = json!({ "args": arguments });
    if device == Device::Phone {
        let metrics = json!({ "width": 390, "height": 844, "pixelRatio": 2.0 });
        options["mobileEmulation"] = json!({ "deviceMetrics": metrics });
    }
    let all = json!({ "goog:chromeOptions": options, "goog:loggingPrefs": { "browser": "ALL" } });
    serde_json::from_value(all).unwrap()
}
