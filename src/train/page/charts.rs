//! Loss, misses, learning rate and gradients over the steps.

use std::collections::BTreeMap;
use std::fmt::{Result, Write};

use super::{TrainingView, class, count, key, layer_of};
use crate::page::{Axis, Mark, Size, escape, number, plot};
use crate::train::{History, Spread, Stretch};

const HALF: Size = Size { width: 440.0, height: 280.0 };
const THIRD: Size = Size { width: 340.0, height: 250.0 };
const WHOLE: Size = Size { width: 860.0, height: 380.0 };

/// Parts of a training that shares are counted in.
const N_SHARES: usize = 40;
/// Decades of a logarithmic axis, at most.
const N_DECADES: i32 = 9;

pub(super) fn write_learning(page: &mut String, view: &TrainingView) -> Result {
    writeln!(page, "<section id=\"learning\"><h2>Learning</h2><div class=\"two\">")?;
    let history = view.history;
    let of = |stretch: &Stretch| stretch.loss;
    let drawn = SpreadPlot { title: "Loss", label: "loss", size: HALF, of, rule: None }.draw(history);
    let caption = format!("Faint: {}. Strong: smoothed.", what_is_faint(history));
    write_figure(page, "Loss", &drawn, &caption)?;
    write_misses(page, view)?;
    writeln!(page, "</div></section>")
}

pub(super) fn write_gradients(page: &mut String, view: &TrainingView) -> Result {
    writeln!(page, "<section id=\"gradients\"><h2>Gradients</h2><div class=\"three\">")?;
    let history = view.history;
    let clip_norm = view.request.config.clip_norm;
    let (n_steps, n_clipped) = history.n_clipped();
    let of = |stretch: &Stretch| stretch.gradient_norm;
    let rule = Some((clip_norm, format!("clipped to {}", number(clip_norm))));
    let title = "Norm of the gradient";
    let drawn = SpreadPlot { title, label: "norm", size: THIRD, of, rule }.draw(history);
    let caption =
        "Over all weights, before clipping. A level line is healthy; one that shoots up is an exploding gradient.";
    write_figure(page, title, &drawn, caption)?;

    let group = history.stretches.len().div_ceil(N_SHARES).max(1);
    let shares = history.stretches.chunks(group).map(|part| {
        let sum = |of: fn(&Stretch) -> u64| part.iter().map(of).sum::<u64>() as f64;
        let middle = (part[0].middle() + part[part.len() - 1].middle()) / 2.0;
        (middle, 100.0 * sum(|stretch| stretch.n_clipped) / sum(|stretch| stretch.n_steps).max(1.0))
    });
    let y = Axis::linear("of the steps", [0.0, 100.0], 5, &|value| format!("{value} %"));
    let share = 100.0 * n_clipped as f64 / n_steps.max(1) as f64;
    let caption = format!("{} of {} steps, {} %, were clipped.", count(n_clipped), count(n_steps), number(share));
    let drawn = plot("Clipped steps", &steps_axis(history), &y, THIRD, &[Mark::line("s1", shares)]);
    write_figure(page, "Clipped steps", &drawn, &caption)?;

    let rates: Vec<(f64, f64)> =
        history.stretches.iter().map(|stretch| (stretch.middle(), f64::from(stretch.learning_rate))).collect();
    let highest = rates.iter().map(|&(_, rate)| rate).fold(0.0, f64::max);
    let y = Axis::linear("rate", [0.0, highest.max(1e-12) * 1.05], 4, &number);
    let drawn = plot("Learning rate", &steps_axis(history), &y, THIRD, &[Mark::line("s2", rates)]);
    write_figure(page, "Learning rate", &drawn, "Of the optimiser's steps.")?;
    writeln!(page, "</div></section>")
}

