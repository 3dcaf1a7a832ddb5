//! `opossum serve` as a browser meets it, and as others do whom it should not let in.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail by panicking")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use dcb::{Event, EventStore};
use dcb_file::{FileStore, Options};
use serde_json::{Value, json};
use tests::{call, opossum, text};

/// A running `opossum serve`, ended when it is dropped.
struct Served {
    process: Child,
    port: u16,
    token: String,
}

/// What came back.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

impl Served {
    fn start(data: &Path) -> Self {
        let mut process = Command::new(opossum())
            .args(["serve", "--data", text(data), "--user", "owner"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("http://127.0.0.1:").unwrap();
        let (port, token) = address.split_once("/?token=").unwrap();
        assert!(token.len() == 32 && token.bytes().all(|byte| byte.is_ascii_hexdigit()), "{token}");
        Self { process, port: port.parse().unwrap(), token: token.to_owned() }
    }

    /// Sends a request with exactly these header lines.
    fn send(&self, request: &str, headers: &[String], body: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let length = format!("Content-Length: {}", body.len());
        let lines = [&[format!("{request} HTTP/1.1")], headers, &[length]].concat();
        // Whoever refuses a request need not read all of it.
        let _ = stream.write_all(format!("{}\r\n\r\n", lines.join("\r\n")).as_bytes());
        let _ = stream.write_all(body);
        stream
    }

    fn ask(&self, request: &str, headers: &[String], body: &[u8]) -> Answer {
        let headers = [headers, &["Connection: close".to_owned()]].concat();
        let mut answer = String::new();
        // A server that is killed may reset the connection: then what came counts.
        let _ = self.send(request, &headers, body).read_to_string(&mut answer);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
        let status = head.split(' ').nth(1).map_or(0, |status| status.parse().unwrap());
        Answer { status, head: head.to_lowercase(), body: body.to_owned() }
    }

    fn host(&self) -> String {
        format!("Host: 127.0.0.1:{}", self.port)
    }

    fn bearer(&self) -> String {
        format!("Authorization: Bearer {}", self.token)
    }

    /// Calls an operation as the page does.
    fn call(&self, name: &str, input: &Value) -> Answer {
        let body = input.to_string();
        self.ask(&format!("POST /api/call/{name}"), &[self.host(), self.bearer()], body.as_bytes())
    }

    /// The heads that are pushed, as they come.
    fn changes(&self) -> impl Iterator<Item = u64> + use<> {
        let request = format!("GET /api/changes?token={}", self.token);
        let stream = self.send(&request, &[self.host()], b"");
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        BufReader::new(stream).lines().filter_map(|line| {
            let line = line.unwrap();
            let data: Value = serde_json::from_str(line.strip_prefix("data: ")?).unwrap();
            data["head"].as_u64()
        })
    }

    fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A demo shop, with an open shift at T1.
fn shop() -> tempfile::TempDir {
    let data = tempfile::tempdir().unwrap();
    call(&["till", "--data", text(data.path()), "demo"]).json();
    open_shift(data.path(), "T1", 1);
    data
}

fn open_shift(data: &Path, till: &str, request: u32) {
    let input = json!({"requestId": request_id(request), "float": 0}).to_string();
    call(&["till", "--data", text(data), "--till", till, "call", "open_shift", &input]).json();
}

fn request_id(number: u32) -> String {
    format!("018f3c5e-0000-7000-8000-{number:012x}")
}

#[test]
fn a_page_calls_the_till_and_gets_answers_and_refusals_as_json() {
    let data = shop();
    let served = Served::start(data.path());
    let about = served.call("shop", &json!({}));
    assert_eq!((about.status, &about.json()["till"]), (200, &json!("T1")));
    assert!(about.head.contains("content-type: application/json"), "{}", about.head);
    let too_many = json!({
        "requestId": request_id(2),
        "lines": [{"product": "22726", "quantity": 900_000}],
        "payments": []
    });
    let refused = served.call("checkout", &too_many);
    assert_eq!((refused.status, &refused.json()["code"]), (422, &json!("out_of_stock")));
    assert_eq!(refused.json()["details"]["line"], 1);
}

#[test]
fn the_store_tells_its_head_and_what_this_process_did_with_it() {
    let data = shop();
    let served = Served::start(data.path());
    let before = served.call("store_health", &json!({})).json();
    assert_eq!(before["counters"]["commits"], 0);
    let delivery = [json!({"product": "22726", "quantity": 1000})];
    let received = json!({"requestId": request_id(2), "lines": delivery});
    assert_eq!(served.call("receive_stock", &received).status, 200);
    let now = served.call("store_health", &json!({})).json();
    assert!(now["head"].as_u64() > before["head"].as_u64() && now["hash"] != before["hash"]);
    let counters = &now["counters"];
    assert_eq!((&counters["commits"], &counters["largestGroup"]), (&json!(1), &json!(1)));
    assert!(counters["syncUs"].as_u64() >= counters["longestSyncUs"].as_u64());
    let told = call(&["till", "--data", text(data.path()), "call", "store_health"]).json();
    assert_eq!((&told["head"], &told["hash"]), (&now["head"], &now["hash"]));
    assert_eq!(told["counters"]["commits"], 0, "it is another process");
}

#[test]
fn what_makes_no_sense_is_refused_with_its_reason() {
    let data = shop();
    let served = Served::start(data.path());
    let unknown = served.call("chekout", &json!({}));
    assert_eq!((unknown.status, &unknown.json()["code"]), (400, &json!("bad_request")));
    assert!(unknown.body.contains("did you mean"), "{}", unknown.body);
    let known = [served.host(), served.bearer()];
    for body in [&b"{"[..], b"[]", b"\xff", b"{\"x\":1}", &[b' '; 3_000_000]] {
        let bad = served.ask("POST /api/call/shop", &known, body);
        // So large a body may be cut off before it is all sent.
        let expected = if body.len() > 1_000_000 { [400, 0] } else { [400, 400] };
        assert!(expected.contains(&bad.status), "{}: {}", bad.head, bad.body);
    }
    for (request, status) in [
        ("GET /api/nothing", 404),
        ("GET /nothing.js", 404),
        ("GET /../Cargo.toml", 404),
        ("GET /%2e%2e/Cargo.toml", 404),
        ("GET /api/call/shop", 405),
        ("DELETE /", 405),
    ] {
        assert_eq!(served.ask(request, &known, b"").status, status, "{request}");
    }
    assert_eq!(served.call("shop", &json!({})).status, 200); // and it goes on
}

#[test]
fn nobody_gets_in_without_the_token() {
    let data = shop();
    let served = Served::start(data.path());
    for header in [
        "X-Nothing: x".to_owned(),
        "Authorization: Bearer ".to_owned(),
        format!("Authorization: Basic {}", served.token),
        format!("Authorization: Bearer {}0", served.token),
        format!("Authorization: Bearer {}", "0".repeat(32)),
    ] {
        let refused = served.ask("POST /api/call/shop", &[served.host(), header], b"{}");
        assert_eq!((refused.status, &refused.json()["code"]), (401, &json!("not_allowed")));
    }
    for request in ["GET /api/changes", "GET /api/changes?token=0"] {
        assert_eq!(served.ask(request, &[served.host(), served.bearer()], b"").status, 401);
    }
}

#[test]
fn no_other_page_and_no_other_name_gets_in() {
    let data = shop();
    let served = Served::start(data.path());
    let (port, bearer) = (served.port, served.bearer());
    let ask = |headers: Vec<String>| served.ask("POST /api/call/shop", &headers, b"{}");
    for origin in [
        "http://evil.example".to_owned(),
        format!("http://evil.example:{port}"),
        format!("https://127.0.0.1:{port}"),
        "http://127.0.0.1:1".to_owned(),
        "null".to_owned(),
    ] {
        let refused = ask(vec![served.host(), bearer.clone(), format!("Origin: {origin}")]);
        assert_eq!((refused.status, &refused.json()["code"]), (403, &json!("not_allowed")));
        assert!(!refused.head.contains("access-control"), "{}", refused.head);
    }
    for host in ["evil.example".to_owned(), format!("evil.example:{port}"), "127.0.0.1".to_owned()]
    {
        assert_eq!(ask(vec![format!("Host: {host}"), bearer.clone()]).status, 403, "{host}");
    }
    for name in ["127.0.0.1", "localhost"] {
        let own = vec![
            format!("Host: {name}:{port}"),
            bearer.clone(),
            format!("Origin: http://{name}:{port}"),
        ];
        assert_eq!(ask(own).status, 200, "{name}");
    }
}

#[test]
fn the_page_may_load_nothing_from_elsewhere_and_is_kept_nowhere() {
    let data = shop();
    let served = Served::start(data.path());
    let page = served.ask("GET /", &[served.host()], b"");
    assert!(page.body.contains("<html"), "{}", page.body);
    for line in [
        "content-security-policy: default-src 'self'",
        "cache-control: no-store",
        "referrer-policy: no-referrer",
        "x-content-type-options: nosniff",
        "content-type: text/html",
    ] {
        assert!(page.head.contains(line), "{line} is missing: {}", page.head);
    }
}

#[test]
fn a_change_by_another_process_is_pushed_at_once() {
    let data = shop();
    let served = Served::start(data.path());
    let mut heads = served.changes();
    let mut head = heads.next().unwrap();
    let shop = FileStore::open(data.path().join("store"), Options::default()).unwrap();
    let delays = (0..10).map(|_| {
        let position = shop.append(&[Event::builder("Noted").build().unwrap()], None).unwrap()[0];
        let appended = Instant::now();
        head = heads.next().unwrap();
        assert_eq!(head, position);
        appended.elapsed()
    });
    // The machine may be busy with other tests now and then, but not all the time.
    let fastest = delays.min().unwrap();
    assert!(fastest < Duration::from_millis(50), "{fastest:?}");
}

#[test]
fn who_listens_slowly_misses_changes_but_not_the_last() {
    let data = shop();
    let served = Served::start(data.path());
    let shop = FileStore::open(data.path().join("store"), Options::default()).unwrap();
    let append = || shop.append(&[Event::builder("Noted").build().unwrap()], None).unwrap()[0];
    let mut heads = served.changes();
    let last = (0..500).map(|_| append()).max().unwrap();
    let mut told = 0;
    while heads.next().unwrap() < last {
        told += 1;
    }
    assert!(told < 500, "{told} changes were told one by one");
}

#[test]
fn a_till_has_one_host_until_that_ends() {
    let data = shop();
    let first = Served::start(data.path());
    let serve = |till: &str, port: &str| {
        call(&["serve", "--data", text(data.path()), "--till", till, "--port", port])
    };
    serve("T1", "0").assert_failed(4, &["Till T1 is open already."]);
    let port = first.port.to_string();
    serve("T2", &port).assert_failed(2, &["is taken", "--port"]);
    // Programs that come and go are no hosts.
    call(&["till", "--data", text(data.path()), "call", "shop"]).json();
    first.kill();
    Served::start(data.path());
}

#[cfg(unix)]
#[test]
fn a_till_that_is_asked_to_end_leaves_a_ledger_that_knows_its_last_sale() {
    let data = shop();
    let head_in_ledger = || {
        let ledger = std::fs::read_to_string(data.path().join("store/ledger.json")).unwrap();
        serde_json::from_str::<Value>(&ledger).unwrap()["head"].as_u64().unwrap()
    };
    let before = head_in_ledger();
    let mut served = Served::start(data.path());
    let mut changes = served.changes();
    let opened = changes.next().unwrap();
    let sold = served
        .call(
            "checkout",
            &json!({
                "requestId": request_id(2),
                "lines": [{"product": "85014B", "quantity": 1000}],
                "payments": [{"tender": "card", "amount": 595}],
            }),
        )
        .json();
    assert!(sold["number"].is_number(), "{sold}");
    let sold_at = changes.find(|head| *head > opened).unwrap();
    assert_eq!(head_in_ledger(), before);
    let pid = served.process.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert!(served.process.wait().unwrap().success());
    assert_eq!((head_in_ledger(), changes.next()), (sold_at, None));
}

#[test]
fn a_shop_that_is_not_there_is_not_made_up() {
    let data = tempfile::tempdir().unwrap();
    let nowhere = data.path().join("nowhere");
    call(&["serve", "--data", text(&nowhere)]).assert_failed(2, &["there is no shop in", "demo"]);
    assert!(!nowhere.exists());
}

#[test]
fn after_a_kill_during_checkout_there_is_the_cart_or_the_receipt() {
    let data = shop();
    let mut random = fastrand::Rng::new();
    for kill in 0..20 {
        let served = Served::start(data.path());
        let id = request_id(100 + kill);
        let line = json!({"product": "21071", "quantity": 1000});
        let cart = json!({"id": id, "lines": [{
            "id": "1", "product": "21071", "quantity": 1000, "scannedPrice": 106, "name": "Mug",
            "taxRate": 2000
        }]});
        assert_eq!(served.call("save_cart", &json!({"cart": cart})).status, 200);
        let checkout = json!({
            "requestId": id, "lines": [line], "payments": [{"tender": "cash", "amount": 1000}]
        });
        let selling = served.send(
            "POST /api/call/checkout",
            &[served.host(), served.bearer()],
            checkout.to_string().as_bytes(),
        );
        std::thread::sleep(Duration::from_micros(random.u64(0..1_500)));
        served.kill();
        drop(selling);

        let served = Served::start(data.path());
        let was_at = served.call("cart", &json!({})).json();
        let receipt = served.call("receipt", &json!({"receipt": id}));
        match receipt.status {
            404 => assert_eq!(was_at, json!({"cart": cart, "finished": null}), "kill {kill}"),
            _ => {
                assert_eq!(was_at["finished"]["sale"], id.as_str(), "kill {kill}");
                assert_eq!(was_at["cart"], Value::Null, "kill {kill}");
            }
        }
        // Whatever it was, sending the cart again sells it once.
        let sold = served.call("checkout", &checkout).json();
        assert_eq!(sold["number"], kill + 1);
        served.kill();
    }
}
