//! The command line: what is measured, on which binary, and what is written at the end.

mod big;
mod caller;
mod compare;
mod curve;
mod floor;
mod hot;
mod live;
mod load;
mod meter;
mod nodes;
mod peer;
mod plot;
mod quantiles;
mod report;
mod sheet;
mod swarm;
mod table;
mod targets;
mod town;
mod wire;
mod world;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::{Args, Parser, Subcommand, ValueEnum};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::runtime::Runtime;

use compare::builds::{self, Builds};
use compare::{Comparison, Work};
use peer::Peer;
use report::Report;
use sheet::Sheet;
use table::Circumstances;
use world::World;

/// Measures Pulso and its peers on this machine, each server in a process of its own, Pulso on a real PostgreSQL.
///
/// Begin with:  cargo run --release -p pulso-bench -- compare --quick
///
/// The peers need packages that `bench/peers/install` fetches; whichever cannot be had is said so and left out.
#[derive(Parser)]
#[command(
    after_help = "Exit code: 0 when everything measured is within its target and no message was lost, else 1. With --before: 0 when nothing is slower by more than 2 % and than the older build differs from itself, and no idle connection has grown by more than 32 bytes."
)]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// All servers side by side, round by round; a table and a plot at the end.
    Compare(Compare),
    /// Pulso alone: one business under 5,000 notices a second.
    Hot(Alone),
    /// Pulso alone: the statistics query on a big table.
    Big(Alone),
    /// Pulso alone: what a read costs against the appointments of its business, with and without the rollup; 10 million rows.
    Curve(Alone),
    /// Three nodes with a Redis between them: what they cost, and what befalls clients when one of them or Redis dies.
    Nodes(Alone),
    /// Live queries: what they cost, whether they keep what they promise under load, and what others do.
    Live(Alone),
    /// Pulso alone: `compare --peers pulso --works storm`.
    Storm(Alone),
    /// Pulso alone: `compare --peers pulso --works idle`.
    Idle(Alone),
    /// Pulso alone: hot, big, curve, nodes, live, storm and idle.
    All(Alone),
    /// The server that is the limit.
    #[command(hide = true)]
    Floor {
        #[arg(long)]
        port: u16,
    },
}

/// What is measured of Pulso alone, on a database of its own.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scenario {
    Hot,
    Big,
    Curve,
    Nodes,
    Live,
}

impl Scenario {
    const ALL: [Self; 5] = [Self::Hot, Self::Big, Self::Curve, Self::Nodes, Self::Live];
}

#[derive(Args)]
struct Compare {
    /// Servers, separated by commas; all by default. Ratios need `floor`.
    #[arg(long, value_enum, value_delimiter = ',')]
    peers: Vec<Peer>,
    /// Works, separated by commas; all by default.
    #[arg(long, value_enum, value_delimiter = ',')]
    works: Vec<Work>,
    /// Subscribers in `fanout`. [default: 1000,5000,10000, with --before 1000,5000]
    #[arg(long, value_delimiter = ',')]
    sizes: Vec<u32>,
    /// How often everything is measured; of the rounds the median counts. [default: 5, with --before 10, with --quick 1]
    #[arg(long)]
    rounds: Option<u32>,
    /// A look in a few minutes: fewer clients and messages.
    #[arg(long)]
    quick: bool,
    /// The server to measure; built in release mode when not given.
    #[arg(long)]
    pulso: Option<PathBuf>,
    /// An older build of the server: instead of the peers it is what Pulso is compared with, itself measured twice. Of the
    /// works fanout, channels, connect and idle.
    #[arg(long)]
    before: Option<PathBuf>,
    /// Folder for the table and the plot. [default: target/bench]
    #[arg(long)]
    out: Option<PathBuf>,
}

