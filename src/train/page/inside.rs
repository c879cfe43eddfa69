//! What goes on inside the recurrent layers while the network hears an example.

use std::fmt::{Result, Write};

use super::{TrainingView, class, key, step_ms};
use crate::page::{Axis, HeatMap, Mark, Palette, Size, escape, number, plot};
use crate::train::{Activations, LayerActivations, UnitValues, ValueRange};

const WHOLE: Size = Size { width: 860.0, height: 190.0 };
const HALF: Size = Size { width: 430.0, height: 190.0 };

pub(super) fn write(page: &mut String, view: &TrainingView, found: &Activations) -> Result {
    let seconds = found.n_steps as f64 * step_ms(view) / 1000.0;
    let time = Axis::linear("seconds", [0.0, seconds], 6, &number);
    writeln!(
        page,
        "<section id=\"inside\"><h2>Inside the network</h2>\n\
         <p>One mix of {} s, made like those that are learned from, run from its beginning through the weights {}. {}</p>",
        number(seconds),
        match view.stage {
            super::TrainingStage::Running => "of the last validation",
            _ => "of the best validation",
        },
        spoken(view, found, seconds)
    )?;
    write_features(page, found, &time)?;
    write_probabilities(page, view, found, &time, seconds)?;
    for layer in &found.layers {
        write_layer(page, layer, &time)?;
    }
    writeln!(
        page,
        "<p class=\"caption\">{} gates; {} candidates and states. In each picture the units are sorted by their mean, so that a row is another \
         unit in each of them. Saturated are values below 0.1 or above 0.9, of candidates and states below −0.9 or above 0.9: there the \
         slope is so small that hardly any gradient passes. A gate that is saturated all the time decides nothing; one that is open for \
         the past all the time carries it, and its gradient, unchanged.</p></section>",
        Palette::Share.bar("0", "1"),
        Palette::Signed.bar("−1", "1")
    )
}

/// Which words are said in the example.
fn spoken(view: &TrainingView, found: &Activations, seconds: f64) -> String {
    let n_words = view.request.words.len();
    let mut said = Vec::new();
    for (word, name) in view.request.words.iter().enumerate() {
        let is_hot = |step: usize| found.targets.get(step * n_words + word).is_some_and(|&target| target > 0.5);
        let starts = (0..found.n_steps).filter(|&step| is_hot(step) && (step == 0 || !is_hot(step - 1)));
        let at = |step: usize| number(step as f64 * seconds / found.n_steps as f64);
        said.extend(starts.map(|step| format!("<b>{}</b> has been said at {} s", escape(name), at(step))));
    }
    if said.is_empty() { "No word is said in it.".into() } else { format!("In it {}.", said.join(", ")) }
}

fn write_features(page: &mut String, found: &Activations, time: &Axis) -> Result {
    let n_frames = found.features.len() / found.n_mels.max(1);
    let band = |mel: usize| (0..n_frames).map(|frame| found.features[frame * found.n_mels + mel]).collect();
    let rows: Vec<Vec<f32>> = (0..found.n_mels).map(band).collect();
    let mut sorted: Vec<f32> = found.features.iter().copied().filter(|value| value.is_finite()).collect();
    sorted.sort_unstable_by(f32::total_cmp);
    // The few quietest and loudest cells would take all the colours.
    let at = |share: f64| sorted.get((share * sorted.len() as f64) as usize).copied().unwrap_or(0.0);
    let y = Axis::linear("mel band", [0.0, found.n_mels as f64], 4, &number);
    let (low, high) = (at(0.02), at(0.995));
    let map = HeatMap {
        title: "Features of the example",
        x: time,
        y: &y,
        size: WHOLE,
        palette: Palette::Loudness,
        range: [low, if high > low { high } else { low + 1.0 }],
        rows: &rows,
    };
    writeln!(page, "<figure class=\"whole\"><h3>Features</h3>{}</figure>", map.svg())
}

