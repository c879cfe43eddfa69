//! Axes of plots: where values lie, and which are written beside them.

/// How values become places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// In proportion.
    Linear,
    /// Values below the lowest lie at the edge, so that zero has a place.
    Logarithmic,
}

/// One direction of a plot.
pub struct Axis {
    /// What is written beside it.
    pub label: &'static str,
    /// How values become places.
    pub scale: Scale,
    /// The lowest value, at the left or the bottom.
    pub low: f64,
    /// The highest.
    pub high: f64,
    /// Values with a line, and what is written there; below the plot in several lines if need be.
    pub ticks: Vec<(f64, String)>,
}

impl Axis {
    /// A linear axis over at least `low..high`, about `n_ticks` round numbers beside it, which `text` writes.
    pub fn linear(label: &'static str, [low, high]: [f64; 2], n_ticks: usize, text: &dyn Fn(f64) -> String) -> Self {
        let high = if high > low { high } else { low + 1.0 };
        let step = round_step((high - low) / n_ticks.max(1) as f64);
        let first = (low / step).ceil() as i64;
        let values = (first..).map(|i| i as f64 * step).take_while(|value| *value <= high + 1e-9 * step);
        Self { label, scale: Scale::Linear, low, high, ticks: values.map(|value| (value, text(value))).collect() }
    }

    /// A logarithmic axis over at least the positive ones of `values`, and over `n_decades` at most, the highest ones.
    pub fn logarithmic(label: &'static str, values: impl Iterator<Item = f64>, n_decades: i32) -> Self {
        let [low, high] = values
            .filter(|value| *value > 0.0 && value.is_finite())
            .fold([f64::INFINITY, 0.0f64], |[low, high], value| [low.min(value), high.max(value)]);
        let [low, high] = if high > 0.0 { [low, high] } else { [0.1, 1.0] };
        let low = low.max(high * 10f64.powi(-n_decades));
        // The ends are at 1, 2 or 5 times a power of ten.
        let fine = |value: f64, is_end: fn(f64, f64) -> bool| {
            let decade = 10f64.powi(value.log10().floor() as i32);
            let mut steps = [1.0, 2.0, 5.0, 10.0].map(|mantissa| mantissa * decade).into_iter();
            steps.find(|step| is_end(*step, value * (1.0 - 1e-9)))
        };
        let high = fine(high, |step, value| step >= value).unwrap_or(high);
        let decade = 10f64.powi(low.log10().floor() as i32);
        let below = [5.0, 2.0, 1.0].map(|mantissa| mantissa * decade).into_iter();
        let low = below.into_iter().find(|step| *step <= low * (1.0 + 1e-9)).unwrap_or(low);
        let low = if low < high { low } else { high / 10.0 };
        let decades = (low.log10().floor() as i32)..=(high.log10().ceil() as i32);
        let n_between = (high / low).log10();
        let mantissas: &[f64] = if n_between <= 2.5 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let every = ((n_between / 6.0).ceil() as i32).max(1);
        let values = decades
            .filter(|decade| decade.rem_euclid(every) == 0)
            .flat_map(|decade| mantissas.iter().map(move |mantissa| mantissa * 10f64.powi(decade)))
            .filter(|value| (low * 0.999..=high * 1.001).contains(value));
        Self {
            label,
            scale: Scale::Logarithmic,
            low,
            high,
            ticks: values.map(|value| (value, number(value))).collect(),
        }
    }

    /// Where a value lies, from 0 to 1.
    pub(super) fn place(&self, value: f64) -> f64 {
        let map = |value: f64| match self.scale {
            Scale::Linear => value,
            Scale::Logarithmic => value.max(self.low).ln(),
        };
        ((map(value) - map(self.low)) / (map(self.high) - map(self.low))).clamp(0.0, 1.0)
    }
}

