//! The picture of a stretch: waveform, spectrogram, a lane with score and threshold for each word, and what was found.

use super::bitmap::BitmapCanvas;
use super::canvas::{Anchor, Area, Canvas, Ink, Lettering, Pixels, Stroke};
use super::font::text_width;
use super::svg::SvgCanvas;
use super::{Picture, SCORE_TICKS, Series, Theme, score_place};
use crate::features::{FeatureConfig, mel_place};
use crate::page::Palette;

/// Sizes, in pixels.
const LEFT: f64 = 112.0;
const RIGHT: f64 = 24.0;
const TITLE: f64 = 44.0;
/// Two lines of names, so that words close to each other have theirs.
const FLAGS: f64 = 36.0;
const WAVEFORM: f64 = 110.0;
const MEL: f64 = 180.0;
const GAP: f64 = 8.0;
const TIMES: f64 = 40.0;
const TEXT: f64 = 12.0;
/// Between two times that are written, at least.
const TIME_ROOM: f64 = 110.0;
/// Frequencies that are written, in hertz.
const FREQUENCIES: [(f64, &str); 4] = [(500.0, "0.5 kHz"), (1000.0, "1"), (2000.0, "2"), (4000.0, "4")];
/// The waveform fills its place when its peak is above this; what is quieter looks quiet.
const QUIET: f64 = 0.01;

/// A word's lane.
#[derive(Debug, Clone, PartialEq)]
pub struct WordLine {
    /// The word.
    pub name: String,
    /// The score at which it is taken as said.
    pub threshold: f32,
}

/// A word that was found. Times are in the recording.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mark {
    /// Which word.
    pub word_idx: usize,
    /// Its score.
    pub score: f32,
    /// Where it begins.
    pub start_s: f64,
    /// Where it ends.
    pub end_s: f64,
}

/// All that is drawn.
pub struct Drawing<'a> {
    /// At the head.
    pub title: &'a str,
    /// Beside it: what was heard with what.
    pub subtitle: &'a str,
    /// The stretch.
    pub picture: &'a Picture,
    /// Of the model, for the frequencies.
    pub features: &'a FeatureConfig,
    /// In the order of the scores.
    pub words: &'a [WordLine],
    /// What was found.
    pub marks: &'a [Mark],
    /// Its width in pixels; the height follows.
    pub width: u32,
    /// Its colours.
    pub theme: Theme,
}

