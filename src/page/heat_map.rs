//! Heat maps: numbers as colours, in a picture of a few kilobytes that lies inside the page.

use std::fmt::Write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::axis::Axis;
use super::plot::{Area, Size};

/// Cells of a picture, at most; of more, neighbours are averaged. A page may have a hundred pictures.
const MAX_ROWS: usize = 96;
const MAX_COLUMNS: usize = 200;
/// Colours of a picture. Few enough to compress well, too many to be told apart.
const N_COLOURS: usize = 64;

/// Colours for numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Palette {
    /// From dark to light over all hues: shares, from nothing to all.
    Share,
    /// Dark in the middle, where zero is; blue below, orange above.
    Signed,
    /// From black over red to yellow: loudness.
    Loudness,
}

impl Palette {
    /// Colours at equal distances from the lowest to the highest number.
    fn anchors(self) -> [[u8; 3]; 5] {
        match self {
            // Viridis and magma of Smith & van der Walt.
            Self::Share => [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]],
            Self::Loudness => [[0, 0, 4], [81, 18, 124], [183, 55, 121], [252, 137, 97], [252, 253, 191]],
            Self::Signed => [[158, 202, 255], [36, 113, 183], [18, 22, 28], [191, 91, 23], [255, 213, 158]],
        }
    }

    /// The colour at `place`, from 0 to 1.
    pub fn colour(self, place: f64) -> [u8; 3] {
        let anchors = self.anchors();
        let position = place.clamp(0.0, 1.0) * (anchors.len() - 1) as f64;
        let below = (position as usize).min(anchors.len() - 2);
        let share = position - below as f64;
        let mix = |i: usize| f64::from(anchors[below][i]) * (1.0 - share) + f64::from(anchors[below + 1][i]) * share;
        [0, 1, 2].map(|i| mix(i).round() as u8)
    }

    /// A bar of the colours between the texts of its ends, for a caption.
    pub fn bar(self, low: &str, high: &str) -> String {
        let colours: Vec<String> = self.anchors().iter().map(|[r, g, b]| format!("rgb({r},{g},{b})")).collect();
        format!(
            "<span class=\"scale\">{low} <i style=\"background:linear-gradient(90deg,{})\"></i> {high}</span>",
            colours.join(",")
        )
    }
}

/// Numbers over two directions.
pub struct HeatMap<'a> {
    /// Read to those who cannot see it.
    pub title: &'a str,
    /// From the left edge of the first column to the right edge of the last.
    pub x: &'a Axis,
    /// From the lower edge of the first row to the upper edge of the last.
    pub y: &'a Axis,
    /// Of the drawing.
    pub size: Size,
    /// The colours.
    pub palette: Palette,
    /// The numbers of the first and of the last colour.
    pub range: [f32; 2],
    /// Rows from the bottom upwards, all of one length.
    pub rows: &'a [Vec<f32>],
}

impl HeatMap<'_> {
    /// The drawing.
    pub fn svg(&self) -> String {
        let area = Area::new(self.x, self.y, self.size);
        let mut svg = area.open(self.title);
        if let Some(picture) = self.picture() {
            // Writing into a String cannot fail.
            let _ = write!(
                svg,
                "<image x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" preserveAspectRatio=\"none\" \
                 href=\"data:image/png;base64,{}\"/>",
                area.left,
                area.top,
                area.right - area.left,
                area.bottom - area.top,
                STANDARD.encode(picture)
            );
        }
        svg.push_str("</svg>");
        svg
    }

    /// The cells as PNG; `None` where there are none.
    fn picture(&self) -> Option<Vec<u8>> {
        let rows = averaged(self.rows, MAX_ROWS, |rows| {
            let n = rows.len() as f32;
            let column = |i: usize| rows.iter().map(|row| row[i]).sum::<f32>() / n;
            (0..rows[0].len()).map(column).collect::<Vec<f32>>()
        });
        let rows: Vec<Vec<f32>> = rows
            .iter()
            .map(|row| averaged(row, MAX_COLUMNS, |values| values.iter().sum::<f32>() / values.len() as f32))
            .collect();
        let n_columns = rows.first().map_or(0, Vec::len);
        if n_columns == 0 {
            return None;
        }
        let [low, high] = self.range;
        // What is no number looks like the lowest.
        let colour =
            |value: f32| (((value - low) / (high - low)).clamp(0.0, 1.0) * (N_COLOURS - 1) as f32).round() as u8;
        let cells: Vec<u8> = rows.iter().rev().flatten().map(|&value| colour(value)).collect();
        let colours = (0..N_COLOURS).flat_map(|i| self.palette.colour(i as f64 / (N_COLOURS - 1) as f64));
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, n_columns as u32, rows.len() as u32);
        encoder.set_color(png::ColorType::Indexed);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_palette(colours.collect::<Vec<u8>>());
        encoder.set_filter(png::Filter::NoFilter);
        encoder.set_compression(png::Compression::High);
        let written = encoder.write_header().and_then(|mut writer| writer.write_image_data(&cells));
        written.is_ok().then_some(bytes)
    }
}

/// As many items as there are, or `n_max` means of neighbours.
fn averaged<T: Clone>(items: &[T], n_max: usize, mean: impl Fn(&[T]) -> T) -> Vec<T> {
    let n = items.len().min(n_max);
    (0..n).map(|i| mean(&items[items.len() * i / n..items.len() * (i + 1) / n])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::number;

    fn decoded(rows: &[Vec<f32>]) -> (u32, u32, Vec<u8>) {
        let axis = Axis::linear("", [0.0, 1.0], 2, &number);
        let size = Size { width: 200.0, height: 100.0 };
        let map = HeatMap { title: "m", x: &axis, y: &axis, size, palette: Palette::Share, range: [0.0, 1.0], rows };
        let svg = map.svg();
        let text = svg.split("base64,").nth(1).unwrap().split('"').next().unwrap();
        let bytes = STANDARD.decode(text).unwrap();
        let mut decoder = png::Decoder::new(std::io::Cursor::new(bytes));
        decoder.set_transformations(png::Transformations::EXPAND);
        let mut reader = decoder.read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        (info.width, info.height, pixels)
    }

    #[test]
    fn the_picture_holds_the_numbers_with_the_first_row_at_the_bottom() {
        let (width, height, pixels) = decoded(&[vec![0.0, 1.0, f32::NAN], vec![1.0, 1.0, 0.5]]);
        assert_eq!((width, height), (3, 2));
        let at = |x: usize, y: usize| &pixels[(y * 3 + x) * 3..][..3];
        let (dark, bright) = ([68, 1, 84], [253, 231, 37]);
        assert_eq!([at(0, 0), at(1, 0), at(0, 1), at(1, 1), at(2, 1)], [bright, bright, dark, bright, dark]);
    }

    #[test]
    fn of_very_many_cells_neighbours_are_averaged() {
        let rows: Vec<Vec<f32>> = (0..200).map(|row| vec![row as f32 / 199.0; 1000]).collect();
        let (width, height, pixels) = decoded(&rows);
        assert_eq!((width as usize, height as usize), (MAX_COLUMNS, MAX_ROWS));
        assert!(pixels[..3] == [253, 231, 37] && pixels[pixels.len() - 3..] == [68, 1, 84]);
    }

    #[test]
    fn nothing_has_no_picture() {
        let axis = Axis::linear("", [0.0, 1.0], 2, &number);
        let size = Size { width: 200.0, height: 100.0 };
        let map =
            HeatMap { title: "", x: &axis, y: &axis, size, palette: Palette::Signed, range: [0.0, 1.0], rows: &[] };
        assert!(!map.svg().contains("<image"));
    }
}
