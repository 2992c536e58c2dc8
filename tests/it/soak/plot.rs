//! The plot of a soak: what wader held and how often it answered over time, and when what went wrong.

use std::fmt::Write as _;

use super::findings::Run;

const WIDTH: f64 = 1000.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 20.0;
const PANEL: f64 = 130.0;
const BETWEEN: f64 = 34.0;

type Points = Vec<(f64, f64)>;

/// An SVG.
pub(super) fn draw(run: &Run) -> String {
    let of = |what: fn(&super::measure::Sample) -> f64| -> Points {
        run.samples.iter().map(|sample| (sample.at, what(sample))).collect()
    };
    let panels: [(&str, Points); 5] = [
        ("resident memory, MB", of(|sample| sample.resident)),
        ("descriptors", of(|sample| sample.descriptors as f64)),
        ("threads", of(|sample| sample.threads as f64)),
        ("answers a minute", answers(run)),
        ("load average of the machine", of(|sample| sample.load)),
    ];
    let height = panels.len() as f64 * (PANEL + BETWEEN) + 60.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"white\"/>\n"
    );
    let across = |at: f64| LEFT + (at - run.begun) / (run.ended - run.begun) * (WIDTH - LEFT - RIGHT);
    for (place, (title, points)) in panels.iter().enumerate() {
        let top = 20.0 + place as f64 * (PANEL + BETWEEN);
        panel(&mut svg, title, points, top, across);
        for fault in &run.past.suffered {
            let x = across(fault.lasted.0);
            let (name, bottom) = (fault.kind.name(), top + PANEL);
            writeln!(
                svg,
                "<line x1=\"{x:.1}\" y1=\"{bottom:.1}\" x2=\"{x:.1}\" y2=\"{:.1}\" stroke=\"firebrick\" stroke-width=\"1\">\
                 <title>{name}, {:.0} s, {}</title></line>",
                bottom + 6.0,
                fault.lasted.0,
                fault.cameras.join(" ")
            )
            .unwrap();
        }
    }
    let minutes = (run.ended - run.begun) / 60.0;
    for tenth in 0..=10 {
        let at = f64::from(tenth) / 10.0;
        let x = across(run.begun + at * (run.ended - run.begun));
        let y = height - 44.0;
        writeln!(svg, "<text x=\"{x:.1}\" y=\"{y}\" text-anchor=\"middle\">{:.1}</text>", at * minutes).unwrap();
    }
    let (cameras, every, seed) = (run.plan.cameras, run.plan.fault_every.as_secs(), run.plan.seed);
    writeln!(
        svg,
        "<text x=\"{LEFT}\" y=\"{}\">minutes; {cameras} cameras, a fault each {every} s (red), seed {seed}</text>\n</svg>",
        height - 16.0
    )
    .unwrap();
    svg
}

fn panel(svg: &mut String, title: &str, points: &Points, top: f64, across: impl Fn(f64) -> f64) {
    let values = || points.iter().map(|point| point.1);
    let (low, high) = (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
    // Nothing is blown up to look like something: a flat line is flat.
    let (low, high) = if high - low < 0.1 * high { (low - 0.05 * high, high + 0.05 * high) } else { (low, high) };
    let up = |value: f64| top + PANEL - (value - low) / (high - low).max(1e-9) * PANEL;
    let line: Vec<String> = points.iter().map(|(at, value)| format!("{:.1},{:.1}", across(*at), up(*value))).collect();
    let (wide, bottom) = (WIDTH - LEFT - RIGHT, top + PANEL);
    writeln!(
        svg,
        "<rect x=\"{LEFT}\" y=\"{top}\" width=\"{wide}\" height=\"{PANEL}\" fill=\"none\" stroke=\"silver\"/>\n\
         <text x=\"{LEFT}\" y=\"{:.1}\" font-weight=\"bold\">{title}</text>\n\
         <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{high:.1}</text>\n\
         <text x=\"{:.1}\" y=\"{bottom}\" text-anchor=\"end\">{low:.1}</text>\n\
         <polyline points=\"{}\" fill=\"none\" stroke=\"steelblue\" stroke-width=\"1.2\"/>",
        top - 5.0,
        LEFT - 6.0,
        top + 10.0,
        LEFT - 6.0,
        line.join(" ")
    )
    .unwrap();
}

/// Of all cameras together, minute by minute; by when they were given, not by when the broker let them through.
fn answers(run: &Run) -> Points {
    const MINUTE: f64 = 60.0;
    let minutes = ((run.ended - run.begun) / MINUTE) as usize;
    let mut counts = vec![0.0; minutes];
    for at in run.past.heard.answered.values().flatten() {
        let minute = (at - run.begun) / MINUTE;
        if let Some(count) = counts.get_mut(minute.max(0.0) as usize).filter(|_| minute >= 0.0) {
            *count += 1.0;
        }
    }
    counts.into_iter().enumerate().map(|(minute, count)| (run.begun + (minute as f64 + 0.5) * MINUTE, count)).collect()
}