impl Drawing<'_> {
    /// Its height in pixels.
    pub fn height(&self) -> u32 {
        self.lane(self.words.len()).top.ceil() as u32 + TIMES as u32
    }

    /// As an SVG file.
    pub fn svg(&self) -> String {
        let mut canvas = SvgCanvas::new(f64::from(self.width), f64::from(self.height()), self.title);
        self.draw(&mut canvas);
        canvas.finish()
    }

    /// As a PNG file.
    pub fn png(&self) -> Vec<u8> {
        let mut canvas = BitmapCanvas::new(self.width, self.height());
        self.draw(&mut canvas);
        canvas.finish()
    }

    fn area(&self, top: f64, height: f64) -> Area {
        Area { left: LEFT, right: f64::from(self.width) - RIGHT, top, bottom: top + height }
    }

    fn waveform(&self) -> Area {
        self.area(TITLE + FLAGS, WAVEFORM)
    }

    fn mel(&self) -> Area {
        self.area(self.waveform().bottom + GAP, MEL)
    }

    /// The lane of a word; the one after the last is where lanes end.
    fn lane(&self, word_idx: usize) -> Area {
        let height = match self.words.len() {
            0..=2 => 72.0,
            3..=8 => 48.0,
            _ => 32.0,
        };
        self.area(self.mel().bottom + GAP + (height + GAP / 2.0) * word_idx as f64, height)
    }

    fn duration_s(&self) -> f64 {
        (self.picture.end_s - self.picture.start_s).max(0.001)
    }

    fn x(&self, time_s: f64) -> f64 {
        let Area { left, right, .. } = self.waveform();
        left + ((time_s - self.picture.start_s) / self.duration_s()).clamp(0.0, 1.0) * (right - left)
    }

    fn draw(&self, canvas: &mut dyn Canvas) {
        let theme = &self.theme;
        let page = Area { left: 0.0, top: 0.0, right: f64::from(self.width), bottom: f64::from(self.height()) };
        canvas.fill(&page.corners(), theme.paper.into());
        self.draw_title(canvas);
        for area in [self.waveform(), self.mel()].into_iter().chain((0..self.words.len()).map(|i| self.lane(i))) {
            canvas.fill(&area.corners(), theme.panel.into());
        }
        self.draw_times(canvas);
        self.draw_waveform(canvas);
        self.draw_mel(canvas);
        (0..self.words.len()).for_each(|word_idx| self.draw_lane(canvas, word_idx));
        self.draw_marks(canvas);
    }

    fn draw_title(&self, canvas: &mut dyn Canvas) {
        let letters = |size, colour: [u8; 3]| Lettering { anchor: Anchor::Start, size, ink: colour.into() };
        // The file's name is what may be too long.
        let room = f64::from(self.width) - RIGHT - 16.0;
        let beside = text_width(self.subtitle, TEXT) + 16.0;
        let mut title = self.title.to_owned();
        while text_width(&title, 16.0) + beside > room && title.chars().count() > 12 {
            title = format!("…{}", title.chars().skip(2).collect::<String>());
        }
        canvas.text((16.0, 28.0), letters(16.0, self.theme.ink), &title);
        canvas.text((16.0 + text_width(&title, 16.0) + 16.0, 28.0), letters(TEXT, self.theme.soft), self.subtitle);
    }

    fn draw_times(&self, canvas: &mut dyn Canvas) {
        let (top, bottom) = (self.waveform().top, self.lane(self.words.len()).top - GAP / 2.0);
        let room = f64::from(self.width) - LEFT - RIGHT;
        let step = time_step(self.duration_s() * TIME_ROOM / room);
        let first = (self.picture.start_s / step - 1e-6).ceil() as i64;
        for time_s in (first..).map(|i| i as f64 * step).take_while(|time_s| *time_s <= self.picture.end_s + 1e-6) {
            let x = self.x(time_s);
            let thin = Stroke { ink: self.theme.faint.into(), width: 1.0, is_dashed: false };
            canvas.stroke(&[(x, top), (x, bottom + 4.0)], thin);
            let letters = Lettering { anchor: Anchor::Middle, size: TEXT, ink: self.theme.soft.into() };
            canvas.text((x, bottom + 20.0), letters, &time_text(time_s, step));
        }
    }

    fn label(&self, canvas: &mut dyn Canvas, y: f64, colour: [u8; 3], text: &str) {
        let mut size = TEXT;
        while text_width(text, size) > LEFT - 14.0 && size > 7.0 {
            size -= 0.5;
        }
        canvas.text((LEFT - 8.0, y), Lettering { anchor: Anchor::End, size, ink: colour.into() }, text);
    }

    /// One of `series`' values in each pixel of the width: the highest of its columns, at `place` of their length.
    fn highest(&self, series: &Series, i: usize, place: f64) -> Vec<(f64, u8)> {
        let Area { left, right, .. } = self.waveform();
        let (n_columns, n_pixels) = (series.n_columns(), (right - left) as usize);
        let n = n_columns.min(n_pixels);
        let per_second = (right - left) / self.duration_s();
        let of_group = |group: usize| {
            let columns = group * n_columns / n..(group + 1) * n_columns / n;
            let value = columns.clone().map(|column| series.column(column)[i]).max().unwrap_or(0);
            let at = columns.start as f64 + columns.len() as f64 * place;
            ((left + at * series.column_s * per_second).min(right), value)
        };
        (0..n).map(of_group).collect()
    }

    fn draw_waveform(&self, canvas: &mut dyn Canvas) {
        let area = self.waveform();
        let amplitude = |value: u8| (f64::from(value) / 255.0).powi(2);
        let peak = self.picture.waveform.cells.iter().copied().max().map_or(0.0, amplitude);
        let scale = (area.bottom - area.top) / 2.0 * 0.94 / peak.max(QUIET);
        let half = |i: usize| self.highest(&self.picture.waveform, i, 0.5).into_iter();
        let above: Vec<_> = half(1).map(|(x, value)| (x, area.middle_y() - amplitude(value) * scale - 0.4)).collect();
        let below = half(0).map(|(x, value)| (x, area.middle_y() + amplitude(value) * scale + 0.4)).rev();
        let outline: Vec<_> = above.into_iter().chain(below).collect();
        canvas.fill(&outline, self.theme.wave.into());
        self.label(canvas, area.middle_y() - 2.0, self.theme.ink, "waveform");
        let text = if peak > 0.0 { format!("peak {:.0} dB", 20.0 * peak.log10()) } else { "silence".into() };
        self.label(canvas, area.middle_y() + 14.0, self.theme.soft, &text);
    }

    fn draw_mel(&self, canvas: &mut dyn Canvas) {
        let (area, mel) = (self.mel(), &self.picture.mel);
        let n = mel.n_columns().min((area.right - area.left) as usize);
        if n > 0 {
            let [low, high] = mel.contrast();
            let means: Vec<Vec<f64>> = (0..n)
                .map(|group| {
                    let columns = group * mel.n_columns() / n..(group + 1) * mel.n_columns() / n;
                    let n_columns = columns.len() as f64;
                    let sum = |band: usize| columns.clone().map(|i| f64::from(mel.column(i)[band])).sum::<f64>();
                    (0..mel.width).map(|band| sum(band) / n_columns).collect()
                })
                .collect();
            let colour = |value: f64| {
                Palette::Loudness.colour((value - f64::from(low)) / (f64::from(high) - f64::from(low)).max(1.0))
            };
            let rows = (0..mel.width).rev();
            let colours = rows.flat_map(|band| means.iter().map(move |column| colour(column[band]))).collect();
            let filled = self.x(self.picture.start_s + mel.n_columns() as f64 * mel.column_s);
            canvas.image(Area { right: filled, ..area }, &Pixels { width: n, colours });
        }
        self.label(canvas, area.top + 12.0, self.theme.ink, "mel");
        for (hz, text) in FREQUENCIES {
            let place = mel_place(self.features, hz);
            if (0.0..0.9).contains(&place) {
                let y = area.bottom - place * (area.bottom - area.top);
                let thin = Stroke { ink: self.theme.soft.into(), width: 1.0, is_dashed: false };
                canvas.stroke(&[(area.left - 5.0, y), (area.left, y)], thin);
                self.label(canvas, y + 4.0, self.theme.soft, text);
            }
        }
    }

    fn draw_lane(&self, canvas: &mut dyn Canvas, word_idx: usize) {
        let (area, word, colour) = (self.lane(word_idx), &self.words[word_idx], self.theme.word(word_idx));
        let y = |place: f64| area.bottom - 1.0 - place * (area.bottom - area.top - 2.0);
        for score in SCORE_TICKS {
            let line = Stroke { ink: self.theme.faint.into(), width: 1.0, is_dashed: false };
            let y = y(f64::from(score_place(score)));
            canvas.stroke(&[(area.left, y), (area.right, y)], line);
        }
        let curve: Vec<_> = self
            .highest(&self.picture.scores, word_idx, 1.0)
            .into_iter()
            .map(|(x, value)| (x, y(f64::from(value) / 255.0)))
            .collect();
        if let (Some(first), Some(last)) = (curve.first(), curve.last()) {
            let mut below = curve.clone();
            below.extend([(last.0, area.bottom), (first.0, area.bottom)]);
            canvas.fill(&below, Ink { colour, opacity: 0.15 });
        }
        canvas.stroke(&curve, Stroke { ink: colour.into(), width: 1.6, is_dashed: false });
        let threshold_y = y(f64::from(score_place(word.threshold)));
        let dashes = Stroke { ink: self.theme.ink.into(), width: 1.0, is_dashed: true };
        canvas.stroke(&[(area.left, threshold_y), (area.right, threshold_y)], dashes);
        let is_low = area.bottom - area.top < 40.0;
        self.label(canvas, area.middle_y() + if is_low { 4.0 } else { -2.0 }, colour, &word.name);
        if !is_low {
            self.label(canvas, area.middle_y() + 14.0, self.theme.soft, &format!("at {:.3}", word.threshold));
        }
    }

    fn draw_marks(&self, canvas: &mut dyn Canvas) {
        let bottom = self.mel().bottom;
        let mut free_from = [f64::NEG_INFINITY; 2];
        let seen = |mark: &&Mark| mark.end_s >= self.picture.start_s && mark.start_s <= self.picture.end_s;
        for mark in self.marks.iter().filter(seen) {
            let colour = self.theme.word(mark.word_idx);
            let (left, right) = (self.x(mark.start_s), self.x(mark.end_s).max(self.x(mark.start_s) + 2.0));
            let over = Area { left, right, ..self.waveform() };
            canvas.fill(&over.corners(), Ink { colour, opacity: 0.2 });
            let lane = self.lane(mark.word_idx);
            canvas.fill(&Area { left, right, ..lane }.corners(), Ink { colour, opacity: 0.22 });
            for x in [left, right] {
                let edge = Stroke { ink: Ink { colour, opacity: 0.75 }, width: 1.0, is_dashed: false };
                canvas.stroke(&[(x, over.top), (x, bottom)], edge);
            }
            let Some(word) = self.words.get(mark.word_idx) else { continue };
            let name = format!("{} {:.3}", word.name, mark.score);
            let width = text_width(&name, TEXT);
            let at = left.min(f64::from(self.width) - RIGHT - width);
            // The lower line, or the upper one where the lower is taken.
            if let Some(line) = free_from.iter().position(|free_from| at > *free_from) {
                let letters = Lettering { anchor: Anchor::Start, size: TEXT, ink: colour.into() };
                canvas.text((at, self.waveform().top - 6.0 - 15.0 * line as f64), letters, &name);
                free_from[line] = at + width + 8.0;
            }
        }
    }
}

