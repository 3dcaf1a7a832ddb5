//! What lies in a shop's folder beside the store: where it is, and how it is written.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use pos::TillId;

use crate::TillError;

/// The folder of a shop: the one that was named, or else the one that this user's data is in.
pub fn data_folder(named: Option<&Path>) -> Result<PathBuf, TillError> {
    if let Some(named) = named {
        return Ok(named.to_owned());
    }
    let dirs = directories::ProjectDirs::from("", "", "opossum-pos").ok_or_else(|| {
        TillError::bad_request("this user has no home folder; name the shop's folder with --data")
    })?;
    Ok(dirs.data_dir().to_owned())
}

/// `DATA/KIND/TILL.EXTENSION`.
pub(crate) fn file_of_till(data: &Path, kind: &str, till: &TillId, extension: &str) -> PathBuf {
    data.join(kind).join(format!("{}.{extension}", file_name(till)))
}

/// A new file of this user alone takes the place of the old one in one step, and only when all of
/// it is on disk.
pub(crate) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = make_folder_of(path)?;
    let new = path.with_extension("new");
    if new.exists() {
        fs::remove_file(&new)?; // Left by a crash; it may be open to others.
    }
    let mut file = private().truncate(true).open(&new)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    sync_folder(folder)
}

/// Writes over the beginning of a file, which is made if it is missing; what follows stays. A crash
/// may leave half of it. As long as the file doesn't grow this is one write and one fdatasync.
pub(crate) fn overwrite(path: &Path, content: &[u8]) -> io::Result<()> {
    match OpenOptions::new().write(true).open(path) {
        Ok(mut file) => {
            file.write_all(content)?;
            file.sync_data()
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let folder = make_folder_of(path)?;
            let mut file = File::create_new(path)?;
            file.write_all(content)?;
            file.sync_all()?;
            sync_folder(folder)
        }
        Err(error) => Err(error),
    }
}

/// How to make a file to write of this user alone: it has mode 0600 where files have modes.
pub(crate) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// The folder of a file; it is made, durably, if it is missing.
fn make_folder_of(path: &Path) -> io::Result<&Path> {
    let folder = path.parent().unwrap_or(Path::new("."));
    if !folder.exists() {
        fs::create_dir_all(folder)?;
        sync_folder(folder.parent().unwrap_or(Path::new(".")))?;
    }
    Ok(folder)
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
