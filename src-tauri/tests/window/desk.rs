//! A desk to put the till on: a screen that nobody sees, a session bus, a home folder, a shop.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fantoccini::actions::{InputSource, KeyAction, KeyActions};
use fantoccini::key::Key;
use fantoccini::wd::Locator;
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

/// The app that is tested.
const APP: &str = env!("CARGO_BIN_EXE_opossum-pos");
/// How long anything may take to come about before a test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// How long to leave something alone before looking at it again.
pub(crate) const MOMENT: Duration = Duration::from_millis(20);

/// Everything the app finds around it, its own for each test and gone with it.
pub(crate) struct Desk {
    home: tempfile::TempDir,
    display: String,
    bus: String,
    _screen: Running,
    _session: Running,
}

impl Desk {
    pub(crate) fn new() -> Self {
        let (screen, number) = Running::start(Command::new("Xvfb").args([
            "-displayfd",
            "1",
            "-screen",
            "0",
            "1366x768x24",
            "-nolisten",
            "tcp",
        ]));
        let (session, bus) = Running::start(Command::new("dbus-daemon").args([
            "--session",
            "--nofork",
            "--nopidfile",
            "--print-address=1",
        ]));
        Self {
            home: tempfile::tempdir().unwrap(),
            display: format!(":{number}"),
            bus,
            _screen: screen,
            _session: session,
        }
    }

    /// The shop's folder.
    pub(crate) fn shop(&self) -> PathBuf {
        self.home.path().join("shop")
    }

    /// A program at this desk.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        for place in ["XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "OPOSSUM_DATA"] {
            command.env_remove(place);
        }
        command
            .env("HOME", self.home.path())
            .env("DISPLAY", &self.display)
            .env("DBUS_SESSION_BUS_ADDRESS", &self.bus)
            .env("NO_AT_BRIDGE", "1"); // this bus has no screen readers to wait for
        command
    }

    /// The app on the demo shop, as someone starts it who cannot look into its window.
    pub(crate) fn app(&self) -> Command {
        let mut app = self.command(APP);
        app.args(["--demo", "--owner", "owner"]).arg("--data").arg(self.shop());
        app
    }

    /// Starts the app on the demo shop with its owner at the till, its window open to be looked
    /// into.
    pub(crate) async fn open_window(&self) -> Window {
        self.open(&["--owner", "owner"]).await
    }

    /// The same with nobody at the till.
    pub(crate) async fn open_signed_out(&self) -> Window {
        self.open(&[]).await
    }

    async fn open(&self, who: &[&str]) -> Window {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut driver = self.command("WebKitWebDriver");
        driver.arg(format!("--port={port}")).env("TAURI_WEBVIEW_AUTOMATION", "true");
        let driver = Running(spawn(&mut driver));
        let shop = self.shop();
        let args = [&["--demo", "--data", shop.to_str().unwrap()], who].concat();
        let app = json!({"binary": APP, "args": args});
        let capabilities = json!({"webkitgtk:browserOptions": app});
        let Value::Object(capabilities) = capabilities else { unreachable!("it is an object") };
        let connected = async {
            loop {
                let mut builder = ClientBuilder::new(HttpConnector::new());
                builder.capabilities(capabilities.clone());
                match builder.connect(&format!("http://127.0.0.1:{port}")).await {
                    Ok(client) => break client,
                    Err(_) => sleep(MOMENT).await, // the driver is still starting
                }
            }
        };
        let client = timeout(PATIENCE, connected).await.expect("the app opens a window");
        Window { client, app: processes_on(&shop), _driver: driver }
    }

    /// The text of all logs that the app wrote.
    pub(crate) fn logs(&self) -> String {
        let mut text = String::new();
        let mut folders = vec![self.home.path().join(".local/share")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                match path.extension() {
                    Some(extension) if extension == "log" => {
                        text.push_str(&fs::read_to_string(path).unwrap());
                    }
                    _ if path.is_dir() => folders.push(path),
                    _ => {}
                }
            }
        }
        text
    }
}

/// The app's window, looked into and operated from outside.
pub(crate) struct Window {
    client: Client,
    app: Vec<u32>,
    _driver: Running,
}