/// A round span of at least `least_s`.
fn time_step(least_s: f64) -> f64 {
    const STEPS: [f64; 18] =
        [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0];
    STEPS.into_iter().find(|step| *step >= least_s).unwrap_or_else(|| (least_s / 3600.0).ceil() * 3600.0)
}

/// `1:02:03`, `2:03`, `3.25 s`: as fine as a step needs.
fn time_text(time_s: f64, step_s: f64) -> String {
    let n_decimals = (-step_s.log10().floor()).clamp(0.0, 3.0) as usize;
    let whole = time_s.floor() as u64;
    let (hours, minutes) = (whole / 3600, whole / 60 % 60);
    let seconds = time_s - (whole / 60 * 60) as f64;
    let width = if n_decimals > 0 { n_decimals + 3 } else { 2 };
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:0width$.n_decimals$}")
    } else {
        format!("{minutes}:{seconds:0width$.n_decimals$}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture() -> Picture {
        let series = |width: usize, column_s: f64, n: usize| Series {
            width,
            column_s,
            cells: (0..n * width).map(|i| (i * 37 % 251) as u8).collect(),
        };
        Picture {
            start_s: 3600.0,
            end_s: 3604.0,
            waveform: series(2, 0.01, 400),
            mel: series(40, 0.01, 400),
            scores: series(2, 0.08, 50),
        }
    }

    fn drawing<'a>(picture: &'a Picture, words: &'a [WordLine], features: &'a FeatureConfig) -> Drawing<'a> {
        const MARKS: [Mark; 4] = [
            Mark { word_idx: 1, score: 0.9, start_s: 3601.0, end_s: 3602.0 },
            Mark { word_idx: 0, score: 0.8, start_s: 3601.05, end_s: 3602.0 },
            Mark { word_idx: 0, score: 0.6, start_s: 3601.1, end_s: 3602.0 },
            Mark { word_idx: 0, score: 0.7, start_s: 10.0, end_s: 11.0 },
        ];
        let (title, subtitle) = ("a <b> & \"c\"\u{1}.wav", "");
        Drawing { title, subtitle, picture, features, words, marks: &MARKS, width: 900, theme: Theme::LIGHT }
    }

    fn words() -> [WordLine; 2] {
        ["<one>", "two"].map(|name| WordLine { name: name.into(), threshold: 0.5 })
    }

    #[test]
    fn pixels_and_vectors_have_the_same_size() {
        let (picture, words, features) = (picture(), words(), FeatureConfig::default());
        let drawing = drawing(&picture, &words, &features);
        let mut decoder = png::Decoder::new(std::io::Cursor::new(drawing.png()));
        let info = decoder.read_header_info().unwrap();
        assert_eq!((info.width, info.height), (900, drawing.height()));
        let svg = drawing.svg();
        assert!(svg.contains(&format!("viewBox=\"0 0 900 {}\"", drawing.height())), "{}", &svg[..300]);
        assert!(svg.contains("&lt;one&gt;") && svg.contains("a &lt;b&gt; &amp; &quot;c&quot;.wav"));
    }

    #[test]
    fn names_of_what_was_found_do_not_lie_over_each_other_and_what_is_outside_is_left_out() {
        let (picture, words, features) = (picture(), words(), FeatureConfig::default());
        let svg = drawing(&picture, &words, &features).svg();
        assert!(svg.contains("y=\"74.0\" font-size=\"12\" text-anchor=\"start\" fill=\"#b3540a\">two 0.900"), "{svg}");
        assert!(svg.contains("y=\"59.0\" font-size=\"12\" text-anchor=\"start\" fill=\"#0b62c4\">&lt;one&gt; 0.800"));
        assert!(!svg.contains("0.700") && !svg.contains("0.600"));
        // A quarter of the way from 112 to 876.
        assert!(svg.contains("M303.0 80.0L494.0 80.0"), "the region of the first");
    }

    #[test]
    fn an_empty_stretch_can_be_drawn() {
        let none = |width| Series { width, column_s: 0.01, cells: Vec::new() };
        let picture = Picture { start_s: 0.0, end_s: 0.0, waveform: none(2), mel: none(40), scores: none(2) };
        let (words, features) = (words(), FeatureConfig::default());
        let drawing = drawing(&picture, &words, &features);
        assert!(!drawing.svg().contains("NaN") && !drawing.png().is_empty());
    }

    #[test]
    fn times_are_round_and_read_well() {
        assert_eq!([0.011, 3.0, 25.0, 4000.0].map(time_step), [0.02, 5.0, 30.0, 7200.0]);
        assert_eq!(time_text(3723.0, 1.0), "1:02:03");
        assert_eq!(time_text(63.5, 0.5), "1:03.5");
        assert_eq!(time_text(3.25, 0.05), "0:03.25");
    }
}