/// 1, 2 or 5 times a power of ten, not less than `step`.
fn round_step(step: f64) -> f64 {
    let decade = 10f64.powi(step.log10().floor() as i32);
    [1.0, 2.0, 5.0, 10.0]
        .map(|mantissa| mantissa * decade)
        .into_iter()
        .find(|round| *round >= step * 0.999)
        .unwrap_or(step)
}

/// A number for people: three digits that count, thousands apart, powers of ten where there would be many zeros. What is no
/// number is a dash.
pub fn number(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() {
        "–".into()
    } else if size == 0.0 {
        "0".into()
    } else if !(1e-3..1e6).contains(&size) {
        let exponent = size.log10().floor() as i32;
        let mantissa = trimmed(value / 10f64.powi(exponent), 1);
        let power: String = exponent.to_string().chars().map(superscript).collect();
        match mantissa.as_str() {
            "1" => format!("10{power}"),
            "10" => number(10f64.powi(exponent + 1)),
            _ => format!("{mantissa}·10{power}"),
        }
    } else if size >= 1000.0 {
        thousands(value.round() as i64)
    } else {
        trimmed(value, (2 - size.log10().floor() as i32).clamp(0, 5) as usize)
    }
}

fn trimmed(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

fn superscript(c: char) -> char {
    match c {
        '-' => '⁻',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        digit => char::from_u32('⁰' as u32 + digit as u32 - '0' as u32).unwrap_or(digit),
    }
}

/// Digits in groups of three, a narrow space between them that does not break.
pub fn thousands(value: i64) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    if value < 0 { format!("−{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_lie_where_the_scale_says() {
        let axis = Axis { label: "v", scale: Scale::Logarithmic, low: 0.1, high: 10.0, ticks: Vec::new() };
        let places = [0.0, 0.1, 1.0, 10.0, 99.0].map(|value| (axis.place(value) * 100.0).round());
        assert_eq!(places, [0.0, 0.0, 50.0, 100.0, 100.0]);
    }

    #[test]
    fn ticks_are_round_numbers_inside_the_axis() {
        let texts = |axis: Axis| axis.ticks.into_iter().map(|(_, text)| text).collect::<Vec<_>>();
        assert_eq!(texts(Axis::linear("", [0.0, 200.0], 5, &number)), ["0", "50", "100", "150", "200"]);
        assert_eq!(texts(Axis::linear("", [0.0, 0.0], 2, &number)), ["0", "0.5", "1"]);
        let wide = Axis::logarithmic("", [3e-5, 0.0, f64::NAN, 70.0].into_iter(), 9);
        assert_eq!([wide.low, wide.high], [2e-5, 100.0]);
        assert_eq!(texts(wide), ["10⁻⁴", "0.01", "1", "100"]);
        let narrow = Axis::logarithmic("", [0.3, 1.5].into_iter(), 9);
        assert_eq!(texts(narrow), ["0.2", "0.5", "1", "2"]);
        let cut = Axis::logarithmic("", [1e-30, 1.0].into_iter(), 3);
        assert!((cut.low - 1e-3).abs() < 1e-9, "{}", cut.low);
        for values in [vec![], vec![1.0], vec![1e30], vec![1e-38, 1e30]] {
            let axis = Axis::logarithmic("", values.iter().copied(), 400);
            assert!(axis.low > 0.0 && axis.low < axis.high && !axis.ticks.is_empty(), "{values:?}");
            assert!(axis.ticks.len() < 12, "{values:?}: {}", axis.ticks.len());
        }
    }

    #[test]
    fn numbers_are_written_for_people() {
        let texts = [0.0, 0.05, 12.345, 1234567.0, 6000.0, 1e-5, -2.5e-7, 9.99e-5, 100.0, f64::NAN].map(number);
        let expected = ["0", "0.05", "12.3", "1.2·10⁶", "6\u{202f}000", "10⁻⁵", "-2.5·10⁻⁷", "10⁻⁴", "100", "–"];
        assert_eq!(texts, expected);
    }
}
