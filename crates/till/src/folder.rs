//! What lies in a shop's folder beside the store: where it is, and how it is replaced.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use pos::TillId;

/// `DATA/KIND/TILL.EXTENSION`.
pub(crate) fn file_of_till(data: &Path, kind: &str, till: &TillId, extension: &str) -> PathBuf {
    data.join(kind).join(format!("{}.{extension}", file_name(till)))
}

/// A new file takes the place of the old one in one step, and only when all of it is on disk. Who
/// may read it is decided when it is made: `private` is for this user alone.
pub(crate) fn replace(path: &Path, content: &[u8], private: bool) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    if !folder.exists() {
        fs::create_dir_all(folder)?;
        sync_folder(folder.parent().unwrap_or(Path::new(".")))?;
    }
    let new = path.with_extension("new");
    if private && new.exists() {
        fs::remove_file(&new)?; // Left by a crash; it may be open to others.
    }
    let mut file = options(private).truncate(true).open(&new)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    sync_folder(folder)
}

/// How to make a file to write: one of this user alone has mode 0600 where files have modes.
pub(crate) fn options(private: bool) -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true);
    #[cfg(unix)]
    if private {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    #[cfg(not(unix))]
    let _ = private;
    options
}

/// Makes names in a folder durable, where the system has that notion.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// A till's id as part of a file name: ASCII punctuation that a file system may take amiss is
/// written as `%2F`. The longest id stays below the 255 bytes that a name may have.
fn file_name(till: &TillId) -> String {
    let mut name = String::new();
    for c in till.as_str().chars() {
        match c {
            '-' | '_' => name.push(c),
            c if c.is_ascii() && !c.is_ascii_alphanumeric() => {
                name.push_str(&format!("%{:02X}", u32::from(c)));
            }
            c => name.push(c),
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_till_id_leads_out_of_its_folder_or_makes_too_long_a_name() {
        let name = |id: &str| file_name(&TillId::new(id).unwrap());
        assert_eq!(name("T1"), "T1");
        assert_eq!(name("../../etc"), "%2E%2E%2F%2E%2E%2Fetc");
        assert_eq!(name("c:\\x y"), "c%3A%5Cx%20y");
        for longest in ["/", "x", "é", "💥"] {
            assert!(name(&longest.repeat(pos::MAX_TILL_CHARS)).len() <= 240);
        }
    }
}
