//! `opossum serve`: a till for a browser on this machine.
//!
//! Calls go to the till's operations by name; changes of the shop, whoever makes them, are pushed
//! as server-sent events. Nobody else gets in: the server listens on the loopback interface only,
//! asks for a token that is new with every start, answers to no other host name (a page elsewhere
//! could point its own name here) and to no page of another origin.

use std::convert::Infallible;
use std::fmt::Display;
use std::io::{self, ErrorKind};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, Query, Request, State};
use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, ORIGIN,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Json, Router};
use clap::Args;
use dcb::EventStore;
use dcb_file::FileStore;
use serde::Deserialize;
use serde_json::json;
use till::{ErrorCode, Fault, Operation, Till, TillError};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::WatchStream;

use crate::Outcome;
use crate::failure::{Failure, Status};
use crate::output::print_text;
use crate::shop::{AtShop, closed};
use crate::ui;

#[derive(Args)]
pub(crate) struct ServeArguments {
    #[command(flatten)]
    at: AtShop,
    /// The port to listen on; by default one that is free
    #[arg(long, value_name = "N", default_value_t = 0)]
    port: u16,
}

/// Serves until the process is asked to end, and then closes the store well. However it ends,
/// nothing that was answered is lost.
pub(crate) fn run(arguments: &ServeArguments) -> Outcome {
    let store = Arc::new(arguments.at.store(None)?);
    let till = Arc::new(arguments.at.hosted_till_on(Arc::clone(&store))?);
    let ready = Arc::clone(&till);
    std::thread::spawn(move || ready.get_ready());
    let runtime = tokio::runtime::Runtime::new().map_err(failed)?;
    let served = runtime.block_on(serve(Arc::clone(&till), Arc::clone(&store), arguments.port));
    // It waits for the calls that are under way.
    drop(runtime);
    closed(&store, served)
}

async fn serve(till: Arc<Till>, store: Arc<FileStore>, port: u16) -> Outcome {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|error| {
        if error.kind() == ErrorKind::AddrInUse {
            let taken = format!("port {port} is taken; leave --port out to get a free one");
            return Failure::bad_input(taken);
        }
        failed(error)
    })?;
    let port = listener.local_addr().map_err(failed)?.port();
    let token = fresh_token()?;
    let heads = watch::Sender::new(store.head()?);
    let host = Host {
        till,
        heads: heads.subscribe(),
        names: ["127.0.0.1", "localhost"].map(|name| match port {
            // Browsers leave it out.
            80 => name.to_owned(),
            port => format!("{name}:{port}"),
        }),
        token: token.clone(),
    };
    std::thread::spawn(move || follow(&*store, &heads));
    print_text(&format!("http://127.0.0.1:{port}/?token={token}\n"))?;
    // Listeners for changes stay for as long as they like: they are not waited for.
    tokio::select! {
        ended = axum::serve(listener, routes(Arc::new(host))) => ended.map_err(failed),
        asked = asked_to_end() => asked.map_err(failed),
    }
}

/// Waits until somebody presses Ctrl-C, or the system asks the process to end.
async fn asked_to_end() -> io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            pressed = tokio::signal::ctrl_c() => pressed,
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}

fn failed(error: io::Error) -> Failure {
    Failure::Message(Status::Io, format!("cannot serve: {error}"))
}

