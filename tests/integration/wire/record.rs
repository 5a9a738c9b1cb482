//! What was said in a scene, line by line, and its comparison with the transcript that was kept.
//!
//! Must not know what is said, nor by whom.

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;

use pulso_harness::{Claims, SECRET, token};

use super::placeholders;

/// Set to anything, it has transcripts written anew.
const RENEW: &str = "RENEW_TRANSCRIPTS";
/// Lines shown before the first that differs.
const BEFORE: usize = 5;

/// A scene's record; everybody in it writes into the same.
#[derive(Clone, Debug)]
pub struct Record {
    name: &'static str,
    /// Of each server.
    lines: Rc<RefCell<Vec<Vec<String>>>>,
    /// What is other in every run, and what stands for it.
    labels: Rc<RefCell<Vec<(String, String)>>>,
    /// Unix seconds.
    began: i64,
}

impl Record {
    /// `name`: of the transcript, a file beside this one.
    pub fn of(name: &'static str) -> Self {
        Self { name, lines: Rc::new(RefCell::new(vec![Vec::new()])), labels: Rc::default(), began: token::now() }
    }

    /// From here on it is another server's: its ids have nothing to do with those before.
    pub fn of_another_server(&self) {
        self.lines.borrow_mut().push(Vec::new());
    }

    /// What happens next.
    pub fn title(&self, text: &str) {
        self.push(String::new());
        self.push(format!("# {text}"));
    }

    pub fn sent(&self, who: &str, text: &str) {
        self.write(who, '>', text);
    }

    pub fn given(&self, who: &str, text: &str) {
        self.write(who, '<', text);
    }

    /// A token whose text is not for the transcript.
    pub fn token(&self, name: &str, claims: &Claims) -> String {
        let token = claims.sign(SECRET);
        self.label(&token, name);
        token
    }

    /// Stands for a token wherever its text does.
    pub fn label(&self, token: &str, name: &str) {
        if !token.is_empty() {
            self.labels.borrow_mut().push((token.to_owned(), format!("<token {name}>")));
        }
    }

    fn write(&self, who: &str, direction: char, text: &str) {
        let space = if text.is_empty() { "" } else { " " };
        self.push(format!("{who} {direction}{space}{}", visible(text)));
    }

    fn push(&self, line: String) {
        self.lines.borrow_mut().last_mut().expect("a server").push(line);
    }

    /// Panics where something differs from the transcript.
    pub fn compare(&self) {
        let of_server = |lines: &Vec<String>| {
            let labels = self.labels.borrow();
            let text = labels.iter().fold(lines.join("\n"), |text, (value, label)| text.replace(value, label));
            placeholders::put(&text, self.began)
        };
        let text: String = self.lines.borrow().iter().map(of_server).collect();
        let text = text.trim_start_matches('\n');
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/integration/wire/{}.txt", self.name));
        if std::env::var_os(RENEW).is_some() {
            std::fs::write(&path, text).unwrap();
            panic!("{} is written anew: look at what changed, and run again without {RENEW}", path.display());
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let differs = |at: &usize| kept.lines().nth(*at) != text.lines().nth(*at);
        if let Some(at) = (0..kept.lines().count().max(text.lines().count())).find(differs) {
            let near = |text: &str| {
                let lines: Vec<&str> = text.lines().skip(at.saturating_sub(BEFORE)).take(BEFORE + 2).collect();
                lines.join("\n  ")
            };
            let (name, line, was, is) = (self.name, at + 1, near(&kept), near(text));
            panic!("{name}.txt, line {line}, was\n  {was}\nand is\n  {is}\n({RENEW}=1 writes it anew)");
        }
    }
}

/// On one line, and nothing hidden.
fn visible(text: &str) -> String {
    let mut out = String::new();
    for letter in text.chars() {
        match letter {
            '\\' | '\n' | '\r' => out.extend(letter.escape_default()),
            letter if letter.is_control() => out.extend(letter.escape_unicode()),
            letter => out.push(letter),
        }
    }
    out
}
