//! Tells the window when the shop's history grew, by this till's doing or another's.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use serde::Serialize;
use tauri::plugin::{self, TauriPlugin};
use tauri::{AppHandle, Emitter, Runtime};

use crate::host::Host;

/// The event's name.
const CHANGES: &str = "changes";
/// How long to wait for a change before looking whether the store is still well.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long to let further changes gather before they are told as one. The window need not paint
/// more often.
const GATHER: Duration = Duration::from_millis(20);
/// How long to leave a store alone that could not be opened or read.
const RETRY: Duration = Duration::from_secs(1);

/// The shop's history grew.
#[derive(Clone, Copy, Debug, Serialize)]
struct Changed {
    /// The highest position in it.
    head: u64,
}

/// Emits [`Changed`] when the till has opened and after every change, until the app ends.
///
/// It is a plugin because those start before the window is made. In that time the till opens.
pub(crate) fn plugin<R: Runtime>(host: Arc<Host>) -> TauriPlugin<R> {
    let start = |app: &AppHandle<R>, _| {
        let app = app.clone();
        thread::Builder::new().name("changes".into()).spawn(move || watch(&app, &host))?;
        Ok(())
    };
    plugin::Builder::new("changes").setup(start).build()
}

fn watch<R: Runtime>(app: &AppHandle<R>, host: &Host) {
    host.get_ready();
    let mut told = None;
    loop {
        let head = host.with_till(|till| {
            let store = till.store();
            Ok(match told {
                None => Some(store.head()?),
                Some(head) => store.wait_for(head + 1, PATIENCE)?,
            })
        });
        match head {
            Ok(None) => {}
            Ok(Some(head)) => {
                told = Some(head);
                if let Err(error) = app.emit(CHANGES, Changed { head }) {
                    log::error!("the window was not told of a change: {error}");
                }
                thread::sleep(GATHER);
            }
            Err(error) => {
                log::warn!("changes cannot be watched: {error}");
                thread::sleep(RETRY);
            }
        }
    }
}
