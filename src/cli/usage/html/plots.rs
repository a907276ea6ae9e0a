//! Plots as inline SVG. Everything is drawn in integers, hundredths of a pixel, so that no float touches money.

use crate::report::escaped;
use std::fmt::Write;

/// Of the drawing, in pixels of its own.
const WIDTH: u64 = 640;
const HEIGHT: u64 = 250;
const LEFT: u64 = 66;
const RIGHT: u64 = 10;
const TOP: u64 = 10;
const BOTTOM: u64 = 26;

/// How a number is written.
pub(super) type Words = fn(u128) -> String;

/// A row of numbers, one for each place on the x axis; `None` where there is none.
pub(super) struct Series {
    /// What the legend calls it.
    pub name: String,
    /// Its colour, by the number in the style sheet.
    pub colour: usize,
    /// Its numbers.
    pub values: Vec<Option<u128>>,
}

/// A plot.
pub(super) struct Plot<'a> {
    /// What it shows.
    pub title: &'a str,
    /// How to read it.
    pub note: &'a str,
    /// The places on the x axis, in full, and as their labels say.
    pub places: &'a [(String, String)],
    /// What is drawn.
    pub series: Vec<Series>,
    /// How a number is written in full.
    pub full: Words,
    /// How it is written at the axis.
    pub short: Words,
    /// Whether it takes the whole width.
    pub wide: bool,
}

/// The step between lines, 1, 2 or 5 times a power of ten, so that about four reach `most`.
fn step(most: u128) -> u128 {
    let least = most.div_ceil(5).max(1);
    let mut power = 1_u128;
    loop {
        for times in [1_u128, 2, 5] {
            let step = power.saturating_mul(times);
            if step >= least {
                return step;
            }
        }
        power = power.saturating_mul(10);
    }
}

