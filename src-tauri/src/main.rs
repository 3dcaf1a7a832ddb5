//! Opossum POS on the desktop: the web UI in a window, and a till behind it.
//!
//! The shell knows no rules and keeps nothing: [`call`](mod@call) passes calls to the till,
//! [`changes`] tells the window when the shop's history grew, [`host`] opens the till.

#![cfg_attr(not(debug_assertions), windows_subsystem = "windows")]

mod call;
mod changes;
mod host;

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use tauri::{AppHandle, Manager, RunEvent};
use tauri_plugin_log::{RotationStrategy, Target, TargetKind};

use crate::host::{Arguments, Host};

/// The size at which a log file is put aside and a new one begun, in bytes.
const LOG_FILE_BYTES_MAX: u128 = 1024 * 1024;
/// How many log files are kept.
const LOG_FILES_MAX: usize = 5;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if !has_display() {
        eprintln!(
            "opossum-pos: there is no display to open a window on; `opossum serve` opens the same \
             till to the browsers of this machine"
        );
        return ExitCode::FAILURE;
    }
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("opossum-pos: the window cannot be opened: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether there may be a screen. Only where it has a name can it be told that there is none.
fn has_display() -> bool {
    let names = ["DISPLAY", "WAYLAND_DISPLAY"];
    !cfg!(target_os = "linux")
        || names.iter().any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

fn run(arguments: Arguments) -> tauri::Result<()> {
    let host = Arc::new(Host::new(arguments));
    let mut context = tauri::generate_context!();
    // Each shop is an app of its own: it has one window, and keeps its place on the screen.
    context.config_mut().identifier = host.identifier(&context.config().identifier);
    // A second start must end before anything else begins.
    tauri::Builder::default()
        .plugin(tauri_plugin_single_instance::init(|app, _, _| show(app)))
        .plugin(log().build())
        .plugin(tauri_plugin_window_state::Builder::new().build())
        .plugin(changes::plugin(Arc::clone(&host)))
        .manage(host)
        .invoke_handler(tauri::generate_handler![call::call])
        .build(context)?
        .run(|app, event| {
            if let RunEvent::Exit = event {
                app.state::<Arc<Host>>().close();
            }
        });
    Ok(())
}

/// A log in files of limited size, in the platform's place for logs.
fn log() -> tauri_plugin_log::Builder {
    tauri_plugin_log::Builder::new()
        .targets([Target::new(TargetKind::LogDir { file_name: Some("opossum-pos".into()) })])
        .level(log::LevelFilter::Info)
        .max_file_size(LOG_FILE_BYTES_MAX)
        .rotation_strategy(RotationStrategy::KeepSome(LOG_FILES_MAX))
}

/// Brings the window to the front.
fn show(app: &AppHandle) {
    for window in app.webview_windows().values() {
        // A window manager may refuse; the window is open all the same.
        let _ = window.unminimize().and_then(|()| window.set_focus());
    }
}
