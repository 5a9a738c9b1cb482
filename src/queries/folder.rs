//! `QUERIES_DIR`: a file for each live query, all of them read at once.
//!
//! Must not know what becomes of the queries, nor any database.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use jiff::tz::TimeZone;

use super::file::{Fault, Reading, read_pairs};
use super::scan::Dialect;
use super::{AccessRule, Hint, LiveQuery, PairsQuery};
use crate::config::{Mistake, Warning};
use crate::model::QueryName;

/// Longest file.
const MAX_FILE_BYTES: u64 = 1 << 20;
const NAMES: &str = "Name it <name>.sql: small letters, digits, _, . and -, a letter or a digit first, at most 64 before .sql. \
                     Hidden files, and folders, are passed over";

/// Where the files are, and what they are read with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    pub path: PathBuf,
    /// `TIMEZONE`, for files that say none.
    pub zone: TimeZone,
    pub dialect: Dialect,
}

/// What a folder defines, in the order of names.
#[derive(Clone, Debug, Default)]
pub struct Defined {
    pub queries: Vec<Arc<LiveQuery>>,
    /// What works, but should be looked at.
    pub warnings: Vec<Warning>,
}

impl Folder {
    /// All that the files define, or all that is wrong with them.
    pub fn read(&self) -> Result<Defined, Vec<Mistake>> {
        let mut pass = Pass { folder: self, pairs: HashMap::new(), mistakes: Vec::new() };
        let mut defined = Defined::default();
        for file in self.files().map_err(|error| vec![self.unreadable(&error)])? {
            if let Some(query) = pass.file(&file) {
                defined.warnings.extend(warnings(&query));
                defined.queries.push(Arc::new(query));
            }
        }
        if pass.mistakes.is_empty() { Ok(defined) } else { Err(pass.mistakes) }
    }

    /// The files that are neither hidden nor folders, in the order of their names. Links are followed.
    fn files(&self) -> io::Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let path = entry.path();
            let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
            // A link to nowhere is no folder: it is found to be unreadable later.
            if !is_hidden && !path.is_dir() {
                files.push(path);
            }
        }
        files.sort_unstable();
        Ok(files)
    }

    fn unreadable(&self, error: &io::Error) -> Mistake {
        let problem = format!("{} cannot be read ({})", self.path.display(), error.kind());
        Mistake::new("QUERIES_DIR", problem, "Name a folder with a file <name>.sql for each live query")
    }
}

/// One reading of all files.
struct Pass<'a> {
    folder: &'a Folder,
    /// Those of `access: sql`, each read once; nothing for one with mistakes.
    pairs: HashMap<PathBuf, Option<Arc<PairsQuery>>>,
    mistakes: Vec<Mistake>,
}

impl Pass<'_> {
    fn file(&mut self, path: &Path) -> Option<LiveQuery> {
        let name = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".sql")).and_then(QueryName::parse);
        let Some(name) = name else {
            self.mistake(path, "it is not named as a live query", NAMES);
            return None;
        };
        let text = self.text(path)?;
        let folder = self.folder;
        let reading = Reading { name, file: path, zone: &folder.zone, dialect: folder.dialect };
        match reading.read(&text, |named| self.pairs(named)) {
            Ok(query) => {
                self.listening(&query);
                Some(query)
            }
            Err(faults) => {
                self.faults(path, faults);
                None
            }
        }
    }

    /// The text of a file, without the mark that some editors put before it.
    fn text(&mut self, path: &Path) -> Option<String> {
        let read = fs::metadata(path).and_then(|metadata| match metadata.is_file() {
            true if metadata.len() <= MAX_FILE_BYTES => fs::read_to_string(path),
            true => Err(io::Error::new(io::ErrorKind::FileTooLarge, "too long")),
            false => Err(io::Error::new(io::ErrorKind::InvalidInput, "no file")),
        });
        match read {
            Ok(text) => Some(text.trim_start_matches('\u{feff}').to_owned()),
            Err(error) => {
                let (problem, remedy) = match error.kind() {
                    io::ErrorKind::InvalidData => ("it is not UTF-8".to_owned(), "Save it as UTF-8"),
                    io::ErrorKind::FileTooLarge => ("it is longer than 1 MiB".to_owned(), "Write a query"),
                    kind => (format!("it cannot be read ({kind})"), "Make it a readable file, or remove it"),
                };
                self.mistake(path, problem, remedy);
                None
            }
        }
    }

    /// The query of `access: sql`, relative to the folder.
    fn pairs(&mut self, named: &str) -> Result<Option<Arc<PairsQuery>>, String> {
        let relative = Path::new(named);
        let is_plain = relative.components().all(|part| matches!(part, Component::Normal(_)));
        if !is_plain || relative.components().count() < 2 {
            return Err(format!("sql {named} is no file in a folder below this one"));
        }
        let path = self.folder.path.join(relative);
        if let Some(known) = self.pairs.get(&path) {
            return Ok(known.clone());
        }
        let read = self.text(&path).and_then(|text| {
            read_pairs(&text, &path, self.folder.dialect).map_err(|faults| self.faults(&path, faults)).ok()
        });
        let read = read.map(Arc::new);
        self.pairs.insert(path, read.clone());
        Ok(read)
    }

    fn listening(&mut self, query: &LiveQuery) {
        let is_listening = query.hints.iter().any(|hint| matches!(hint, Hint::Listen(_)));
        if is_listening && self.folder.dialect == Dialect::Sqlite {
            self.mistake(
                &query.file,
                "SQLite has no LISTEN",
                "Remove listen/… from hints, or use a postgres:// DATABASE_URL",
            );
        }
    }

    fn faults(&mut self, path: &Path, faults: Vec<Fault>) {
        let mistake =
            |Fault { line, problem, remedy }| Mistake::new(&format!("{}:{line}", path.display()), problem, remedy);
        self.mistakes.extend(faults.into_iter().map(mistake));
    }

    fn mistake(&mut self, path: &Path, problem: impl Into<String>, remedy: &str) {
        self.mistakes.push(Mistake::new(&path.display().to_string(), problem, remedy));
    }
}

/// What works as it says, and may not be meant.
fn warnings(query: &LiveQuery) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for rule in &query.access {
        if let AccessRule::Claim { path, .. } = rule
            && path.is_written_by_users()
        {
            let text = format!("{path} is what users write there themselves, so they say for themselves what they may");
            warnings.push(Warning { variable: query.file.display().to_string(), text });
        }
    }
    warnings
}

#[cfg(test)]
mod tests;
