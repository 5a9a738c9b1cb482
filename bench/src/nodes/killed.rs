//! Events over three nodes, of which one is killed in the middle: what its clients miss.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use pulso_harness::{Claims, Dashboard, Database, Running};
use rustix::process::Signal;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{LOOK, NAME, NODES, SETTLED, call};
use crate::caller::Caller;
use crate::report::Report;
use crate::swarm::Swarm;
use crate::wire::Wire;
use crate::{runtime, town};

/// It is not started again.
const KILLED: usize = 1;
/// Between two changes of an appointment.
const CHANGES: Duration = Duration::from_millis(100);
/// Screens that show figures, on each node that lives on.
const SCREENS: u32 = 20;
const CONNECTING: usize = 20;
/// The screens of a node are read for so long, then those of the next.
const GLANCE: Duration = Duration::from_millis(20);

/// `rate` events a second for `seconds`.
pub fn measure(nodes: &[Running], database: &Database, rate: u32, seconds: u32, report: &mut Report) {
    let ports: Vec<u16> = nodes.iter().map(Running::port).collect();
    let living: Vec<u16> = (0..NODES).filter(|node| *node != KILLED).map(|node| ports[node]).collect();
    let stop = Arc::new(AtomicBool::new(false));
    let screens: Vec<_> = (0..NODES).map(|first| stay(ports.clone(), first, &stop)).collect();
    let mut figures: Vec<Swarm> =
        living.iter().map(|port| Swarm::new(*port, Wire::Figures.seats(0..SCREENS, 1))).collect();
    for swarm in &mut figures {
        swarm.connect(CONNECTING);
        swarm.keep();
    }
    let figures = watch(figures, &stop);
    thread::sleep(LOOK);
    let changes = change(database.clone(), living, &stop);
    let mut callers: Vec<Option<Caller>> = ports.iter().map(|port| Some(Caller::open(*port))).collect();
    let (mut refused, begun, count) = (0, Instant::now(), rate * seconds);
    for number in 0..count {
        let due = begun + Duration::from_secs(1) * number / rate;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if number == count / 2 {
            nodes[KILLED].signal(Signal::KILL);
        }
        // Who does not know what became of a call repeats it elsewhere, with its key.
        let is_accepted = (0..NODES).any(|turn| {
            let node = (number as usize + turn) % NODES;
            let status = callers[node].as_mut().map(|caller| caller.try_call(&call(number, true)));
            if status == Some(None) {
                callers[node] = None;
            }
            status.flatten() == Some(200)
        });
        refused += u32::from(!is_accepted);
    }
    let took = begun.elapsed();
    stop.store(true, Ordering::Relaxed);
    let announced = changes.join().expect("the changes come to their end");
    let mut figures = figures.join().expect("the screens read to the end");
    for swarm in &mut figures {
        swarm.idle(SETTLED);
    }
    let seen: Vec<HashMap<u64, u32>> =
        screens.into_iter().map(|screen| screen.join().expect("a screen reads to the end")).collect();
    let right = runtime().expect("a runtime").block_on(town::figures(database));
    let wanted = right.get(&town::negocio(0)).copied();
    let stale = figures.iter().flat_map(Swarm::last_messages).filter(|(_, last)| town::parse(last) != wanted).count();
    let lost = count as usize * NODES - seen.iter().map(HashMap::len).sum::<usize>();
    let doubled = seen.iter().flat_map(HashMap::values).filter(|times| **times > 1).count();
    let reached = format!("{:.0}/s for {seconds} s, {announced} changes", f64::from(count) / took.as_secs_f64());
    report.note(NAME, "a node killed: reached", reached);
    let found = format!("{refused} · {lost} · {doubled} · {stale}");
    let is_good = refused as usize + lost + doubled + stale == 0;
    report.check(NAME, "a node killed: refused · lost · doubled · stale", found, "0 · 0 · 0 · 0", is_good);
}

/// How often a screen has heard each event, which comes to the next node with its position when it is cut.
fn stay(ports: Vec<u16>, first: usize, stop: &Arc<AtomicBool>) -> JoinHandle<HashMap<u64, u32>> {
    let stop = Arc::clone(stop);
    thread::spawn(move || {
        let runtime = runtime().expect("a runtime of its own");
        runtime.block_on(async {
            let token = Claims::naming("ana", &[&town::negocio(0)]).sign(pulso_harness::SECRET);
            let (mut seen, mut since, mut node) = (HashMap::new(), String::new(), first);
            let mut ends = None;
            loop {
                let port = ports[node % NODES];
                node += 1;
                let Ok(stream) = TcpStream::connect(("127.0.0.1", port)).await else { continue };
                let path = format!("/ws?token={token}&since={since}");
                let Ok(mut screen) = Dashboard::handshake(stream, port, &path, &[]).await else { continue };
                loop {
                    if stop.load(Ordering::Relaxed) {
                        let end = *ends.get_or_insert_with(|| Instant::now() + SETTLED);
                        if Instant::now() > end {
                            return seen;
                        }
                    }
                    let Ok(message) = timeout(LOOK, screen.next_or_close()).await else { continue };
                    let Ok(message) = message else { break };
                    if let (Some(id), Some(number)) = (message["id"].as_str(), message["data"]["saleId"].as_u64()) {
                        id.clone_into(&mut since);
                        *seen.entry(number).or_insert(0) += 1;
                    }
                }
            }
        })
    })
}

/// The screens of figures, which read and answer pings until `stop`.
fn watch(mut figures: Vec<Swarm>, stop: &Arc<AtomicBool>) -> JoinHandle<Vec<Swarm>> {
    let stop = Arc::clone(stop);
    thread::spawn(move || {
        while !stop.load(Ordering::Relaxed) {
            for swarm in &mut figures {
                swarm.idle(GLANCE);
            }
        }
        figures
    })
}

/// Appointments that are made and announced on each of these nodes in turn, until `stop`; how many.
fn change(database: Database, ports: Vec<u16>, stop: &Arc<AtomicBool>) -> JoinHandle<usize> {
    let stop = Arc::clone(stop);
    thread::spawn(move || {
        let runtime = runtime().expect("a runtime of its own");
        let mut callers: Vec<Caller> = ports.iter().map(|port| Caller::open(*port)).collect();
        let mut count = 0;
        while !stop.load(Ordering::Relaxed) {
            runtime.block_on(town::book(&database, 1, 1, 1));
            let turn = count % callers.len();
            let status = callers[turn].try_call(&Wire::Figures.notice(0, 0));
            assert_eq!(status, Some(200), "a change is taken");
            count += 1;
            thread::sleep(CHANGES);
        }
        count
    })
}
