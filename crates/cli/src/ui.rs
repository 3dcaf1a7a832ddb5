//! The files of the web UI, within the program.

use axum::http::header::CONTENT_TYPE;
use axum::http::{StatusCode, Uri};
use axum::response::{Html, IntoResponse, Response};
use rust_embed::Embed;

/// What `npm run build` made in `ui/dist`; nothing, if it was not built before this program was. A
/// debug build reads the folder anew with every request.
#[derive(Embed)]
#[folder = "../../ui/dist"]
#[allow_missing = true]
struct Files;

const NOT_BUILT: &str = "<!doctype html><html lang=\"en\"><title>Opossum POS</title>\
    <h1>The screens are not built yet</h1>\
    <p>Run <code>npm ci &amp;&amp; npm run build</code> in the folder <code>ui</code>, build \
    <code>opossum</code> again, and start it anew.</p></html>";

/// The file at this address; the page itself at `/`.
pub(crate) async fn file(uri: Uri) -> Response {
    let path = match uri.path().trim_start_matches('/') {
        "" => "index.html",
        path => path,
    };
    match Files::get(path) {
        Some(file) => ([(CONTENT_TYPE, file.metadata.mimetype())], file.data).into_response(),
        None if path == "index.html" => {
            (StatusCode::SERVICE_UNAVAILABLE, Html(NOT_BUILT)).into_response()
        }
        None => (StatusCode::NOT_FOUND, "there is no such file").into_response(),
    }
}