impl Window {
    /// Waits until the page shows this, and returns its text.
    pub(crate) async fn sees(&self, what: Locator<'_>) -> String {
        let element = self.client.wait().at_most(PATIENCE).for_element(what).await;
        match element {
            Ok(element) => element.text().await.unwrap(),
            Err(error) => {
                let page = self.run("done(document.body.innerText)", vec![]).await;
                panic!("{what:?} is not there ({error}), but: {page}")
            }
        }
    }

    /// Presses what is on the page with the pointer.
    pub(crate) async fn click(&self, what: Locator<'_>) {
        self.sees(what).await;
        self.client.find(what).await.unwrap().click().await.unwrap();
    }

    /// Presses a key.
    pub(crate) async fn press(&self, key: Key) {
        self.type_all([char::from(key)]).await;
    }

    /// Scans a barcode: the scanner types it like a keyboard, only faster, and ends it with Enter.
    pub(crate) async fn scan(&self, code: &str) {
        self.type_all(code.chars().chain([char::from(Key::Enter)])).await;
    }

    /// Presses one key after the other.
    pub(crate) async fn type_all(&self, keys: impl IntoIterator<Item = char>) {
        let keys = keys.into_iter().fold(KeyActions::new("keyboard".into()), |keys, value| {
            keys.then(KeyAction::Down { value }).then(KeyAction::Up { value })
        });
        self.client.perform_actions(keys).await.unwrap();
    }

    /// Runs a function body in the page; it ends with a call of `done`.
    pub(crate) async fn run(&self, body: &str, args: Vec<Value>) -> Value {
        let body = format!("const done = arguments[arguments.length - 1]; {body}");
        self.client.execute_async(&body, args).await.unwrap()
    }

    /// Calls the till as the page does.
    pub(crate) async fn call(&self, name: &str, input: Value) -> Result<Value, Value> {
        self.invoke("call", json!({"name": name, "input": input})).await
    }

    /// Asks anything of the shell, as a page could that went wrong.
    pub(crate) async fn invoke(&self, command: &str, input: Value) -> Result<Value, Value> {
        let body = "window.__TAURI_INTERNALS__.invoke(arguments[0], arguments[1])
            .then((answer) => done({ answer }), (refused) => done({ refused }))";
        let mut outcome = self.run(body, vec![command.into(), input]).await;
        match outcome.get_mut("refused") {
            Some(refused) => Err(refused.take()),
            None => Ok(outcome.get_mut("answer").map(Value::take).unwrap_or_default()),
        }
    }

    /// Ends the app as a power cut would.
    pub(crate) async fn kill(self) {
        for id in &self.app {
            let killed = Command::new("kill").args(["-9", &id.to_string()]).status().unwrap();
            assert!(killed.success());
        }
        self.ended().await;
    }

    /// Closes the window as its user does.
    pub(crate) async fn close(self) {
        self.client.clone().close().await.unwrap();
        self.ended().await;
    }

    /// Waits until the app has ended. Only then may the driver end too, or a new app start.
    async fn ended(&self) {
        let started = Instant::now();
        while self.app.iter().any(|id| Path::new(&format!("/proc/{id}")).exists()) {
            assert!(started.elapsed() < PATIENCE, "the app does not end");
            sleep(MOMENT).await;
        }
    }
}

/// The ids of the app's processes on this shop.
fn processes_on(shop: &Path) -> Vec<u32> {
    let shop = shop.to_str().unwrap();
    let mut ids = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let line = fs::read_to_string(entry.path().join("cmdline")).unwrap_or_default();
        if line.starts_with(APP) && line.split('\0').any(|argument| argument == shop) {
            ids.push(id);
        }
    }
    ids
}

/// A program that runs until it is dropped.
struct Running(Child);

impl Running {
    /// Starts a program that tells on its first line that it is ready, and returns that line.
    fn start(command: &mut Command) -> (Self, String) {
        let mut child = spawn(command.stdout(Stdio::piped()));
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "{command:?} did not start");
        (Self(child), line.trim().to_owned())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn spawn(command: &mut Command) -> Child {
    command.stderr(Stdio::null()).spawn().unwrap_or_else(|error| {
        panic!(
            "{}: {error}. These tests need: apt-get install webkit2gtk-driver xvfb dbus",
            command.get_program().display()
        )
    })
}
