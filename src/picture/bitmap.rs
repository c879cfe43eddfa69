//! A drawing as pixels, for PNG files.

use tiny_skia::{
    Color, FillRule, FilterQuality, LineCap, LineJoin, Paint, PathBuilder, Pixmap, PixmapPaint, PixmapRef, StrokeDash,
    Transform,
};

use super::canvas::{Anchor, Area, Canvas, Ink, Lettering, Pixels, Point, Stroke};
use super::font::{outlines, text_width};

/// Draws in memory.
pub(super) struct BitmapCanvas {
    pixmap: Pixmap,
}

impl BitmapCanvas {
    /// # Panics
    /// When a side is 0 or there are more than 2³⁰ pixels.
    pub(super) fn new(width: u32, height: u32) -> Self {
        Self { pixmap: Pixmap::new(width, height).expect("a drawing has a moderate size") }
    }

    /// The bytes of a PNG file.
    pub(super) fn finish(self) -> Vec<u8> {
        let (width, height) = (self.pixmap.width() as usize, self.pixmap.height() as usize);
        let colours: Vec<[u8; 3]> =
            self.pixmap.pixels().iter().map(|pixel| [pixel.red(), pixel.green(), pixel.blue()]).collect();
        png_of(width, height, colours.as_flattened())
    }
}

/// A PNG file of rows from the top, `(height, width, 3)`.
pub(super) fn png_of(width: usize, height: usize, rgb: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width as u32, height as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::High);
    let written = encoder.write_header().and_then(|mut writer| writer.write_image_data(rgb));
    written.expect("as many pixels as the picture has, into memory");
    bytes
}

fn paint(ink: Ink) -> Paint<'static> {
    let [red, green, blue] = ink.colour;
    let mut paint = Paint::default();
    paint.set_color(Color::from_rgba8(red, green, blue, (ink.opacity * 255.0) as u8));
    paint
}

fn path(points: &[Point]) -> Option<tiny_skia::Path> {
    let mut builder = PathBuilder::new();
    let (first, rest) = points.split_first()?;
    builder.move_to(first.0 as f32, first.1 as f32);
    rest.iter().for_each(|(x, y)| builder.line_to(*x as f32, *y as f32));
    builder.finish()
}

impl Canvas for BitmapCanvas {
    fn fill(&mut self, points: &[Point], ink: Ink) {
        if let Some(path) = path(points) {
            self.pixmap.fill_path(&path, &paint(ink), FillRule::Winding, Transform::identity(), None);
        }
    }

    fn stroke(&mut self, points: &[Point], stroke: Stroke) {
        if let Some(path) = path(points) {
            let form = tiny_skia::Stroke {
                width: stroke.width as f32,
                line_cap: LineCap::Butt,
                line_join: LineJoin::Round,
                dash: if stroke.is_dashed { StrokeDash::new(vec![5.0, 4.0], 0.0) } else { None },
                ..tiny_skia::Stroke::default()
            };
            self.pixmap.stroke_path(&path, &paint(stroke.ink), &form, Transform::identity(), None);
        }
    }

    fn image(&mut self, area: Area, pixels: &Pixels) {
        let rgba: Vec<u8> = pixels.colours.iter().flat_map(|[red, green, blue]| [*red, *green, *blue, 255]).collect();
        let (width, height) = (pixels.width, pixels.height());
        if let Some(picture) = PixmapRef::from_bytes(&rgba, width as u32, height as u32) {
            let scale_x = (area.right - area.left) / width as f64;
            let scale_y = (area.bottom - area.top) / height as f64;
            let place =
                Transform::from_row(scale_x as f32, 0.0, 0.0, scale_y as f32, area.left as f32, area.top as f32);
            let look = PixmapPaint { quality: FilterQuality::Nearest, ..PixmapPaint::default() };
            self.pixmap.draw_pixmap(0, 0, picture, &look, place, None);
        }
    }

    fn text(&mut self, (x, y): Point, Lettering { anchor, size, ink }: Lettering, text: &str) {
        let left = match anchor {
            Anchor::Start => x,
            Anchor::Middle => x - text_width(text, size) / 2.0,
            Anchor::End => x - text_width(text, size),
        };
        if let Some(letters) = outlines(text, size, left, y) {
            self.pixmap.fill_path(&letters, &paint(ink), FillRule::Winding, Transform::identity(), None);
        }
    }
}
