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
            return Err(error);
        }
    }
    Ok(())
}

fn write_one<'a>(draft: &'a Draft, written: &mut Vec<&'a Path>) -> io::Result<()> {
    if let Some(folder) = draft.path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(|error| of(folder, &error))?;
    }
    let mode = if draft.is_secret { FOR_ITS_OWNER } else { FOR_ALL };
    let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&draft.path);
    let mut file = file.map_err(|error| of(&draft.path, &error))?;
    written.push(&draft.path);
    file.write_all(draft.text.as_bytes()).map_err(|error| of(&draft.path, &error))
}

/// What is in the way, and what to do about that.
fn of(path: &Path, error: &io::Error) -> io::Error {
    let shown = path.display();
    let said = match error.kind() {
        io::ErrorKind::AlreadyExists => {
            format!("{shown}: it is there already, and stays as it is. Move it away first")
        }
        _ => format!("{shown}: {error}"),
    };
    io::Error::new(error.kind(), said)
}

/// A value as a `.env` file has it, so that it is read as it is. Without quotes where that may be: there are readers, such as
/// those of containers, that take quotes for a part of it.
pub(super) fn value(text: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "_-./:@,+?=%".contains(letter);
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

    #[test]
    fn an_address_and_a_key_in_base64_need_no_quotes() {
        for text in ["postgres://u:p%40@h:5432/n?sslmode=verify-full", "q83vEjRWeJCrze8SNFZ4kA+/=="] {
            assert_eq!(value(text), text);
            assert_eq!(dotenvy::from_read_iter(format!("A={text}").as_bytes()).next().unwrap().unwrap().1, text);
        }
    }
}