/// Hundredths of a pixel as pixels.
fn px(hundredths: u64) -> String {
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

struct Frame {
    top: u128,
    step: u128,
    places: u64,
    width: u64,
}

impl Frame {
    fn new(most: u128, places: usize, width: u64) -> Self {
        let step = step(most);
        let top = most.div_ceil(step).max(1).saturating_mul(step);
        Self { top, step, places: u64::try_from(places).unwrap_or(u64::MAX).max(1), width }
    }

    /// How high a number is, in hundredths.
    fn height(&self, value: u128) -> u64 {
        let room = u128::from(HEIGHT.saturating_sub(TOP).saturating_sub(BOTTOM)).saturating_mul(100);
        // Divided first where the product would not fit.
        let scaled = value.checked_mul(room).map_or_else(
            || value.checked_div(self.top.checked_div(room).unwrap_or(1).max(1)).unwrap_or(0).min(room),
            |product| product.checked_div(self.top).unwrap_or(0),
        );
        u64::try_from(scaled).unwrap_or(0)
    }

    /// Where that is from above.
    fn y(&self, value: u128) -> u64 {
        HEIGHT.saturating_sub(BOTTOM).saturating_mul(100).saturating_sub(self.height(value))
    }

    fn inner(&self) -> u64 {
        self.width.saturating_sub(LEFT).saturating_sub(RIGHT).saturating_mul(100)
    }

    /// Where the room of a place begins.
    fn x(&self, place: usize) -> u64 {
        let place = u64::try_from(place).unwrap_or(u64::MAX);
        let along = self.inner().saturating_mul(place).checked_div(self.places).unwrap_or(0);
        LEFT.saturating_mul(100).saturating_add(along)
    }

    fn room(&self) -> u64 {
        self.inner().checked_div(self.places).unwrap_or(0)
    }
}

impl Plot<'_> {
    /// Bars, one series on top of the other.
    pub fn bars(&self) -> String {
        let sum = |place: usize| {
            let values = self.series.iter().filter_map(|series| *series.values.get(place)?);
            values.fold(0_u128, u128::saturating_add)
        };
        let most = (0..self.places.len()).map(sum).max().unwrap_or(0);
        self.drawn(most, |frame, out| {
            let gap = (frame.room() / 6).min(600);
            let wide = frame.room().saturating_sub(gap).clamp(50, 4_000);
            for (place, (name, _)) in self.places.iter().enumerate() {
                let x = frame.x(place).saturating_add(frame.room().saturating_sub(wide) / 2);
                let mut below = 0_u128;
                for series in &self.series {
                    let Some(value) = series.values.get(place).copied().flatten().filter(|value| *value > 0) else { continue };
                    let bottom = frame.y(below);
                    below = below.saturating_add(value);
                    let top = frame.y(below);
                    let _ = write!(
                        out,
                        r#"<rect class="bar f{}" x="{}" y="{}" width="{}" height="{}"><title>{}, {}: {}</title></rect>"#,
                        series.colour,
                        px(x),
                        px(top),
                        px(wide),
                        px(bottom.saturating_sub(top)),
                        escaped(&series.name),
                        escaped(name),
                        escaped(&(self.full)(value))
                    );
                }
            }
        })
    }

    /// A line for each series, with a dot at each number.
    pub fn lines(&self) -> String {
        let most = self.series.iter().flat_map(|series| &series.values).flatten().max().copied().unwrap_or(0);
        self.drawn(most, |frame, out| {
            let middle = frame.room() / 2;
            let radius = if frame.places > 60 { 180 } else { 280 };
            for series in &self.series {
                let points: Vec<Option<(u64, u64, u128)>> = series
                    .values
                    .iter()
                    .enumerate()
                    .map(|(place, value)| {
                        value.map(|value| (frame.x(place).saturating_add(middle), frame.y(value), value))
                    })
                    .collect();
                for run in points.split(Option::is_none).filter(|run| run.len() > 1) {
                    let path: Vec<String> =
                        run.iter().flatten().map(|(x, y, _)| format!("{},{}", px(*x), px(*y))).collect();
                    let _ = write!(out, r#"<polyline class="s{}" points="{}"/>"#, series.colour, path.join(" "));
                }
                for ((x, y, value), (name, _)) in
                    points.iter().zip(self.places).filter_map(|(point, place)| Some(((*point)?, place)))
                {
                    let _ = write!(
                        out,
                        r#"<circle class="f{}" cx="{}" cy="{}" r="{}"><title>{}, {}: {}</title></circle>"#,
                        series.colour,
                        px(x),
                        px(y),
                        px(radius),
                        escaped(&series.name),
                        escaped(name),
                        escaped(&(self.full)(value))
                    );
                }
            }
        })
    }

    fn drawn(&self, most: u128, draw: impl FnOnce(&Frame, &mut String)) -> String {
        let width = if self.wide { WIDTH.saturating_mul(2) } else { WIDTH };
        let frame = Frame::new(most, self.places.len(), width);
        let mut out = format!(
            r#"<section{}><h2>{}</h2><p class="note">{}</p>"#,
            if self.wide { r#" class="wide""# } else { "" },
            escaped(self.title),
            escaped(self.note)
        );
        if most == 0 {
            out.push_str(r#"<p class="note">Nothing in this time.</p></section>"#);
            return out;
        }
        let _ = write!(out, r#"<svg viewBox="0 0 {width} {HEIGHT}" role="img" aria-label="{}">"#, escaped(self.title));
        let (left, right) = (LEFT, width.saturating_sub(RIGHT));
        let mut level = 0_u128;
        while level <= frame.top {
            let y = frame.y(level);
            let class = if level == 0 { "base" } else { "grid" };
            let _ = write!(
                out,
                r#"<line class="{class}" x1="{left}" x2="{right}" y1="{0}" y2="{0}"/><text x="{1}" y="{2}" text-anchor="end">{3}</text>"#,
                px(y),
                left.saturating_sub(8),
                px(y.saturating_add(380)),
                escaped(&(self.short)(level))
            );
            level = level.saturating_add(frame.step);
            if level == u128::MAX {
                break;
            }
        }
        self.columns(&frame, &mut out);
        draw(&frame, &mut out);
        out.push_str("</svg>");
        if self.series.len() > 1 {
            out.push_str(r#"<ul class="legend">"#);
            for series in &self.series {
                let _ =
                    write!(out, r#"<li><i class="f{}"></i><bdi>{}</bdi></li>"#, series.colour, escaped(&series.name));
            }
            out.push_str("</ul>");
        }
        out.push_str("</section>");
        out
    }

    /// The labels of the x axis, and a column behind each place that says all its numbers.
    fn columns(&self, frame: &Frame, out: &mut String) {
        let every = frame.places.div_ceil(frame.width.checked_div(80).unwrap_or(8).max(1)).max(1);
        let high = HEIGHT.saturating_sub(TOP).saturating_sub(BOTTOM);
        for (place, (name, label)) in self.places.iter().enumerate() {
            let x = frame.x(place);
            let mut told = name.clone();
            for series in &self.series {
                if let Some(value) = series.values.get(place).copied().flatten().filter(|value| *value > 0) {
                    let _ = write!(told, "\n{}: {}", series.name, (self.full)(value));
                }
            }
            let _ = write!(
                out,
                r#"<rect class="hover" x="{}" y="{TOP}" width="{}" height="{high}"><title>{}</title></rect>"#,
                px(x),
                px(frame.room()),
                escaped(&told)
            );
            if u64::try_from(place).is_ok_and(|place| place.is_multiple_of(every)) {
                let _ = write!(
                    out,
                    r#"<text x="{}" y="{}" text-anchor="middle">{}</text>"#,
                    px(x.saturating_add(frame.room() / 2)),
                    HEIGHT.saturating_sub(8),
                    escaped(label)
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn steps_are_round_and_few() {
        for (most, want) in [(0, 1), (1, 1), (5, 1), (6, 2), (11, 5), (99, 20), (250, 50), (251, 100), (10_000, 2_000)]
        {
            assert_eq!(step(most), want, "{most}");
        }
        for most in [u128::MAX, u128::MAX / 3, u128::from(u64::MAX)] {
            let frame = Frame::new(most, 3, WIDTH);
            assert!(frame.height(most) <= (HEIGHT - TOP - BOTTOM) * 100, "{most}");
            assert!(most / step(most) <= 5, "{most}");
        }
    }

    #[test]
    fn bars_stand_on_each_other_and_names_are_escaped() {
        let series = |name: &str, colour, values: &[u128]| Series {
            name: name.into(),
            colour,
            values: values.iter().map(|value| Some(*value)).collect(),
        };
        let places = [("2026-11-20".to_owned(), "Nov 20".to_owned()), ("2026-11-21".to_owned(), "Nov 21".to_owned())];
        let plot = Plot {
            title: "Cost",
            note: "",
            places: &places,
            series: vec![series("<b>&\"'", 0, &[10, 0]), series("b", 1, &[10, 5])],
            full: |value| value.to_string(),
            short: |value| value.to_string(),
            wide: false,
        };
        let svg = plot.bars();
        assert!(!svg.contains("<b>") && svg.contains("&lt;b&gt;&amp;&quot;&#39;, 2026-11-20: 10"), "{svg}");
        // 214 pixels stand for 20: each of the first day's bars has half of them, the second stands on the first.
        assert!(svg.contains(r#"y="117.00" width="40.00" height="107.00"><title>&lt;b"#), "{svg}");
        assert!(svg.contains(r#"y="10.00" width="40.00" height="107.00"><title>b, 2026-11-20: 10"#), "{svg}");
        assert_eq!(svg.matches("class=\"bar").count(), 3);
        assert_eq!(plot.lines().matches("<circle").count(), 4);
    }
}