#[derive(Args)]
struct Alone {
    /// The server to measure; built in release mode when not given.
    #[arg(long)]
    pulso: Option<PathBuf>,
    /// How often each runs; the table has a column a run.
    #[arg(long, default_value_t = 1)]
    repeat: u32,
    /// Rows of the table in `big`; one in a hundred belongs to the business that is read.
    #[arg(long, default_value_t = 5_000_000)]
    rows: u32,
    /// Seconds of load in `hot`, and of each rate in `nodes`, which kills a node under load for six times as long.
    #[arg(long, default_value_t = 10)]
    seconds: u32,
    /// Rounds of each ratio in `live`; of the rounds the median counts.
    #[arg(long, default_value_t = 10)]
    rounds: u32,
    /// Parts of `live`, separated by commas; all by default.
    #[arg(long, value_enum, value_delimiter = ',')]
    parts: Vec<live::Part>,
    /// In `live` a look in some minutes: fewer clients and keys.
    #[arg(long)]
    quick: bool,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().what {
        What::Floor { port } => floor::serve(port),
        What::Compare(arguments) => compare(&arguments),
        What::Hot(arguments) => alone(&arguments, &[Scenario::Hot], &[]),
        What::Big(arguments) => alone(&arguments, &[Scenario::Big], &[]),
        What::Curve(arguments) => alone(&arguments, &[Scenario::Curve], &[]),
        What::Nodes(arguments) => alone(&arguments, &[Scenario::Nodes], &[]),
        What::Live(arguments) => alone(&arguments, &[Scenario::Live], &[]),
        What::Storm(arguments) => alone(&arguments, &[], &[Work::Storm]),
        What::Idle(arguments) => alone(&arguments, &[], &[Work::Idle]),
        What::All(arguments) => alone(&arguments, &Scenario::ALL, &[Work::Storm, Work::Idle]),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(reason) => {
            eprintln!("pulso-bench: {reason}");
            ExitCode::FAILURE
        }
    }
}

/// True if everything is within its target.
fn compare(arguments: &Compare) -> Result<bool, String> {
    if let Some(before) = &arguments.before {
        return compare_builds(arguments, before);
    }
    let all = |given: &[Peer]| if given.is_empty() { Peer::value_variants().to_vec() } else { given.to_vec() };
    let peers = all(&arguments.peers);
    let works = if arguments.works.is_empty() { Work::value_variants() } else { &arguments.works };
    let sizes = sizes_or(arguments, &[1_000, 5_000, 10_000]);
    let most = sizes.iter().copied().max().unwrap_or(0).max(if arguments.quick { 2_500 } else { 10_500 });
    raise_descriptors(u64::from(most) + 500)?;
    let world = World::new(runtime()?, binary(arguments.pulso.as_deref())?);
    let rounds = arguments.rounds.unwrap_or(if arguments.quick { 1 } else { 5 });
    let out = arguments.out.clone().unwrap_or_else(|| target_folder().join("bench"));
    run_works(&world, peers, works, sizes, rounds.max(1), arguments.quick, &out)
}

fn sizes_or(arguments: &Compare, usual: &[u32]) -> Vec<u32> {
    if arguments.sizes.is_empty() { usual.to_vec() } else { arguments.sizes.clone() }
}

/// True if nothing became slower or larger than two equal builds differ.
fn compare_builds(arguments: &Compare, before: &Path) -> Result<bool, String> {
    let sizes = sizes_or(arguments, &[1_000, 5_000]);
    raise_descriptors(u64::from(sizes.iter().copied().max().unwrap_or(0).max(8_500)) + 500)?;
    let (now, before) = (binary(arguments.pulso.as_deref())?, binary(Some(before))?);
    let world = World::new(runtime()?, now.clone());
    let rounds = arguments.rounds.unwrap_or(if arguments.quick { 1 } else { 10 }).max(1);
    let (is_quick, from) = (arguments.quick, std::time::Instant::now());
    let mut builds = Builds { world: &world, now, before, sizes, rounds, is_quick, rows: Vec::new() };
    builds.measure(if arguments.works.is_empty() { &builds::WORKS } else { &arguments.works });
    let table = builds::markdown(&builds.rows);
    let out = arguments.out.clone().unwrap_or_else(|| target_folder().join("bench"));
    let file = out.join("builds.md");
    let circumstances = format!("{}; medians of {rounds} rounds, {} s.\n", machine(), from.elapsed().as_secs());
    let written =
        std::fs::create_dir_all(&out).and_then(|()| std::fs::write(&file, format!("{circumstances}\n{table}")));
    written.map_err(|error| format!("{}: {error}", file.display()))?;
    println!("\n{table}\n{circumstances}written to {}", file.display());
    Ok(builds::is_good(&builds.rows))
}