/// Norms by layer, the recurrent weights once more by themselves.
pub(super) fn write_layers(page: &mut String, view: &TrainingView) -> Result {
    let history = view.history;
    writeln!(page, "<section id=\"layers\"><h2>Gradient of each layer</h2>")?;
    let lines = layer_lines(history);
    let points = |tensors: &[usize]| -> Vec<(f64, f64)> {
        let norm = |stretch: &Stretch| {
            let norms = tensors.iter().map(|&tensor| f64::from(stretch.tensor_norms[tensor]));
            norms.map(|norm| norm * norm).sum::<f64>().sqrt()
        };
        smoothed(history, norm)
    };
    let curves: Vec<Vec<(f64, f64)>> = lines.iter().map(|line| points(&line.tensors)).collect();
    let y =
        Axis::logarithmic("norm of the gradient", drawable(curves.iter().flatten().map(|&(_, norm)| norm)), N_DECADES);
    let mut caption: String = lines.iter().map(|line| key(&line.class, &line.label)).collect();
    let marks: Vec<Mark> = lines.into_iter().zip(curves).map(|(line, points)| Mark::line(line.class, points)).collect();
    let drawn = plot("Gradient of each layer", &steps_axis(history), &y, WHOLE, &marks);
    caption.push_str(
        "<br>From the input upwards, before clipping, smoothed. Layers far below the head that get far less than those above learn \
         next to nothing: their gradient vanishes on its way down. Dashed is the part of a recurrent layer's gradient that belongs to \
         weight_hh, which carries its state from step to step.",
    );
    writeln!(page, "<figure class=\"whole\">{drawn}<figcaption>{caption}</figcaption></figure></section>")
}

struct LayerLine {
    label: String,
    class: String,
    tensors: Vec<usize>,
}

/// A line a layer in the order of the network, and a dashed one for each tensor that carries a state.
fn layer_lines(history: &History) -> Vec<LayerLine> {
    let mut layers: BTreeMap<(usize, String), Vec<usize>> = BTreeMap::new();
    for (i, tensor) in history.tensors.iter().enumerate() {
        let layer = layer_of(tensor);
        let rank = if layer.starts_with("conv") { 0 } else { 1 + usize::from(layer == "head") };
        layers.entry((rank, layer)).or_default().push(i);
    }
    let mut lines = Vec::new();
    for (i, ((_, layer), tensors)) in layers.into_iter().enumerate() {
        let colour = class(i);
        let carrying = tensors.iter().copied().filter(|&tensor| history.tensors[tensor].contains("weight_hh"));
        let carrying = carrying.map(|tensor| LayerLine {
            label: format!("{layer} weight_hh"),
            class: format!("{colour} dashed"),
            tensors: vec![tensor],
        });
        let carrying: Vec<LayerLine> = carrying.collect();
        lines.push(LayerLine { label: layer, class: colour, tensors });
        lines.extend(carrying);
    }
    lines
}

fn write_misses(page: &mut String, view: &TrainingView) -> Result {
    let (history, words) = (view.history, &view.request.words);
    let title = "Missed words";
    if view.request.adaptation.is_some() {
        return write_figure(
            page,
            title,
            "",
            "An adaptation learns from every recording of its words, so validation tells nothing of them; what it prints at its end does.",
        );
    }
    let percent = |share: f32| f64::from(share) * 100.0;
    let mut marks = Vec::new();
    let mut caption = String::new();
    if words.len() > 1 {
        for (i, word) in words.iter().enumerate() {
            let points = history.validations.iter().map(|found| (found.step as f64, percent(found.words[i])));
            let class = format!("{} thin", class(i + 1));
            caption.push_str(&key(&class, word));
            marks.push(Mark::line(class, points));
        }
    }
    let mean = || history.validations.iter().map(|found| (found.step as f64, percent(found.miss_rate)));
    marks.push(Mark::line("s0 strong", mean()));
    marks.push(Mark::Dots { class: "s0".into(), points: mean().collect() });
    let mean_label = if words.len() > 1 { "mean of all words" } else { words.first().map_or("", String::as_str) };
    caption.insert_str(0, &key("s0 strong", mean_label));
    if let Some(best) = history.best() {
        let at = (best.step as f64, percent(best.miss_rate));
        marks.push(Mark::Ring { at });
        let _ = write!(caption, "<span class=\"ringed\">best: {} % at step {}</span>", number(at.1), count(best.step));
    }
    let _ = write!(
        caption,
        "<br>On held-out recordings, each word at the threshold for {} false accepts an hour. The best step is the one kept: of equal \
         misses the one with the clearest scores.",
        number(view.request.config.target_false_accepts_per_hour)
    );
    let rates = history.validations.iter().flat_map(|found| found.words.iter().chain([&found.miss_rate]));
    let highest = rates.map(|&rate| percent(rate)).fold(0.0, f64::max);
    let y =
        Axis::linear("missed", [0.0, (highest * 1.05).clamp(1.0, 100.0)], 5, &|value| format!("{} %", number(value)));
    let drawn = plot(title, &steps_axis(history), &y, HALF, &marks);
    write_figure(page, title, &drawn, &caption)
}

