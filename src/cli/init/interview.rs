//! Questions to who sets a server up, each with what is taken where there is no answer; and nobody is asked where that is wanted.
//!
//! Must not know what is asked about.

use std::io::{self, BufRead, Write};

/// Says that there is none.
const NONE: &str = "-";

pub(super) struct Interview<I, O> {
    input: I,
    output: O,
    is_silent: bool,
}

impl<I: BufRead, O: Write> Interview<I, O> {
    /// `is_silent`: every question is answered by what is taken without an answer.
    pub(super) fn new(input: I, output: O, is_silent: bool) -> Self {
        Self { input, output, is_silent }
    }

    pub(super) fn say(&mut self, line: &str) -> io::Result<()> {
        writeln!(self.output, "{line}")
    }

    /// An answer that `read` understands; asks again, saying why, until there is one.
    pub(super) fn ask<T>(
        &mut self,
        question: &str,
        without_answer: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> io::Result<T> {
        loop {
            let answer = if self.is_silent { String::new() } else { self.line(question, without_answer)? };
            let answer = if answer.is_empty() { without_answer } else { &answer };
            match read(answer) {
                Ok(understood) => return Ok(understood),
                Err(problem) if self.is_silent => return Err(io::Error::new(io::ErrorKind::InvalidInput, problem)),
                Err(problem) => self.say(&format!("  {problem}"))?,
            }
        }
    }

    /// One of `names`, or none.
    pub(super) fn choose(
        &mut self,
        question: &str,
        names: &[&str],
        without_answer: Option<&str>,
    ) -> io::Result<Option<String>> {
        let read = |answer: &str| match names.iter().find(|name| **name == answer) {
            Some(name) => Ok(Some((*name).to_owned())),
            None if answer == NONE => Ok(None),
            None => Err(format!("there is no {answer}; there are: {}", names.join(", "))),
        };
        self.ask(&format!("{question} ({NONE}: none)"), without_answer.unwrap_or(NONE), read)
    }

    fn line(&mut self, question: &str, without_answer: &str) -> io::Result<String> {
        let shown = if without_answer.is_empty() { String::new() } else { format!(" [{without_answer}]") };
        write!(self.output, "{question}{shown}: ")?;
        self.output.flush()?;
        let mut line = String::new();
        if self.input.read_line(&mut line)? == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the answers ended before the questions"));
        }
        Ok(line.trim().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interview(answers: &str, is_silent: bool) -> Interview<&[u8], Vec<u8>> {
        Interview::new(answers.as_bytes(), Vec::new(), is_silent)
    }

    #[test]
    fn what_is_not_understood_is_asked_again_and_no_answer_takes_what_is_offered() {
        let mut asked = interview("kitchens\nturnos\n\n-\n", false);
        let names = ["citas", "turnos"];
        assert_eq!(asked.choose("Table", &names, Some("citas")).unwrap().as_deref(), Some("turnos"));
        assert_eq!(asked.choose("Table", &names, Some("citas")).unwrap().as_deref(), Some("citas"));
        assert_eq!(asked.choose("Table", &names, Some("citas")).unwrap(), None);
        let said = String::from_utf8(asked.output.clone()).unwrap();
        assert!(said.contains("there is no kitchens; there are: citas, turnos"), "{said}");
        let ended = asked.choose("Table", &names, None).unwrap_err();
        assert_eq!(ended.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn where_nobody_is_asked_what_is_offered_is_taken_and_what_has_to_be_known_is_an_error() {
        let mut silent = interview("", true);
        assert_eq!(silent.choose("Table", &["citas"], Some("citas")).unwrap().as_deref(), Some("citas"));
        assert_eq!(silent.choose("Table", &["citas"], None).unwrap(), None);
        let needed = silent.ask("URL", "", |text| if text.is_empty() { Err("needed".to_owned()) } else { Ok(()) });
        assert_eq!(needed.unwrap_err().to_string(), "needed");
        assert!(silent.output.is_empty());
    }
}
