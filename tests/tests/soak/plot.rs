//! The plot of a run, as SVG: one panel for each measured quantity, with time as the common axis.

use std::fmt::Write as _;

use crate::measure::Sample;

const WIDTH: f64 = 900.0;
const PANEL: f64 = 150.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 190.0;
const TOP: f64 = 44.0;
const GAP: f64 = 40.0;
const COLOURS: [&str; 12] = [
    "#1b6ca8", "#d1495b", "#2e8b57", "#b8860b", "#6a4c93", "#008b8b", "#8b4513", "#556b2f",
    "#c71585", "#4682b4", "#708090", "#a0522d",
];

/// A line of a panel.
struct Line {
    name: String,
    values: Vec<(f64, f64)>,
}

/// The plot of these samples.
pub fn svg(samples: &[Sample], rate: u64) -> String {
    let line = |name: &str, of: &dyn Fn(&Sample) -> f64| Line {
        name: name.to_owned(),
        values: samples
            .iter()
            .map(|one| (one.at.as_secs_f64() / 60.0, of(one)))
            .collect(),
    };
    let mut names: Vec<_> = samples
        .iter()
        .flat_map(|one| one.functions.keys())
        .collect();
    names.sort();
    names.dedup();
    let functions = names.iter().map(|name| Line {
        name: (*name).clone(),
        values: samples
            .iter()
            .filter_map(|one| Some((one.at.as_secs_f64() / 60.0, one.functions.get(*name)?.1)))
            .collect(),
    });
    let panels = [
        (
            "memory of the runtime, MB",
            vec![line("runtime", &|one| one.runtime)],
        ),
        (
            "memory of a function's process, MB (median)",
            functions.collect(),
        ),
        (
            "POST /vuelos/reserva, ms",
            vec![line("p50", &|one| one.p50), line("p99", &|one| one.p99)],
        ),
        ("size on disk, MB", vec![line("data", &|one| one.disk)]),
    ];
    let minutes = samples
        .last()
        .map_or(1.0, |one| one.at.as_secs_f64() / 60.0);
    let height = 4.0f64.mul_add(PANEL + GAP, TOP);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"{LEFT}\" y=\"20\" font-size=\"14\">{rate} reservations a second, {minutes:.0} minutes</text>\n"
    );
    let mut top = TOP;
    for (title, lines) in &panels {
        panel(&mut svg, top, title, lines, minutes);
        top += PANEL + GAP;
    }
    svg.push_str("</svg>\n");
    svg
}

fn panel(svg: &mut String, top: f64, title: &str, lines: &[Line], minutes: f64) {
    let values = lines.iter().flat_map(|line| &line.values);
    let most = values.map(|(_, value)| *value).fold(1.0, f64::max) * 1.05;
    let width = WIDTH - LEFT - RIGHT;
    let (bottom, right) = (top + PANEL, LEFT + width);
    let x = |minute: f64| LEFT + width * minute / minutes;
    let y = |value: f64| bottom - PANEL * value / most;
    // Writing to a string cannot fail.
    let _ = writeln!(
        svg,
        "<text x=\"{LEFT}\" y=\"{:.0}\">{title}</text>\n\
         <path d=\"M{LEFT} {top} V{bottom} H{right}\" fill=\"none\" stroke=\"#333\"/>",
        top - 8.0
    );
    for part in [0.0, 0.5, 1.0] {
        let _ = writeln!(
            svg,
            "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\">{:.0}</text>\n\
             <text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"middle\">{:.0} min</text>",
            LEFT - 6.0,
            y(most * part) + 4.0,
            most * part,
            x(minutes * part),
            bottom + 16.0,
            minutes * part
        );
    }
    for ((line, colour), place) in lines.iter().zip(COLOURS.iter().cycle()).zip(0..) {
        let points = line.values.iter();
        let points: Vec<_> = points
            .map(|(minute, value)| format!("{:.1},{:.1}", x(*minute), y(*value)))
            .collect();
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.3\"/>\n\
             <text x=\"{:.0}\" y=\"{:.0}\" fill=\"{colour}\" font-size=\"11\">{}</text>",
            points.join(" "),
            right + 10.0,
            f64::from(place).mul_add(13.0, top + 10.0),
            line.name
        );
    }
}
