//! Building a folder aside, so that it is there whole or not at all.

use std::io;
use std::path::{Path, PathBuf};

use dcb::StoreError;
use uuid::Uuid;

use crate::disk::Disk;
use crate::meta::{io_error, is_missing};
use crate::recovery::sync_parent;

/// Builds of the folder `source` what will be the folder `out`, which is missing or empty and not
/// within `source`, under another name beside it, and gives it its name when `build` is done with
/// it. What `build` writes it makes durable itself.
///
/// If `build` fails nothing is left; if the power goes, a folder `OUT.unfinished-…` may be.
pub(crate) fn build_aside<T, E: From<StoreError>>(
    disk: &dyn Disk,
    source: &Path,
    out: &Path,
    build: impl FnOnce(&Path) -> Result<T, E>,
) -> Result<T, E> {
    let Some(name) = out.file_name() else {
        let reason = format!("{} is no name for a new folder; give it one", out.display());
        return Err(StoreError::NotAStore(reason).into());
    };
    check_vacant(disk, out)?;
    if resolved(out).starts_with(resolved(source)) {
        let (out, source) = (out.display(), source.display());
        let reason =
            format!("{out} lies within {source}, which is copied; give a folder elsewhere");
        return Err(StoreError::NotAStore(reason).into());
    }
    let unfinished = format!("{}.unfinished-{}", name.display(), Uuid::now_v7().simple());
    let aside = &out.with_file_name(unfinished);
    let finish = || {
        disk.create_dir(aside).map_err(|e| io_error("creating", aside, e))?;
        let built = build(aside)?;
        // An empty folder gives way; on some systems only if it is gone.
        match disk.remove_dir(out) {
            Err(error) if !is_missing(&error) => {
                return Err(io_error("replacing", out, error).into());
            }
            _ => {}
        }
        disk.rename(aside, out).map_err(|e| io_error("naming", out, e))?;
        sync_parent(disk, out)?;
        Ok(built)
    };
    finish().inspect_err(|_| {
        // What cannot be removed either is seen by its name.
        let _ = disk.remove_tree(aside);
    })
}

/// Where a path leads, by all links in as much of it as exists.
fn resolved(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let resolve = |existing: &Path| {
        let rest = path.strip_prefix(existing).ok()?;
        Some(existing.canonicalize().ok()?.join(rest))
    };
    path.ancestors().find_map(resolve).unwrap_or_else(|| path.clone())
}

fn check_vacant(disk: &dyn Disk, out: &Path) -> Result<(), StoreError> {
    let refuse = |why: String| Err(StoreError::NotAStore(format!("{} {why}", out.display())));
    match disk.list(out) {
        Ok(names) => match names.first() {
            None => Ok(()),
            Some(name) => {
                refuse(format!("is not empty (it holds {name}); give an empty or a new folder"))
            }
        },
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            refuse("is a file; give an empty or a new folder".into())
        }
        Err(error) if is_missing(&error) => Ok(()),
        Err(error) => Err(io_error("listing", out, error)),
    }
}
