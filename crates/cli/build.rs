//! Builds `opossum` again when the web UI within it was built anew.

fn main() {
    println!("cargo::rerun-if-changed=../../ui/dist");
}
