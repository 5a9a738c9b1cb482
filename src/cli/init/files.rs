//! What is written: `.env`, for its owner's eyes alone, and the query files. Nothing that is there is ever written over, and
//! where one cannot be written none is left.
//!
//! Must not know what they say.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

const FOR_ITS_OWNER: u32 = 0o600;
const FOR_ALL: u32 = 0o644;

/// A file to be written.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) path: PathBuf,
    pub(super) text: String,
    /// Nobody else may read it.
    pub(super) is_secret: bool,
}

/// Writes all of them, or none.
pub(super) fn write(drafts: &[Draft]) -> io::Result<()> {
    let mut written: Vec<&Path> = Vec::new();
    for draft in drafts {
        if let Err(error) = write_one(draft, &mut written) {
            for path in written {
                // Nothing else can be done about it.
                let _ = fs::remove_file(path);
            }
            return Err(io::Error::new(error.kind(), format!("{}: {error}", draft.path.display())));
        }
    }
    Ok(())
}

fn write_one<'a>(draft: &'a Draft, written: &mut Vec<&'a Path>) -> io::Result<()> {
    if let Some(folder) = draft.path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder)?;
    }
    let mode = if draft.is_secret { FOR_ITS_OWNER } else { FOR_ALL };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&draft.path)?;
    written.push(&draft.path);
    file.write_all(draft.text.as_bytes())
}

/// A value as a `.env` file has it, so that it is read as it is.
pub(super) fn value(text: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "_-./:@,+".contains(letter);
    if text.chars().all(is_plain) {
        return text.to_owned();
    }
    if !text.contains('\'') {
        return format!("'{text}'");
    }
    let mut quoted = String::from('"');
    for letter in text.chars() {
        if ['"', '\\', '$'].contains(&letter) {
            quoted.push('\\');
        }
        quoted.push(letter);
    }
    quoted + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_read_as_it_was_written() {
        for text in
            ["plain", "postgres://u:p%40@h:5432/n?sslmode=require", "a b", "$HOME", "#x", r#"it's "$x" \n"#, "o'b"]
        {
            let line = format!("NAME={}", value(text));
            let read: Vec<_> = dotenvy::from_read_iter(line.as_bytes()).map(Result::unwrap).collect();
            assert_eq!(read, [("NAME".to_owned(), text.to_owned())], "{line}");
        }
    }
}
