//! A run as a picture: one panel a figure that compares servers, bars with their values. Plain SVG, written by hand.
//!
//! Grey on nothing, so that it is read on light and on dark.

use std::fmt::Write;

use crate::peer::Peer;
use crate::sheet::{BYTES_IDLE, CPU_CONNECT, CPU_DELIVERY, CPU_REQUEST, Figure, P99, STORM, Sheet, digits};

/// Of one of the two columns.
const COLUMN: f64 = 470.0;
const LABELS: f64 = 135.0;
const VALUES: f64 = 85.0;
const BAR: f64 = 16.0;
const GAP: f64 = 5.0;
const TITLE: f64 = 32.0;
const INK: &str = "#808080";
const PULSO: &str = "#d9534f";
const LIMIT: &str = "#4a90d9";

struct Panel {
    title: String,
    unit: &'static str,
    /// 1.0 is the limit, and drawn.
    is_ratio: bool,
    bars: Vec<Bar>,
}

struct Bar {
    label: String,
    colour: &'static str,
    value: f64,
}

pub fn svg(sheet: &Sheet) -> String {
    let mut drawn = String::new();
    let mut tops = [8.0, 8.0];
    for panel in panels(sheet) {
        let column = usize::from(tops[1] < tops[0]);
        draw(&mut drawn, &panel, column as f64 * COLUMN, tops[column]);
        tops[column] += height(&panel);
    }
    let (width, bottom) = (2.0 * COLUMN, tops[0].max(tops[1]) + 14.0);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
         height=\"{height:.0}\" role=\"img\" font-family=\"system-ui, sans-serif\" font-size=\"12\" fill=\"{INK}\">\n\
         <title>Pulso and its peers, measured in one run</title>\n{drawn}\
         <text x=\"4\" y=\"{bottom:.0}\" font-size=\"11\">Less is better. Medians over the rounds. The dashed line is the \
         limit: one write() a subscriber.</text>\n</svg>\n",
        height = bottom + 8.0
    )
}

fn height(panel: &Panel) -> f64 {
    TITLE + panel.bars.len() as f64 * (BAR + GAP) + 2.0 * GAP
}

fn draw(svg: &mut String, panel: &Panel, left: f64, top: f64) {
    let _ = writeln!(
        svg,
        "<text x=\"{:.0}\" y=\"{:.0}\" font-weight=\"bold\">{}</text>",
        left + 4.0,
        top + 20.0,
        panel.title
    );
    let most = panel.bars.iter().map(|bar| bar.value).fold(f64::MIN_POSITIVE, f64::max);
    let (start, scale) = (left + LABELS, (COLUMN - LABELS - VALUES) / most);
    for (index, bar) in panel.bars.iter().enumerate() {
        let y = top + TITLE + index as f64 * (BAR + GAP);
        let (length, text) = ((bar.value * scale).max(1.0), y + BAR - 4.0);
        let unit = if panel.is_ratio { "×" } else { panel.unit };
        let _ = writeln!(
            svg,
            "<text x=\"{:.0}\" y=\"{text:.0}\" text-anchor=\"end\">{}</text>\
             <rect x=\"{start:.0}\" y=\"{y:.0}\" width=\"{length:.1}\" height=\"{BAR}\" rx=\"2\" fill=\"{}\"/>\
             <text x=\"{:.1}\" y=\"{text:.0}\">{} {unit}</text>",
            start - 8.0,
            bar.label,
            bar.colour,
            start + length + 6.0,
            digits(bar.value)
        );
    }
    if panel.is_ratio {
        let (x, bottom) = (start + scale, top + height(panel) - 2.0 * GAP);
        let _ = writeln!(
            svg,
            "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{:.0}\" y2=\"{bottom:.0}\" stroke=\"{LIMIT}\" stroke-dasharray=\"3 3\"/>",
            top + TITLE - 4.0
        );
    }
}

/// The figures that compare servers, each in a panel; a panel needs two bars.
fn panels(sheet: &Sheet) -> Vec<Panel> {
    let mut panels = Vec::new();
    for (work, case) in sheet.cases() {
        let (figures, head): (&[Figure], _) = match work {
            "fanout" => (&[CPU_DELIVERY, P99], format!("{case} subscribers")),
            "channels" => (&[CPU_REQUEST], case.clone()),
            "connect" => (&[CPU_CONNECT], "connect, subscribe".to_owned()),
            "storm" => (&[STORM], format!("storm of {case}")),
            "idle" => (&[BYTES_IDLE], case.clone()),
            _ => continue,
        };
        for &figure in figures {
            let is_ratio = figure == CPU_DELIVERY && sheet.ratio(work, &case, Peer::Floor, figure).is_some();
            let bars = sheet.peers(work, &case).into_iter().filter_map(|peer| {
                let value = value(sheet, work, &case, peer, figure, is_ratio)?;
                Some(Bar { label: peer.name().to_owned(), colour: colour(peer), value })
            });
            panels.push(Panel::new(&head, figure, is_ratio, bars.collect()));
        }
    }
    panels.push(feeds(sheet));
    panels.retain(|panel| panel.bars.len() > 1);
    panels
}

/// All feeds in one panel: a bar is a feed of Pulso's, or another server.
fn feeds(sheet: &Sheet) -> Panel {
    let mut bars: Vec<Bar> = Vec::new();
    let is_ratio = sheet.peers("feeds", "/ws stats").contains(&Peer::Floor);
    for (work, case) in sheet.cases().into_iter().filter(|(work, _)| *work == "feeds") {
        for peer in sheet.peers(work, &case) {
            let label = if peer == Peer::Pulso { case.clone() } else { peer.name().to_owned() };
            let value = value(sheet, work, &case, peer, CPU_DELIVERY, is_ratio);
            if let Some(value) = value.filter(|_| !bars.iter().any(|bar| bar.label == label)) {
                bars.push(Bar { label, colour: colour(peer), value });
            }
        }
    }
    Panel::new("Feeds to 1,000", CPU_DELIVERY, is_ratio, bars)
}

impl Panel {
    fn new(head: &str, figure: Figure, is_ratio: bool, mut bars: Vec<Bar>) -> Self {
        bars.sort_by(|one, other| one.value.total_cmp(&other.value));
        let of = if is_ratio { " ÷ the limit's" } else { "" };
        Self { title: format!("{head}: {}{of}", figure.name), unit: figure.unit, is_ratio, bars }
    }
}

fn value(sheet: &Sheet, work: &str, case: &str, peer: Peer, figure: Figure, is_ratio: bool) -> Option<f64> {
    let value = if is_ratio {
        sheet.ratio(work, case, peer, figure).map(|ratio| ratio.0)
    } else {
        sheet.median(work, case, peer, figure)
    };
    Some(value?.max(0.0))
}

fn colour(peer: Peer) -> &'static str {
    match peer {
        Peer::Pulso | Peer::PulsoIoUring => PULSO,
        Peer::Floor => LIMIT,
        _ => INK,
    }
}
