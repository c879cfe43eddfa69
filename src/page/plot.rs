//! Line plots as SVG. Colours are classes, so that the page decides them for light and dark.

use std::fmt::Write;

use super::axis::Axis;
use super::escape;

/// Size of a drawing, in its own units, of which a letter has twelve; it scales with the page.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Size {
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
}

/// That of a plot by itself.
pub(super) const SINGLE: Size = Size { width: 560.0, height: 340.0 };
/// Room for the labels left of, above and right of the plot.
const LEFT: f64 = 58.0;
const TOP: f64 = 12.0;
const RIGHT: f64 = 14.0;
/// And below it, with one line of ticks; another line takes more.
const BOTTOM: f64 = 46.0;
const LINE: f64 = 14.0;

/// Something drawn in a plot. What is not finite is left out.
pub enum Mark {
    /// Points (x, y), joined.
    Line {
        /// Its classes.
        class: String,
        /// From the left to the right.
        points: Vec<(f64, f64)>,
    },
    /// The area between two heights, points (x, low, high).
    Band {
        /// Its classes.
        class: String,
        /// From the left to the right.
        points: Vec<(f64, f64, f64)>,
    },
    /// A dot for each point (x, y).
    Dots {
        /// Their classes.
        class: String,
        /// In any order.
        points: Vec<(f64, f64)>,
    },
    /// A level line with a text at its right end.
    Rule {
        /// Where.
        y: f64,
        /// What it is.
        label: String,
    },
    /// A ring around a place.
    Ring {
        /// Where.
        at: (f64, f64),
    },
}

impl Mark {
    /// A line.
    pub fn line(class: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        Self::Line { class: class.into(), points: points.into_iter().collect() }
    }
}

/// Where the plot lies in the drawing.
pub(super) struct Area<'a> {
    pub(super) x: &'a Axis,
    pub(super) y: &'a Axis,
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) right: f64,
    pub(super) bottom: f64,
    size: Size,
}

impl<'a> Area<'a> {
    pub(super) fn new(x: &'a Axis, y: &'a Axis, size: Size) -> Self {
        let n_more = x.ticks.iter().map(|(_, text)| text.matches('\n').count()).max().unwrap_or(0);
        let bottom = size.height - BOTTOM - n_more as f64 * LINE;
        Self { x, y, left: LEFT, top: TOP, right: size.width - RIGHT, bottom, size }
    }

    pub(super) fn at_x(&self, value: f64) -> f64 {
        self.left + self.x.place(value) * (self.right - self.left)
    }

    pub(super) fn at_y(&self, value: f64) -> f64 {
        self.bottom - self.y.place(value) * (self.bottom - self.top)
    }

    /// The beginning of the drawing: its title, and both axes with their lines and texts.
    pub(super) fn open(&self, title: &str) -> String {
        let Self { x, y, left, top, right, bottom, size } = self;
        let Size { width, height } = size;
        let mut svg = format!("<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{}\">", escape(title));
        // Writing into a String cannot fail.
        for (value, text) in &x.ticks {
            let x = self.at_x(*value);
            let _ = write!(svg, "<path class=\"grid\" d=\"M{x:.1} {top}V{bottom}\"/>");
            for (line, text) in text.split('\n').enumerate() {
                let y = bottom + 16.0 + line as f64 * LINE;
                let _ = write!(svg, "<text x=\"{x:.1}\" y=\"{y}\" text-anchor=\"middle\">{text}</text>");
            }
        }
        for (value, text) in &y.ticks {
            let y = self.at_y(*value);
            let _ = write!(svg, "<path class=\"grid\" d=\"M{left} {y:.1}H{right}\"/>");
            let _ = write!(svg, "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{text}</text>", left - 6.0, y + 4.0);
        }
        let _ = write!(svg, "<path class=\"frame\" d=\"M{left} {top}V{bottom}H{right}\"/>");
        let (middle_x, middle_y) = ((left + right) / 2.0, (top + bottom) / 2.0);
        let _ = write!(svg, "<text x=\"{middle_x}\" y=\"{}\" text-anchor=\"middle\">{}</text>", height - 8.0, x.label);
        let turned = format!("transform=\"translate(13 {middle_y}) rotate(-90)\"");
        let _ = write!(svg, "<text {turned} text-anchor=\"middle\">{}</text>", y.label);
        svg
    }