/// 128 random bits in hex.
fn fresh_token() -> Result<String, Failure> {
    let mut bits = [0; 16];
    getrandom::fill(&mut bits).map_err(|error| failed(io::Error::other(error)))?;
    Ok(bits.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Tells the store's head after every change, also of other processes, for as long as somebody may
/// listen.
fn follow(store: &dyn EventStore, heads: &watch::Sender<u64>) {
    while !heads.is_closed() {
        let next = *heads.borrow() + 1;
        match store.wait_for(next, Duration::from_secs(60)) {
            Ok(Some(head)) => drop(heads.send_replace(head)),
            Ok(None) => {}
            Err(error) => {
                eprintln!("opossum: cannot see changes of the shop: {error}");
                std::thread::sleep(Duration::from_secs(1));
            }
        }
    }
}

/// What all requests share.
struct Host {
    till: Arc<Till>,
    /// The store's head, as it changes.
    heads: watch::Receiver<u64>,
    /// By which names, with its port if that is not HTTP's own, a browser may call this server.
    names: [String; 2],
    token: String,
}

fn routes(host: Arc<Host>) -> Router {
    Router::new()
        .route("/api/call/{name}", post(call))
        .route("/api/changes", get(changes))
        .route("/api/{*path}", any(nothing_here))
        .fallback_service(get(ui::file))
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(Arc::clone(&host), guard))
        .with_state(host)
}

/// Calls an operation of the till.
async fn call(
    State(host): State<Arc<Host>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    input: Result<Bytes, BytesRejection>,
) -> Result<Response, Refused> {
    let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    host.admit(bearer.and_then(|value| value.strip_prefix("Bearer ")))?;
    let unreadable = |error: &dyn Display| TillError::bad_request(format!("the input: {error}"));
    let input = input.map_err(|error| unreadable(&error))?;
    let input = String::from_utf8(input.into()).map_err(|error| unreadable(&error))?;
    let run = move || Operation::find(&name)?.run(&host.till, &input);
    let answer = spawn_blocking(run).await.map_err(|stopped| {
        let message = format!("the call came to no end ({stopped}); send the same request again");
        TillError::new(Fault::Io, message)
    })??;
    Ok(([(CONTENT_TYPE, "application/json")], answer.as_str().to_owned()).into_response())
}

#[derive(Deserialize)]
struct Listener {
    token: Option<String>,
}

/// Tells the store's head, now and after every change. Who is slow misses some and gets the last.
async fn changes(
    State(host): State<Arc<Host>>,
    Query(listener): Query<Listener>,
) -> Result<Response, Refused> {
    host.admit(listener.token.as_deref())?;
    let heads = WatchStream::new(host.heads.clone());
    let events = heads
        .map(|head| Ok::<_, Infallible>(Event::default().data(json!({"head": head}).to_string())));
    Ok(Sse::new(events).keep_alive(KeepAlive::default()).into_response())
}

async fn nothing_here(uri: Uri) -> Refused {
    Refused {
        status: StatusCode::NOT_FOUND,
        error: TillError::not_found(format!("there is nothing at {}", uri.path())),
    }
}

async fn wrong_method() -> Refused {
    let message = "operations are called with POST, all else is got with GET";
    Refused { status: StatusCode::METHOD_NOT_ALLOWED, error: TillError::bad_request(message) }
}

/// What every answer tells the browser: load nothing from elsewhere, be shown in no other page,
/// keep no copy, and tell nobody the address, which holds the token.
const HEADERS: [(HeaderName, &str); 6] = [
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
         font-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'",
    ),
    (CACHE_CONTROL, "no-store"),
    (REFERRER_POLICY, "no-referrer"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// Lets in what calls this server by its name and comes from no other page.
async fn guard(State(host): State<Arc<Host>>, request: Request, next: Next) -> Response {
    let mut response = match host.check(request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refused) => refused.into_response(),
    };
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

impl Host {
    fn check(&self, headers: &HeaderMap) -> Result<(), Refused> {
        let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
        let is_own_name = |name: &str| self.names.iter().any(|own| own == name);
        if !text(HOST).is_some_and(is_own_name) {
            return Err(Refused::forbidden("this server answers to 127.0.0.1 and localhost only"));
        }
        let is_own_page = |origin: &str| origin.strip_prefix("http://").is_some_and(is_own_name);
        if !text(ORIGIN).is_none_or(is_own_page) {
            return Err(Refused::forbidden("this page may not call the till"));
        }
        Ok(())
    }

    fn admit(&self, token: Option<&str>) -> Result<(), Refused> {
        if token.is_some_and(|token| are_equal(token.as_bytes(), self.token.as_bytes())) {
            return Ok(());
        }
        let message = "the token is missing or of an earlier start; open the address that \
                       `opossum serve` printed";
        let error = TillError::new(Fault::NotAllowed, message);
        Err(Refused { status: StatusCode::UNAUTHORIZED, error })
    }
}

/// Whether they are equal, in a time that does not tell how far they are.
fn are_equal(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |differences, (a, b)| differences | (a ^ b)) == 0
}

/// An error on its way to the browser.
struct Refused {
    status: StatusCode,
    error: TillError,
}

impl Refused {
    fn forbidden(message: &str) -> Self {
        let error = TillError::new(Fault::NotAllowed, message);
        Self { status: StatusCode::FORBIDDEN, error }
    }
}

impl From<TillError> for Refused {
    fn from(error: TillError) -> Self {
        let status = match error.code {
            ErrorCode::Refused(_) => StatusCode::UNPROCESSABLE_ENTITY,
            ErrorCode::Fault(fault) => match fault {
                Fault::BadRequest => StatusCode::BAD_REQUEST,
                Fault::NotAllowed => StatusCode::FORBIDDEN,
                Fault::NotFound => StatusCode::NOT_FOUND,
                Fault::Contended | Fault::TillInUse => StatusCode::CONFLICT,
                Fault::LockTimeout | Fault::Cancelled => StatusCode::SERVICE_UNAVAILABLE,
                Fault::DiskFull => StatusCode::INSUFFICIENT_STORAGE,
                Fault::ReadOnly | Fault::Damaged | Fault::NotAStore | Fault::Io => {
                    StatusCode::INTERNAL_SERVER_ERROR
                }
            },
        };
        Self { status, error }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.status, Json(self.error)).into_response()
    }
}
