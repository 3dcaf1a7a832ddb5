//! The one command of the window: a call of the till.

use std::sync::Arc;

use dcb::Json;
use serde_json::Value;
use tauri::State;
use tauri::async_runtime::spawn_blocking;
use till::{Fault, TillError};

use crate::host::Host;

/// Calls an operation of the till by name, off the main thread, from JSON to JSON.
#[tauri::command]
pub(crate) async fn call(
    host: State<'_, Arc<Host>>,
    name: String,
    input: Value,
) -> Result<Json, TillError> {
    let host = Arc::clone(&host);
    spawn_blocking(move || host.call(&name, &input.to_string())).await.unwrap_or_else(|stopped| {
        log::error!("a call came to no end: {stopped}");
        Err(TillError::new(Fault::Io, format!("The till stopped in the middle of this: {stopped}")))
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::json;
    use tauri::ipc::{CallbackFn, InvokeBody};
    use tauri::test::{
        INVOKE_KEY, MockRuntime, get_ipc_response, mock_builder, mock_context, noop_assets,
    };
    use tauri::webview::InvokeRequest;
    use tauri::{App, WebviewWindow, WebviewWindowBuilder};

    use super::*;
    use crate::host::Arguments;

    /// How many products the demo shop has.
    const PRODUCTS: u32 = 303;

    /// A window without a screen, on the demo shop in a folder that goes when it does.
    struct Shop {
        window: WebviewWindow<MockRuntime>,
        _app: App<MockRuntime>,
        data: tempfile::TempDir,
    }

    impl Shop {
        fn open() -> Self {
            Self::open_in(tempfile::tempdir().unwrap())
        }

        fn open_in(data: tempfile::TempDir) -> Self {
            let folder = data.path().to_str().unwrap();
            let arguments = Arguments::parse_from([
                "opossum-pos",
                "--demo",
                "--owner",
                "owner",
                "--data",
                folder,
            ]);
            let app = mock_builder()
                .manage(Arc::new(Host::new(arguments)))
                .invoke_handler(tauri::generate_handler![super::call])
                .build(mock_context(noop_assets()))
                .unwrap();
            let window =
                WebviewWindowBuilder::new(&app, "main", Default::default()).build().unwrap();
            Self { window, _app: app, data }
        }

        /// Calls the till as the page in the window does.
        fn call(&self, name: &str, input: Value) -> Result<Value, Value> {
            let request = InvokeRequest {
                cmd: "call".into(),
                callback: CallbackFn(0),
                error: CallbackFn(1),
                url: "tauri://localhost".parse().unwrap(),
                body: InvokeBody::Json(json!({"name": name, "input": input})),
                headers: Default::default(),
                invoke_key: INVOKE_KEY.into(),
            };
            get_ipc_response(&self.window, request).map(|body| body.deserialize().unwrap())
        }
    }

    #[test]
    fn a_call_comes_back_with_what_the_till_answers() {
        let shop = Shop::open();
        let about = shop.call("shop", json!({})).unwrap();
        assert_eq!((&about["till"], &about["products"]), (&json!("T1"), &json!(PRODUCTS)));
        let open = json!({"requestId": "018f3c5e-0000-7000-8000-000000000001", "float": 5000});
        shop.call("open_shift", open).unwrap();
        assert_eq!(shop.call("shift", json!({})).unwrap()["shift"]["float"], 5000);
    }

    #[test]
    fn a_refusal_comes_back_with_code_message_and_details() {
        let shop = Shop::open();
        let refused = shop.call(
            "checkout",
            json!({
                "requestId": "018f3c5e-0000-7000-8000-000000000002",
                "lines": [{"product": "85014B", "quantity": 1000}],
                "payments": [{"tender": "card", "amount": 595}],
            }),
        );
        let refused = refused.unwrap_err();
        assert_eq!(refused["code"], "shift_closed");
        assert!(refused["message"].as_str().unwrap().ends_with('.'), "{refused}");
        assert!(refused["details"]["because"].is_array(), "{refused}");
    }

    #[test]
    fn an_unknown_name_is_a_bad_request_that_names_the_nearest() {
        let refused = Shop::open().call("chekout", json!({})).unwrap_err();
        assert_eq!(refused["code"], "bad_request");
        assert!(refused["message"].as_str().unwrap().contains("\"checkout\""), "{refused}");
    }

    #[test]
    fn what_keeps_the_till_from_opening_is_the_answer_until_it_is_over() {
        let data = tempfile::tempdir().unwrap();
        let lease = till::Lease::take(data.path(), &pos::TillId::new("T1").unwrap()).unwrap();
        let shop = Shop::open_in(data);
        assert_eq!(shop.call("shop", json!({})).unwrap_err()["code"], "till_in_use");
        drop(lease);
        assert_eq!(shop.call("shop", json!({})).unwrap()["products"], PRODUCTS);
    }

    #[test]
    fn a_named_folder_without_a_shop_is_told_and_not_made() {
        let data = tempfile::tempdir().unwrap();
        let misspelt = data.path().join("shpo");
        let host =
            Host::new(Arguments::parse_from(["opossum-pos", "--data", misspelt.to_str().unwrap()]));
        let error = host.call("shop", "{}").unwrap_err();
        assert!(error.message.contains("call configure_shop"), "{error}");
        assert!(!misspelt.exists());
    }

    #[test]
    fn a_folder_that_is_no_store_is_told_and_left_alone() {
        let data = tempfile::tempdir().unwrap();
        let letter = data.path().join("store/letter.txt");
        std::fs::create_dir(data.path().join("store")).unwrap();
        std::fs::write(&letter, "Dear Ann").unwrap();
        let shop = Shop::open_in(data);
        assert_eq!(shop.call("shop", json!({})).unwrap_err()["code"], "not_a_store");
        assert_eq!(std::fs::read_to_string(&letter).unwrap(), "Dear Ann");
        drop(shop.data);
    }
}