    fn draw(&self, mark: &Mark) -> String {
        match mark {
            Mark::Line { class, points } => {
                let places: Vec<String> = self.places(points).map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
                self.path(class, places)
            }
            Mark::Band { class, points } => {
                let edge = |pick: fn(&(f64, f64, f64)) -> (f64, f64)| -> Vec<String> {
                    let points: Vec<(f64, f64)> = points.iter().map(pick).collect();
                    self.places(&points).map(|(x, y)| format!("{x:.1} {y:.1}")).collect()
                };
                let (mut places, high) = (edge(|&(x, low, _)| (x, low)), edge(|&(x, _, high)| (x, high)));
                places.extend(high.into_iter().rev());
                self.path(class, places)
            }
            Mark::Dots { class, points } => self
                .places(points)
                .map(|(x, y)| format!("<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.5\"/>"))
                .collect(),
            Mark::Rule { y, label } => {
                let y = self.at_y(*y);
                let above = if y - 18.0 < self.top { y + 14.0 } else { y - 5.0 };
                format!(
                    "<path class=\"rule\" d=\"M{} {y:.1}H{}\"/><text x=\"{}\" y=\"{above:.1}\" class=\"halo\" \
                     text-anchor=\"end\">{}</text>",
                    self.left,
                    self.right,
                    self.right - 4.0,
                    escape(label)
                )
            }
            Mark::Ring { at } => self
                .places(&[*at])
                .map(|(x, y)| format!("<circle class=\"ring\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"5\"/>"))
                .collect(),
        }
    }

    fn places(&self, points: &[(f64, f64)]) -> impl Iterator<Item = (f64, f64)> {
        let finite = points.iter().filter(|(x, y)| x.is_finite() && y.is_finite());
        finite.map(|&(x, y)| (self.at_x(x), self.at_y(y)))
    }

    fn path(&self, class: &str, mut places: Vec<String>) -> String {
        places.dedup();
        if places.is_empty() { String::new() } else { format!("<path class=\"{class}\" d=\"M{}\"/>", places.join("L")) }
    }
}

/// A plot of `marks`, the first at the bottom. `title` is read to those who cannot see it.
pub fn plot(title: &str, x: &Axis, y: &Axis, size: Size, marks: &[Mark]) -> String {
    let area = Area::new(x, y, size);
    let mut svg = area.open(title);
    svg.extend(marks.iter().map(|mark| area.draw(mark)));
    svg.push_str("</svg>");
    svg
}

/// The plot of `lines`, each a list of (x, y); line `i` has the class `line{i}`. `title` is read to those who cannot see it.
pub fn svg(title: &str, x: &Axis, y: &Axis, lines: &[Vec<(f64, f64)>]) -> String {
    let marks: Vec<Mark> =
        lines.iter().enumerate().map(|(i, line)| Mark::line(format!("line{i}"), line.iter().copied())).collect();
    plot(title, x, y, SINGLE, &marks)
}

#[cfg(test)]
mod tests {
    use super::super::axis::Scale;
    use super::*;

    fn axis(scale: Scale, low: f64, high: f64) -> Axis {
        Axis { label: "v", scale, low, high, ticks: vec![(high, "top".into())] }
    }

    #[test]
    fn lines_lie_where_the_axes_say() {
        let (x, y) = (axis(Scale::Logarithmic, 0.1, 10.0), axis(Scale::Linear, 0.0, 1.0));
        let drawn = svg("a & b", &x, &y, &[vec![(0.0, 0.0), (10.0, 1.0)]]);
        assert!(drawn.contains("class=\"line0\" d=\"M58.0 294.0L546.0 12.0\""), "{drawn}");
        assert!(drawn.contains("aria-label=\"a &amp; b\""));
    }

    #[test]
    fn what_is_not_finite_is_left_out() {
        let (x, y) = (axis(Scale::Linear, 0.0, 10.0), axis(Scale::Linear, 0.0, 1.0));
        let marks = [
            Mark::line("s0", [(0.0, f64::NAN), (5.0, 0.5), (f64::INFINITY, 0.0), (10.0, 1.0)]),
            Mark::line("s1", [(0.0, f64::NAN)]),
            Mark::Ring { at: (f64::NAN, 0.0) },
        ];
        let drawn = plot("t", &x, &y, SINGLE, &marks);
        assert!(drawn.contains("class=\"s0\" d=\"M302.0 153.0L546.0 12.0\""), "{drawn}");
        assert!(!drawn.contains("s1") && !drawn.contains("NaN") && !drawn.contains("ring"), "{drawn}");
    }

    #[test]
    fn a_second_line_of_ticks_has_its_room() {
        let (mut x, y) = (axis(Scale::Linear, 0.0, 10.0), axis(Scale::Linear, 0.0, 1.0));
        x.ticks = vec![(0.0, "0\n0 s".into())];
        let drawn = plot("t", &x, &y, SINGLE, &[Mark::line("s0", [(0.0, 0.0)])]);
        assert!(drawn.contains("y=\"296\"") && drawn.contains("y=\"310\"") && drawn.contains("d=\"M58.0 280.0\""));
    }
}
