//! A drawing as SVG, for browsers, documents and further work.

use std::fmt::Write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::canvas::{Anchor, Area, Canvas, Ink, Lettering, Pixels, Point, Stroke};
use super::theme::Colour;
use crate::page::escape;

/// Letters like the ones that a drawing in pixels has.
const FONTS: &str = "DejaVu Sans, Verdana, sans-serif";

/// Collects elements.
pub(super) struct SvgCanvas {
    svg: String,
}

impl SvgCanvas {
    /// `title` is read to those who cannot see it.
    pub(super) fn new(width: f64, height: f64, title: &str) -> Self {
        let svg = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" \
             xmlns:xlink=\"http://www.w3.org/1999/xlink\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
             height=\"{height}\" role=\"img\" font-family=\"{FONTS}\">\n<title>{}</title>\n",
            text_of(title)
        );
        Self { svg }
    }

    pub(super) fn finish(self) -> String {
        self.svg + "</svg>\n"
    }

    fn path(points: &[Point]) -> String {
        let mut path = String::new();
        for (i, (x, y)) in points.iter().enumerate() {
            // Writing into a String cannot fail.
            let _ = write!(path, "{}{x:.1} {y:.1}", if i == 0 { 'M' } else { 'L' });
        }
        path
    }
}

fn hex([red, green, blue]: Colour) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

/// Text as XML has it, without what XML cannot have.
fn text_of(text: &str) -> String {
    escape(&text.chars().filter(|c| !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}')).collect::<String>())
}

impl Canvas for SvgCanvas {
    fn fill(&mut self, points: &[Point], ink: Ink) {
        let (path, colour) = (Self::path(points), hex(ink.colour));
        let opacity = if ink.opacity < 1.0 { format!(" fill-opacity=\"{:.2}\"", ink.opacity) } else { String::new() };
        let _ = writeln!(self.svg, "<path fill=\"{colour}\"{opacity} d=\"{path}Z\"/>");
    }

    fn stroke(&mut self, points: &[Point], Stroke { ink, width, is_dashed }: Stroke) {
        let (path, colour) = (Self::path(points), hex(ink.colour));
        let dashes = if is_dashed { " stroke-dasharray=\"5 4\"" } else { "" };
        let _ = writeln!(
            self.svg,
            "<path fill=\"none\" stroke=\"{colour}\" stroke-opacity=\"{:.2}\" stroke-width=\"{width}\" \
             stroke-linejoin=\"round\"{dashes} d=\"{path}\"/>",
            ink.opacity
        );
    }

    fn image(&mut self, area: Area, pixels: &Pixels) {
        let picture = super::bitmap::png_of(pixels.width, pixels.height(), pixels.colours.as_flattened());
        let _ = writeln!(
            self.svg,
            "<image x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" preserveAspectRatio=\"none\" \
             xlink:href=\"data:image/png;base64,{}\"/>",
            area.left,
            area.top,
            area.right - area.left,
            area.bottom - area.top,
            STANDARD.encode(picture)
        );
    }

    fn text(&mut self, (x, y): Point, Lettering { anchor, size, ink }: Lettering, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let _ = writeln!(
            self.svg,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{size}\" text-anchor=\"{anchor}\" fill=\"{}\">{}</text>",
            hex(ink.colour),
            text_of(text)
        );
    }
}