fn write_probabilities(
    page: &mut String,
    view: &TrainingView,
    found: &Activations,
    time: &Axis,
    seconds: f64,
) -> Result {
    let words = &view.request.words;
    let step_s = seconds / found.n_steps.max(1) as f64;
    let y = Axis::linear("probability", [0.0, 1.0], 2, &number);
    let mut marks = Vec::new();
    for step in 0..found.n_steps {
        if found.targets[step * words.len()..][..words.len()].iter().any(|&target| target > 0.5) {
            let ends = [step, step + 1].map(|step| (step as f64 * step_s, 0.0, 1.0));
            marks.push(Mark::Band { class: "wanted".into(), points: ends.to_vec() });
        }
    }
    let mut caption = String::new();
    for (i, word) in words.iter().enumerate() {
        let values = found.probabilities.iter().skip(i).step_by(words.len().max(1)).enumerate();
        // What a step says is known at its end.
        let points = values.map(|(step, &value)| ((step + 1) as f64 * step_s, f64::from(value)));
        marks.push(Mark::line(class(i), points));
        caption.push_str(&key(&class(i), word));
    }
    caption.push_str("<span class=\"key wanted\">a word is to be heard</span>");
    let drawn = plot("Probabilities", time, &y, WHOLE, &marks);
    writeln!(page, "<figure class=\"whole\"><h3>Probabilities</h3>{drawn}<figcaption>{caption}</figcaption></figure>")
}

fn write_layer(page: &mut String, layer: &LayerActivations, time: &Axis) -> Result {
    writeln!(page, "<h3>Layer {}</h3><div class=\"two\">", escape(&layer.name))?;
    for part in &layer.parts {
        let (palette, range) = match part.range {
            ValueRange::Gate => (Palette::Share, [0.0, 1.0]),
            ValueRange::Signed => (Palette::Signed, [-1.0, 1.0]),
            ValueRange::Unbounded => {
                // A few units that remember without end would take all the colours.
                let mut sizes: Vec<f32> = part.values.iter().map(|value| value.abs()).collect();
                sizes.sort_unstable_by(f32::total_cmp);
                let size =
                    sizes.get(sizes.len() * 19 / 20).copied().filter(|size| size.is_finite()).unwrap_or(1.0).max(1.0);
                (Palette::Signed, [-size, size])
            }
        };
        let title = format!("{} of {}", part.name, layer.name);
        let y = Axis::linear("units", [0.0, part.n_units as f64], 3, &number);
        let rows = sorted_rows(part);
        let map = HeatMap { title: &title, x: time, y: &y, size: HALF, palette, range, rows: &rows };
        writeln!(
            page,
            "<figure><h4><b>{}</b> {}</h4>{}<figcaption>{}</figcaption></figure>",
            part.name,
            part.meaning,
            map.svg(),
            ends(part, range)
        )?;
    }
    writeln!(page, "</div>")
}

/// How much of it is saturated, or where its ends are.
fn ends(part: &UnitValues, [low, high]: [f32; 2]) -> String {
    let percent = |share: f64| format!("{} %", number((share * 1000.0).round() / 10.0));
    match (part.saturated(), part.range) {
        (Some([below, above]), ValueRange::Gate) => {
            format!("saturated: {} below 0.1, {} above 0.9", percent(below), percent(above))
        }
        (Some([below, above]), _) => format!("saturated: {} below −0.9, {} above 0.9", percent(below), percent(above)),
        (None, _) => {
            let bar = Palette::Signed.bar(&format!("{low:.1}").replace('-', "−"), &format!("{high:.1}"));
            format!("{bar}; one value in twenty lies beyond")
        }
    }
}

/// A row of steps for each unit, sorted by its mean.
fn sorted_rows(part: &UnitValues) -> Vec<Vec<f32>> {
    let unit = |unit: usize| part.values.iter().skip(unit).step_by(part.n_units).copied().collect::<Vec<f32>>();
    let mut rows: Vec<Vec<f32>> = (0..part.n_units).map(unit).collect();
    rows.sort_by(|a, b| a.iter().sum::<f32>().total_cmp(&b.iter().sum::<f32>()));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_sorted_by_their_mean() {
        let values = vec![0.9, 0.1, 0.5, 0.8, 0.2, 0.5];
        let part = UnitValues { name: "z", meaning: "", range: ValueRange::Gate, n_units: 3, values };
        assert_eq!(sorted_rows(&part), [[0.1, 0.2], [0.5, 0.5], [0.9, 0.8]]);
        assert_eq!(ends(&part, [0.0, 1.0]), "saturated: 0 % below 0.1, 0 % above 0.9");
    }
}
