//! `pulso reference`: the tables of the book's reference, from the places in the source that the server itself goes by.
//!
//! Must not know what any of them says.

mod close_codes;
mod errors;
mod metrics;
mod settings;
mod table;

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::ValueEnum;

use crate::described::Language;

/// Print what the book's reference lists, as this program knows it
///
/// The tables of the book are these, to the letter.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct ReferenceArgs {
    /// What is listed.
    #[arg(value_enum)]
    topic: Topic,
    /// How it is written: Markdown.
    #[arg(long, value_enum, default_value_t = Format::Md)]
    format: Format,
    /// In which language.
    #[arg(long, value_enum, default_value_t = Language::En)]
    lang: Language,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Topic {
    /// Every variable, its default and what it means
    Settings,
    /// Every metric, and every reason of a refusal
    Metrics,
    /// Every way in which a connection ends, and whether to come again
    CloseCodes,
    /// Every code and message of an `error`, and what to do
    Errors,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Md,
}

pub(super) fn run(args: ReferenceArgs) -> ExitCode {
    let ReferenceArgs { topic, format: Format::Md, lang } = args;
    let text = match topic {
        Topic::Settings => settings::tables(lang),
        Topic::Metrics => metrics::tables(lang),
        Topic::CloseCodes => close_codes::tables(lang),
        Topic::Errors => errors::tables(lang),
    };
    match io::stdout().lock().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
