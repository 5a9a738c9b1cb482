//! A run as a picture: one panel a figure that compares servers, bars with their values. Plain SVG, written by hand.
//!
//! Grey on nothing, so that it is read on light and on dark.

use std::fmt::Write;

use crate::peer::Peer;
use crate::sheet::{BYTES_IDLE, CPU_CONNECT, CPU_DELIVERY, CPU_REQUEST, Figure, P99, STORM, Sheet, digits};

const WIDTH: f64 = 760.0;
const LABELS: f64 = 130.0;
const VALUES: f64 = 110.0;
const BAR: f64 = 18.0;
const GAP: f64 = 6.0;
const TITLE: f64 = 34.0;
const INK: &str = "#808080";
const PULSO: &str = "#d9534f";
const LIMIT: &str = "#4a90d9";

struct Panel {
    title: String,
    unit: &'static str,
    /// Where 1.0 is, if the bars are ratios.
    is_ratio: bool,
    bars: Vec<(Peer, f64)>,
}

pub fn svg(sheet: &Sheet) -> String {
    let panels = panels(sheet);
    let height = |panel: &Panel| TITLE + panel.bars.len() as f64 * (BAR + GAP) + GAP;
    let total: f64 = panels.iter().map(height).sum::<f64>() + 30.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {total:.0}\" width=\"{WIDTH}\" height=\"{total:.0}\" \
         role=\"img\" font-family=\"system-ui, sans-serif\" font-size=\"13\" fill=\"{INK}\">\n\
         <title>Pulso and its peers, measured in one run</title>\n"
    );
    let mut top = 8.0;
    for panel in &panels {
        draw(&mut svg, panel, top);
        top += height(panel);
    }
    let _ = writeln!(
        svg,
        "<text x=\"4\" y=\"{:.0}\" font-size=\"11\">Less is better. Medians over the rounds.</text>",
        top + 14.0
    );
    svg + "</svg>\n"
}

fn draw(svg: &mut String, panel: &Panel, top: f64) {
    let _ = writeln!(svg, "<text x=\"4\" y=\"{:.0}\" font-weight=\"bold\">{}</text>", top + 20.0, panel.title);
    let most = panel.bars.iter().map(|(_, value)| *value).fold(f64::MIN_POSITIVE, f64::max);
    let scale = (WIDTH - LABELS - VALUES) / most;
    for (index, (peer, value)) in panel.bars.iter().enumerate() {
        let y = top + TITLE + index as f64 * (BAR + GAP);
        let colour = match peer {
            Peer::Pulso | Peer::PulsoIoUring => PULSO,
            Peer::Floor => LIMIT,
            _ => INK,
        };
        let length = (value * scale).max(1.0);
        let text = y + BAR - 4.0;
        let (name, value) = (peer.name(), digits(*value));
        let unit = if panel.is_ratio { "×" } else { panel.unit };
        let _ = writeln!(
            svg,
            "<text x=\"{:.0}\" y=\"{text:.0}\" text-anchor=\"end\">{name}</text>\
             <rect x=\"{LABELS}\" y=\"{y:.0}\" width=\"{length:.1}\" height=\"{BAR}\" rx=\"2\" fill=\"{colour}\"/>\
             <text x=\"{:.1}\" y=\"{text:.0}\">{value} {unit}</text>",
            LABELS - 8.0,
            LABELS + length + 6.0
        );
    }
    if panel.is_ratio {
        let (x, bottom) = (LABELS + scale, top + TITLE + panel.bars.len() as f64 * (BAR + GAP));
        let _ = writeln!(
            svg,
            "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{:.0}\" y2=\"{bottom:.0}\" stroke=\"{LIMIT}\" stroke-dasharray=\"3 3\"/>",
            top + TITLE - 4.0
        );
    }
}

/// The figures that compare servers; a panel needs two of them.
fn panels(sheet: &Sheet) -> Vec<Panel> {
    let mut panels = Vec::new();
    for (work, case) in sheet.cases() {
        let (figures, head): (&[Figure], _) = match work {
            "fanout" => (&[CPU_DELIVERY, P99], format!("{case} subscribers")),
            "channels" => (&[CPU_REQUEST], case.clone()),
            "connect" => (&[CPU_CONNECT], "connect, subscribe, first figures".to_owned()),
            "storm" => (&[STORM], format!("{case} clients come back")),
            "idle" => (&[BYTES_IDLE], case.clone()),
            "feeds" => (&[CPU_DELIVERY], format!("{case}, 1000 subscribers")),
            _ => continue,
        };
        for &figure in figures {
            let is_ratio = figure == CPU_DELIVERY && sheet.ratio(work, &case, Peer::Floor, figure).is_some();
            let value = |peer: Peer| {
                if is_ratio {
                    sheet.ratio(work, &case, peer, figure).map(|ratio| ratio.0)
                } else {
                    sheet.median(work, &case, peer, figure)
                }
            };
            let mut bars: Vec<(Peer, f64)> =
                sheet.peers(work, &case).into_iter().filter_map(|peer| Some((peer, value(peer)?.max(0.0)))).collect();
            bars.sort_by(|one, other| one.1.total_cmp(&other.1));
            let of = if is_ratio { " ÷ the write() limit" } else { "" };
            let unit = if is_ratio { String::new() } else { format!(" ({})", figure.unit) };
            if bars.len() > 1 {
                panels.push(Panel {
                    title: format!("{head}: {}{of}{unit}", figure.name),
                    unit: figure.unit,
                    is_ratio,
                    bars,
                });
            }
        }
    }
    panels
}
