//! Letters as outlines, from a font inside the binary.

use std::sync::LazyLock;

use tiny_skia::{Path, PathBuilder, Transform};
use ttf_parser::{Face, OutlineBuilder};

static FACE: LazyLock<Face> =
    LazyLock::new(|| Face::parse(dejavu::sans::regular(), 0).expect("the font that is built in is whole"));

/// How wide a line of text is, in pixels, in letters of `size` pixels.
pub(super) fn text_width(text: &str, size: f64) -> f64 {
    let units: u32 = text.chars().map(|c| u32::from(advance(c))).sum();
    f64::from(units) * size / f64::from(FACE.units_per_em())
}

fn advance(c: char) -> u16 {
    FACE.glyph_index(c).and_then(|glyph| FACE.glyph_hor_advance(glyph)).unwrap_or(0)
}

/// The outlines of a line of text that begins at `x` and stands on `y`; `None` for nothing but spaces.
pub(super) fn outlines(text: &str, size: f64, x: f64, y: f64) -> Option<Path> {
    let scale = size as f32 / f32::from(FACE.units_per_em());
    let mut outline = Outline { path: PathBuilder::new(), left: 0.0 };
    for c in text.chars() {
        // A letter that the font has not is its empty box.
        FACE.outline_glyph(FACE.glyph_index(c).unwrap_or_default(), &mut outline);
        outline.left += f32::from(advance(c));
    }
    outline.path.finish()?.transform(Transform::from_row(scale, 0.0, 0.0, -scale, x as f32, y as f32))
}

/// Puts glyphs beside each other, in the font's units.
struct Outline {
    path: PathBuilder,
    left: f32,
}

impl OutlineBuilder for Outline {
    fn move_to(&mut self, x: f32, y: f32) {
        self.path.move_to(self.left + x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.path.line_to(self.left + x, y);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        self.path.quad_to(self.left + x1, y1, self.left + x, y);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        self.path.cubic_to(self.left + x1, y1, self.left + x2, y2, self.left + x, y);
    }

    fn close(&mut self) {
        self.path.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_lie_where_they_are_put() {
        let bounds = outlines("Hé 1", 20.0, 100.0, 50.0).unwrap().bounds();
        assert!(bounds.left() >= 100.0 && f64::from(bounds.right()) <= 100.0 + text_width("Hé 1", 20.0));
        assert!(bounds.top() > 30.0 && bounds.bottom() <= 51.0, "{bounds:?}");
        assert!(outlines("  ", 20.0, 0.0, 0.0).is_none());
        assert!(text_width("WWW", 10.0) > 2.0 * text_width("iii", 10.0));
    }
}
