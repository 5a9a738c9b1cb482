//! The command line: which scenarios run, on which binary, and the table at the end.
//!
//! Each scenario starts a PostgreSQL and the real server of its own; nothing is shared but the machine.

mod big;
mod crowd;
mod curve;
mod floor;
mod hot;
mod idle;
mod load;
mod meter;
mod quantiles;
mod report;
mod storm;
mod town;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::{Parser, ValueEnum};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use report::Report;

/// Measures Pulso on this machine: the release binary in a process of its own, on a real PostgreSQL.
#[derive(Parser)]
struct Arguments {
    #[arg(value_enum)]
    scenario: Scenario,
    /// The server to measure; built in release mode when not given.
    #[arg(long)]
    pulso: Option<PathBuf>,
    /// How often each scenario runs; the table has a column a run.
    #[arg(long, default_value_t = 1)]
    repeat: usize,
    /// Rows of the table in `big`; one in a hundred belongs to the business that is read.
    #[arg(long, default_value_t = 5_000_000)]
    rows: u32,
    /// Seconds of load in `hot`.
    #[arg(long, default_value_t = 10)]
    seconds: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Scenario {
    /// All of them, one after the other.
    All,
    /// One business under 5,000 notices a second.
    Hot,
    /// 10,000 dashboards that reconnect at once.
    Storm,
    /// The statistics query on a big table.
    Big,
    /// What a read costs against the appointments of its business, with and without the rollup.
    Curve,
    /// Memory of 10,000 idle dashboards, and what one delivered message costs.
    Idle,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let binary = match arguments.pulso.clone().map_or_else(build, Ok) {
        Ok(binary) if binary.is_file() => binary,
        Ok(binary) => return fail(&format!("there is no server at {}: give --pulso PATH", binary.display())),
        Err(reason) => return fail(&reason),
    };
    // The server is started in another directory.
    let binary = std::path::absolute(&binary).unwrap_or(binary);
    let descriptors = raise_descriptors();
    if descriptors < 12_000 && matches!(arguments.scenario, Scenario::All | Scenario::Storm | Scenario::Idle) {
        return fail(&format!("10,000 dashboards need 12,000 descriptors, and the hard limit is {descriptors}"));
    }
    // One thread: the load shares the machine with what it measures.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("no runtime: {error}")),
    };
    let mut report = Report::default();
    for run in 1..=arguments.repeat {
        println!("== run {run} of {}", arguments.repeat);
        runtime.block_on(measure(&arguments, &binary.to_string_lossy(), &mut report));
    }
    report.print();
    if report.has_failures() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

async fn measure(arguments: &Arguments, binary: &str, report: &mut Report) {
    let wanted = |scenario| arguments.scenario == Scenario::All || arguments.scenario == scenario;
    if wanted(Scenario::Hot) {
        hot::measure(binary, arguments.seconds, report).await;
    }
    if wanted(Scenario::Storm) {
        storm::measure(binary, report).await;
    }
    if wanted(Scenario::Big) {
        big::measure(binary, arguments.rows, report).await;
    }
    if wanted(Scenario::Curve) {
        curve::measure(binary, report).await;
    }
    if wanted(Scenario::Idle) {
        idle::measure(binary, report).await;
    }
}

/// The release binary of this workspace, brought up to date.
fn build() -> Result<PathBuf, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    println!("building the server (cargo build --release -p pulso)");
    let built = Command::new("cargo").current_dir(root).args(["build", "--release", "-p", "pulso"]).status();
    match built {
        Ok(status) if status.success() => {}
        Ok(_) => return Err("the server did not build; give a built one with --pulso PATH".into()),
        Err(error) => return Err(format!("cargo does not run ({error}); give a built server with --pulso PATH")),
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |dir| root.join(dir));
    Ok(target.join("release/pulso"))
}

/// As many descriptors as the system allows.
fn raise_descriptors() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    // Refused or not, what counts is the limit afterwards.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

fn fail(reason: &str) -> ExitCode {
    eprintln!("pulso-bench: {reason}");
    ExitCode::FAILURE
}