/// A logarithmic plot of what has a spread in each stretch.
struct SpreadPlot {
    title: &'static str,
    label: &'static str,
    size: Size,
    of: fn(&Stretch) -> Spread,
    /// A level line, and what it is.
    rule: Option<(f64, String)>,
}

impl SpreadPlot {
    fn draw(self, history: &History) -> String {
        let Self { title, label, size, of, rule } = self;
        let ends = history.stretches.iter().flat_map(|stretch| [of(stretch).low, of(stretch).high]).map(f64::from);
        let y = Axis::logarithmic(label, drawable(ends.chain(rule.iter().map(|(y, _)| *y))), N_DECADES);
        let mean = |stretch: &Stretch| f64::from(of(stretch).mean);
        let faint = if history.n_steps_per_stretch > 1 {
            let ends = |stretch: &Stretch| (stretch.middle(), f64::from(of(stretch).low), f64::from(of(stretch).high));
            Mark::Band { class: "s0 band".into(), points: history.stretches.iter().map(ends).collect() }
        } else {
            Mark::line("s0 faint", history.stretches.iter().map(|stretch| (stretch.middle(), mean(stretch))))
        };
        let mut marks = vec![faint, Mark::line("s0 strong", smoothed(history, mean))];
        marks.extend(rule.map(|(y, label)| Mark::Rule { y, label }));
        plot(title, &steps_axis(history), &y, size, &marks)
    }
}

fn what_is_faint(history: &History) -> String {
    match history.n_steps_per_stretch {
        0 | 1 => "each step".into(),
        n => format!("from the lowest to the highest of each {n} steps"),
    }
}

fn write_figure(page: &mut String, title: &str, drawn: &str, caption: &str) -> Result {
    writeln!(page, "<figure><h3>{}</h3>{drawn}<figcaption>{caption}</figcaption></figure>", escape(title))
}

fn steps_axis(history: &History) -> Axis {
    let last = history.last_step().max(1) as f64;
    Axis::linear("steps", [0.0, last], 4, &|value| count(value.round() as u64))
}

/// The means over neighbours, which lag behind nothing.
fn smoothed(history: &History, of: impl Fn(&Stretch) -> f64) -> Vec<(f64, f64)> {
    let values: Vec<f64> = history.stretches.iter().map(of).collect();
    let reach = values.len() / 60;
    let mean = |i: usize| {
        // As far to one side as to the other, so that the ends are not pulled inwards.
        let reach = reach.min(i).min(values.len() - 1 - i);
        let around = &values[i - reach..=i + reach];
        around.iter().sum::<f64>() / around.len() as f64
    };
    history.stretches.iter().enumerate().map(|(i, stretch)| (stretch.middle(), mean(i))).collect()
}

/// Without what grew beyond all bounds, so that the rest can still be seen.
fn drawable(values: impl Iterator<Item = f64>) -> impl Iterator<Item = f64> {
    values.filter(|value| *value < 1e29)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_layer_has_a_line_and_what_carries_a_state_another() {
        let names = [
            "conv0.bias",
            "conv0.weight",
            "gru.bias_l0",
            "gru.weight_hh_l0",
            "gru.weight_ih_l0",
            "head.bias",
            "head.weight",
        ];
        let history = History { tensors: names.map(str::to_owned).to_vec(), ..History::default() };
        let lines = layer_lines(&history);
        let found: Vec<(&str, &[usize])> = lines.iter().map(|line| (line.label.as_str(), &line.tensors[..])).collect();
        let expected: [(&str, &[usize]); 4] =
            [("conv0", &[0, 1]), ("gru l0", &[2, 3, 4]), ("gru l0 weight_hh", &[3]), ("head", &[5, 6])];
        assert_eq!(found, expected);
    }

    #[test]
    fn smoothing_keeps_a_straight_line_straight() {
        let stretches = (1..=300).map(|n| Stretch { first_step: n, n_steps: 1, ..Stretch::default() }).collect();
        let history = History { stretches, ..History::default() };
        let line = smoothed(&history, |stretch| 2.0 * stretch.first_step as f64);
        assert!(line.iter().all(|&(x, y)| (y - 2.0 * x).abs() < 1e-9));
    }
}
