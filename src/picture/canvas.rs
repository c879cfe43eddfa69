//! What can be drawn on: lines, areas, letters and pictures.

use super::theme::Colour;

/// From the left, from the top, in pixels.
pub(super) type Point = (f64, f64);

/// A part of the drawing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Area {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) right: f64,
    pub(super) bottom: f64,
}

impl Area {
    pub(super) fn corners(&self) -> [Point; 4] {
        [(self.left, self.top), (self.right, self.top), (self.right, self.bottom), (self.left, self.bottom)]
    }

    pub(super) fn middle_y(&self) -> f64 {
        f64::midpoint(self.top, self.bottom)
    }
}

/// A colour that may let what is below shine through.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Ink {
    pub(super) colour: Colour,
    /// From 0 to 1.
    pub(super) opacity: f32,
}

impl From<Colour> for Ink {
    fn from(colour: Colour) -> Self {
        Self { colour, opacity: 1.0 }
    }
}

/// A line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Stroke {
    pub(super) ink: Ink,
    /// In pixels.
    pub(super) width: f64,
    pub(super) is_dashed: bool,
}

/// Where a text is at its point: it begins, has its middle or ends there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// How a text is written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Lettering {
    pub(super) anchor: Anchor,
    /// In pixels.
    pub(super) size: f64,
    pub(super) ink: Ink,
}

/// Colours in rows from the top, `(height, width)`.
pub(super) struct Pixels {
    pub(super) width: usize,
    pub(super) colours: Vec<Colour>,
}

impl Pixels {
    pub(super) fn height(&self) -> usize {
        self.colours.len() / self.width
    }
}

/// Something to draw on.
pub(super) trait Canvas {
    /// An area between points.
    fn fill(&mut self, points: &[Point], ink: Ink);
    /// A line through points.
    fn stroke(&mut self, points: &[Point], stroke: Stroke);
    /// A picture over all of `area`.
    fn image(&mut self, area: Area, pixels: &Pixels);
    /// A line of text that stands on `at`.
    fn text(&mut self, at: Point, lettering: Lettering, text: &str);
}
