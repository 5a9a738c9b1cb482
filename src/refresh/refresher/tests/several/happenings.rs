//! Whatever happens between three nodes, in any order.

use proptest::test_runner::TestCaseResult;

use super::*;

#[derive(Clone, Copy, Debug)]
enum Happening {
    Notice {
        node: usize,
        who: usize,
        commits: Option<u64>,
    },
    Subscribe {
        node: usize,
        who: usize,
    },
    Leave(usize),
    Dawdle(u64, u64),
    Pass(u64),
    /// The log is away for so long, and back with nothing.
    Restart(u64),
    /// A node is cut off.
    Cut {
        node: usize,
        length: u64,
    },
    Weather {
        delay: u64,
        lost_requests: u32,
        lost_answers: u32,
    },
}

fn happening() -> impl Strategy<Value = Happening> {
    let (node, who) = (0..NODES, 0..2_usize);
    let commits = prop::option::of(prop_oneof![3 => Just(0), 1 => 1..250_u64]);
    prop_oneof![
        6 => (node.clone(), who.clone(), commits).prop_map(|(node, who, commits)| Happening::Notice { node, who, commits }),
        4 => (node.clone(), who).prop_map(|(node, who)| Happening::Subscribe { node, who }),
        2 => any::<usize>().prop_map(Happening::Leave),
        2 => (0..400_u64, 0..400_u64).prop_map(|(before, after)| Happening::Dawdle(before, after)),
        6 => (0..2_000_u64).prop_map(Happening::Pass),
        1 => (0..8_000_u64).prop_map(Happening::Restart),
        1 => (node, 100..8_000_u64).prop_map(|(node, length)| Happening::Cut { node, length }),
        1 => (0..40_u64, 0..10_u32, 0..10_u32).prop_map(|(delay, lost_requests, lost_answers)| {
            Happening::Weather { delay, lost_requests, lost_answers }
        }),
    ]
}

async fn happen(kind: Kind, happenings: Vec<Happening>) -> TestCaseResult {
    let nodes = Nodes::new().await;
    let who = ["a", "b"].map(kind);
    let mut screens: Vec<(usize, Subscriber)> = Vec::new();
    let millis = Duration::from_millis;
    for happening in happenings {
        match happening {
            Happening::Notice { node, who: at, commits } => {
                match commits {
                    None => {}
                    Some(0) => drop(nodes.model.commit(&who[at])),
                    Some(delay) => {
                        let (model, channel) = (Arc::clone(&nodes.model), who[at].clone());
                        tokio::spawn(async move {
                            sleep(millis(delay)).await;
                            model.commit(&channel);
                        });
                    }
                }
                let (refresher, channel) = (Arc::clone(&nodes.worlds[node].refresher), who[at].clone());
                tokio::spawn(async move { refresher.notice(&channel).await });
                tokio::task::yield_now().await;
            }
            Happening::Subscribe { node, who: at } => screens.push((at, nodes.worlds[node].subscribe(&who[at]))),
            Happening::Leave(any) if !screens.is_empty() => drop(screens.swap_remove(any % screens.len())),
            Happening::Leave(_) => {}
            Happening::Dawdle(before, after) => nodes.model.state().dawdle = Dawdle { before, after },
            Happening::Pass(time) => sleep(millis(time)).await,
            Happening::Restart(away) => {
                nodes.memory.stop();
                sleep(millis(away)).await;
                nodes.memory.restart(usize::MAX);
            }
            Happening::Cut { node, length } => {
                nodes.memory.cut(node);
                sleep(millis(length)).await;
                nodes.memory.mend(node);
            }
            Happening::Weather { delay, lost_requests, lost_answers } => {
                nodes.memory.set_weather(Weather { delay: millis(delay), lost_requests, lost_answers });
            }
        }
        for (_, screen) in &mut screens {
            screen.read();
        }
    }
    nodes.memory.set_weather(Weather { delay: millis(2), ..Weather::default() });
    sleep(HEALED).await;
    for (at, screen) in &mut screens {
        let committed = nodes.model.state().committed.get(&who[*at]).copied().unwrap_or_default();
        let shown = shown(screen);
        proptest::prop_assert_eq!(shown, Some(committed), "a screen of {} is left behind", who[*at]);
        let goes_back = screen.seen.windows(2).any(|pair| pair[1].total < pair[0].total);
        proptest::prop_assert!(!goes_back, "a screen went back: {:?}", screen.seen);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_between_three_nodes_no_screen_goes_back_and_none_is_left_behind(
        kind in kind(),
        happenings in prop::collection::vec(happening(), 1..40),
    ) {
        let mut played = Ok(());
        run_paused(async { played = happen(kind, happenings).await });
        played?;
    }
}
