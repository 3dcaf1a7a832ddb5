//! Where what belongs to single tills lies in a shop's folder, beside the store.

use std::path::{Path, PathBuf};

use pos::TillId;

/// `DATA/KIND/TILL.EXTENSION`.
pub(crate) fn file_of_till(data: &Path, kind: &str, till: &TillId, extension: &str) -> PathBuf {
    data.join(kind).join(format!("{}.{extension}", file_name(till)))
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
