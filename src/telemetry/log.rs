//! Structured logs to stderr, as text or as one JSON object a line. Best effort: nothing waits for a line to be written,
//! nothing depends on it, and no stranger causes lines without end.
//!
//! What a peer sent (ids, paths, origins, reasons) is logged with `?`, never with `%`: `Debug` escapes line breaks and
//! terminal codes, so nobody writes lines of his own into the log. Tokens, DSNs and bodies are not logged at all.

pub mod connection;
pub mod limit;
pub mod seldom;
pub mod writer;

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, IsTerminal as _};
use std::panic::{self, PanicHookInfo};
use std::sync::{LazyLock, OnceLock};
use std::thread;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use tokio_util::sync::CancellationToken;
use tracing::{Subscriber, error};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::config::LogFormat;

use connection::{Spanned, TARGET};
use limit::Limit;
use writer::Lines;

/// What other crates say that nobody needs. sqlx would show a DSN's parameters that it does not know.
const QUIET: [&str; 6] =
    ["sqlx=warn", "sqlx_postgres::options=error", "hyper=warn", "hyper_util=warn", "rustls=warn", "tungstenite=warn"];
/// How long the end waits for the last lines to be written.
const PATIENCE: Duration = Duration::from_millis(200);

// One process has one log, as `tracing` has one subscriber.
static LINES: OnceLock<Lines> = OnceLock::new();
static LIMIT: LazyLock<Limit> = LazyLock::new(Limit::default);
static LOST: LazyLock<Counter> = LazyLock::new(Counter::default);
static WRITER_ENDED: LazyLock<CancellationToken> = LazyLock::new(CancellationToken::new);

/// Starts logging; `level` is `LOG_LEVEL`. A second call changes nothing. What panics is logged as well from now on.
pub fn init(format: LogFormat, level: &str) -> io::Result<()> {
    if LINES.get().is_some() {
        return Ok(());
    }
    let colours = io::stderr().is_terminal() && !no_color();
    let lines = Lines::start(io::stderr(), LOST.clone(), WRITER_ENDED.clone().drop_guard())?;
    // Fail only if a subscriber is there already.
    let _ = tracing::subscriber::set_global_default(subscriber(format, level, colours, lines.clone(), LIMIT.clone()));
    let _ = LINES.set(lines);
    // Rust's own prints to stderr, and waits for who does not read it.
    panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// Says what was left out, and waits a little for the last lines to be written.
pub fn finish() {
    LIMIT.say_left_out();
    if let Some(lines) = LINES.get() {
        lines.flush(PATIENCE);
    }
}

/// Lines that were logged and could not be written.
pub fn lost() -> Counter {
    LOST.clone()
}

/// Says now and then how many lines were left out, until stopped. Returns before that if nothing is written any more.
pub async fn keep(stop: CancellationToken) {
    tokio::select! {
        () = WRITER_ENDED.cancelled() => {}
        () = LIMIT.keep_saying(stop) => {}
    }
}

fn log_panic(panic: &PanicHookInfo<'_>) {
    let (said, at) = (said_by(panic.payload()), panic.location().map(ToString::to_string));
    let (thread, at) = (thread::current().name().unwrap_or_default().to_owned(), at.unwrap_or_default());
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        error!(at, thread, backtrace = ?backtrace.to_string(), "panicked: {said:?}");
    } else {
        error!(at, thread, "panicked: {said:?}");
    }
}

fn said_by(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("(no text)")
}

fn subscriber<W>(
    format: LogFormat,
    level: &str,
    colours: bool,
    writer: W,
    limit: Limit,
) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter(level))
        .with_ansi(colours)
        .log_internal_errors(false)
        .with_writer(writer);
    match format {
        LogFormat::Text => Box::new(builder.map_event_format(Spanned).finish().with(limit)),
        LogFormat::Json => {
            let builder = builder.with_ansi(false).json().flatten_event(true);
            Box::new(builder.map_event_format(Spanned).finish().with(limit))
        }
    }
}

/// The operator's directives come last and so win over the quiet ones. Whose line it is can be read on every line.
fn filter(level: &str) -> EnvFilter {
    let whole: Option<LevelFilter> = level.trim().parse().ok();
    if let Some(whole) = whole.filter(|whole| *whole < LevelFilter::WARN) {
        return EnvFilter::default().add_directive(whole.into());
    }
    let quiet = QUIET.join(",");
    EnvFilter::builder()
        .parse(format!("info,{quiet},{level},{TARGET}=error"))
        .or_else(|_| EnvFilter::builder().parse(format!("info,{quiet},{TARGET}=error")))
        .unwrap_or_default()
}

/// <https://no-color.org>: set and not empty.
fn no_color() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::Value;

    use super::*;

    const HOSTILE: &str = "a\nERROR forged\r\u{1b}[31mred\u{7}\u{0}\u{202e}\u{2028}\"}";

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: LogFormat, level: &str, colours: bool, write: impl FnOnce()) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = subscriber(format, level, colours, move || writer.clone(), Limit::default());
        tracing::subscriber::with_default(subscriber, write);
        String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn what_a_peer_sent_cannot_forge_lines_nor_colours() {
        for format in [LogFormat::Text, LogFormat::Json] {
            let text = logged(format, "info", false, || tracing::info!(origin = ?HOSTILE, "refused"));
            assert_eq!(text.lines().count(), 1, "{text:?}");
            let line = text.trim_end_matches('\n');
            assert!(!line.chars().any(char::is_control), "{line:?}");
            assert!(!line.contains(['\u{202e}', '\u{2028}']), "{line:?}");
            assert!(line.contains("forged") && line.contains("refused"), "{line:?}");
        }
    }

    #[test]
    fn each_json_line_is_an_object_with_the_fields_on_top() {
        let text = logged(LogFormat::Json, "info", true, || tracing::warn!(peer = ?HOSTILE, code = 1013, "closed"));
        let object: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(object["level"], "WARN");
        assert_eq!(object["message"], "closed");
        assert_eq!(object["code"], 1013);
        assert_eq!(object["peer"], format!("{HOSTILE:?}"));
    }

    #[test]
    fn no_colour_codes_unless_asked_for() {
        let line = |colours| logged(LogFormat::Text, "info", colours, || tracing::error!("x"));
        assert!(!line(false).contains('\u{1b}'));
        assert!(line(true).contains('\u{1b}'));
    }

    #[test]
    fn noisy_crates_are_quiet_until_the_operator_asks() {
        let write = || {
            tracing::info!(target: "sqlx::query", "select");
            tracing::warn!(target: "sqlx_postgres::options::parse", value = "secret", "ignoring");
            tracing::info!(target: "hyper::proto", "frame");
            tracing::debug!(target: "pulso::feeds::appointments", "detail");
            tracing::info!(target: "pulso::feeds::appointments", "kept");
        };
        let text = logged(LogFormat::Text, "info", false, write);
        assert!(text.contains("kept") && text.lines().count() == 1, "{text}");
        let text = logged(LogFormat::Text, "pulso=debug,sqlx=info", false, write);
        assert!(text.contains("detail") && text.contains("select") && !text.contains("frame"), "{text}");
        let text = logged(LogFormat::Text, "error", false, || tracing::warn!(target: "sqlx::query", "slow statement"));
        assert_eq!(text, "");
    }
}