fn alone(arguments: &Alone, scenarios: &[Scenario], works: &[Work]) -> Result<bool, String> {
    let binary = binary(arguments.pulso.as_deref())?;
    let crowded = [Scenario::Live, Scenario::Nodes];
    let is_crowded = !works.is_empty() || scenarios.iter().any(|scenario| crowded.contains(scenario));
    raise_descriptors(if is_crowded { 11_000 } else { 2_000 })?;
    let mut report = Report::default();
    for _ in 0..arguments.repeat {
        for scenario in scenarios {
            match scenario {
                Scenario::Hot => runtime()?.block_on(hot::measure(&binary, arguments.seconds, &mut report)),
                Scenario::Big => runtime()?.block_on(big::measure(&binary, arguments.rows, &mut report)),
                Scenario::Curve => runtime()?.block_on(curve::measure(&binary, &mut report)),
                Scenario::Nodes => nodes::measure(&binary, arguments.seconds, &mut report)?,
                Scenario::Live => {
                    live::measure(&binary, &arguments.parts, arguments.rounds, arguments.quick, &mut report)?;
                }
            }
        }
    }
    report.print();
    let mut is_good = !report.has_failures();
    if !works.is_empty() {
        let world = World::new(runtime()?, binary);
        let out = target_folder().join("bench");
        is_good &= run_works(&world, vec![Peer::Pulso], works, Vec::new(), arguments.repeat, false, &out)?;
    }
    Ok(is_good)
}

fn run_works(
    world: &World,
    peers: Vec<Peer>,
    works: &[Work],
    sizes: Vec<u32>,
    rounds: u32,
    is_quick: bool,
    out: &Path,
) -> Result<bool, String> {
    let mut run =
        Comparison { world, peers, sizes, rounds, is_quick, sheet: Sheet::default(), missing: BTreeMap::new() };
    run.muster();
    std::fs::create_dir_all(out).map_err(|error| format!("{}: {error}", out.display()))?;
    let mut text = String::new();
    for &work in works {
        run.measure(work);
        // After each work, so that an interrupted run leaves what it has.
        let missing = run.missing.iter().map(|(peer, reason)| format!("{} ({reason})", peer.name())).collect();
        text = table::markdown(&run.sheet, &Circumstances { machine: machine(), rounds, is_quick, missing });
        for (name, text) in [("results.md", &text), ("results.svg", &plot::svg(&run.sheet))] {
            std::fs::write(out.join(name), text).map_err(|error| format!("{}/{name}: {error}", out.display()))?;
        }
    }
    println!("\n{text}\nwritten to {0}/results.md and {0}/results.svg", out.display());
    Ok(targets::verdicts(&run.sheet).iter().all(|verdict| verdict.has_passed))
}

/// One thread: the load shares the machine with what it measures.
fn runtime() -> Result<Runtime, String> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| format!("no runtime: {error}"))
}

fn binary(given: Option<&Path>) -> Result<String, String> {
    let binary = given.map_or_else(build, |given| Ok(given.to_owned()))?;
    if !binary.is_file() {
        return Err(format!("there is no server at {}: give --pulso PATH", binary.display()));
    }
    // The server is started in another directory.
    Ok(std::path::absolute(&binary).unwrap_or(binary).to_string_lossy().into_owned())
}

/// The release binary of this workspace, brought up to date.
fn build() -> Result<PathBuf, String> {
    println!("building the server (cargo build --release -p pulso)");
    let built = Command::new("cargo").current_dir(root()).args(["build", "--release", "-p", "pulso"]).status();
    match built {
        Ok(status) if status.success() => Ok(target_folder().join("release/pulso")),
        Ok(_) => Err("the server did not build; give a built one with --pulso PATH".into()),
        Err(error) => Err(format!("cargo does not run ({error}); give a built server with --pulso PATH")),
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

fn target_folder() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |folder| root().join(folder))
}

/// As many descriptors as the system allows; `needed` at least.
fn raise_descriptors(needed: u64) -> Result<(), String> {
    let limit = getrlimit(Resource::Nofile);
    // Refused or not, what counts is the limit afterwards.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    if limit < needed { Err(format!("this needs {needed} descriptors, and the hard limit is {limit}")) } else { Ok(()) }
}

/// "4 × Intel …, Linux 6.1".
fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpus = read("/proc/cpuinfo");
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let count = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let kernel = read("/proc/sys/kernel/osrelease");
    format!("{count} × {}, Linux {}", model.map_or("processor", |(_, model)| model), kernel.trim())
}
