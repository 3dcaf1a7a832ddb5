//! Embeds the web UI, names the one command that it may call, and gives the app its icons.

use std::fs;
use std::path::Path;

use tauri_build::{AppManifest, Attributes};

/// What the window shows when the UI was not built before the app.
const NOT_BUILT: &str = r#"<!doctype html>
<html lang="en">
  <meta charset="utf-8">
  <title>Opossum POS</title>
  <body style="font: 18px/1.5 system-ui, sans-serif; max-width: 32em; margin: 4em auto">
    <h1>The screens are not built yet</h1>
    <p>Build them, then build the app again:</p>
    <pre>npm --prefix ui ci
npm --prefix ui run build</pre>
  </body>
</html>
"#;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let ui = Path::new("../ui/dist");
    let page = ui.join("index.html");
    if !page.exists() {
        fs::create_dir_all(ui)?;
        fs::write(page, NOT_BUILT)?;
    }
    println!("cargo::rerun-if-changed={}", ui.display());
    let commands = AppManifest::new().commands(&["call"]);
    tauri_build::try_build(Attributes::new().app_manifest(commands))?;
    Ok(())
}
