//! How far back through time each recurrent layer can be reached.

use std::fmt::{Result, Write};

use super::{TrainingView, count, number, step_ms};
use crate::page::{Axis, Mark, Size, escape, plot};
use crate::train::{LayerReach, ReachRecord};

const SIZE: Size = Size { width: 440.0, height: 290.0 };
/// Validations that have a curve, at most.
const N_CURVES: usize = 5;
/// Decades of the axis, at most; further down nothing is learned.
const N_DECADES: i32 = 10;
/// Distances that the table tells of, in seconds.
const DISTANCES_S: [f64; 4] = [0.24, 0.48, 0.96, 1.92];

pub(super) fn write(page: &mut String, view: &TrainingView) -> Result {
    let reaches = &view.history.reaches;
    let Some(last) = reaches.last() else { return Ok(()) };
    let (config, step_ms) = (&view.request.config, step_ms(view));
    writeln!(
        page,
        "<section id=\"reach\"><h2>Gradient back through time</h2>\n\
         <p>How strongly what the network says at one step depends on what a recurrent layer heard some steps earlier: the norm of the \
         gradient of that step's logits at the layer's input, the mean over mixes that are the same all through the training. A curve that \
         falls fast is a <strong>vanishing</strong> gradient: what lies further back can hardly be learned. A curve that rises with the \
         distance is an <strong>exploding</strong> one: the smallest change long ago turns everything over. For a word, the gradient should \
         reach over its length and no further: half a second to one.</p>\n<div class=\"two\">"
    )?;
    let shown = chosen(reaches);
    let values = shown.iter().flat_map(|reach| &reach.layers).flat_map(|layer| layer.back.iter().chain(&layer.ahead));
    let values = values.map(|&norm| f64::from(norm)).filter(|norm| *norm < 1e29);
    let y = Axis::logarithmic("norm of the gradient", values, N_DECADES);
    let furthest = |of: fn(&LayerReach) -> &Vec<f32>| {
        shown.iter().flat_map(|reach| &reach.layers).map(|layer| of(layer).len().saturating_sub(1)).max().unwrap_or(0)
            as f64
    };
    let ends = [-furthest(|layer| &layer.ahead), furthest(|layer| &layer.back).max(1.0)];
    let x = Axis::linear("steps and seconds back", ends, 6, &|steps| {
        format!("{}\n{} s", number(steps), number(steps * step_ms / 1000.0))
    });
    let ages = shown.iter().enumerate().map(|(i, reach)| (age(i, shown.len()), *reach));
    let ages: Vec<(String, &ReachRecord)> = ages.collect();
    for layer in 0..last.layers.len() {
        let name = layer_name(view, layer);
        let marks = ages.iter().filter_map(|(class, reach)| {
            let LayerReach { back, ahead } = reach.layers.get(layer)?;
            let ahead = ahead.iter().enumerate().skip(1).rev().map(|(distance, &norm)| (-(distance as f64), norm));
            let back = back.iter().enumerate().map(|(distance, &norm)| (distance as f64, norm));
            Some(Mark::line(class, ahead.chain(back).map(|(distance, norm)| (distance, f64::from(norm)))))
        });
        let marks: Vec<Mark> = marks.collect();
        let title = format!("Gradient at the input of {name} by distance in time");
        writeln!(page, "<figure><h3>Input of {}</h3>{}</figure>", escape(&name), plot(&title, &x, &y, SIZE, &marks))?;
    }
    write!(page, "</div><p class=\"caption\">")?;
    for (class, reach) in &ages {
        let label =
            if reach.step == 0 { "before the first step".into() } else { format!("after step {}", count(reach.step)) };
        write!(page, "{}", super::key(class, &label))?;
    }
    writeln!(
        page,
        "<br>One step is {} ms. Zero lies on the lower edge. While the network learns, its gradient goes back through {} s.{}</p>",
        number(step_ms),
        number(config.truncation.n_back_steps(config.steps_per_mix()) as f64 * step_ms / 1000.0),
        if config.network.bidirectional { " What is heard later than it is answered lies left of 0." } else { "" }
    )?;
    write_table(page, view, last, step_ms)?;
    writeln!(page, "</section>")
}

/// How much is left at some distances.
fn write_table(page: &mut String, view: &TrainingView, last: &ReachRecord, step_ms: f64) -> Result {
    let distances = DISTANCES_S.map(|seconds| ((seconds * 1000.0 / step_ms).round() as usize).max(1));
    write!(page, "<div class=\"wide\"><table><tr><th>after step {}<th>factor a step", count(last.step))?;
    for distance in distances {
        write!(page, "<th>left after {} s", number(distance as f64 * step_ms / 1000.0))?;
    }
    for (layer, LayerReach { back: norms, .. }) in last.layers.iter().enumerate() {
        let left = |distance: usize| norms.get(distance).map(|&norm| f64::from(norm / norms[0]));
        let factor = falling_factor(norms).map_or("–".into(), number);
        write!(page, "<tr><td>input of {}<td>{factor}", escape(&layer_name(view, layer)))?;
        for distance in distances {
            let text = left(distance).filter(|share| share.is_finite());
            write!(page, "<td>{}", text.map_or("–".into(), |share| format!("{} %", number(share * 100.0))))?;
        }
    }
    writeln!(
        page,
        "</table></div><p class=\"caption\">Of the gradient at no distance. The factor is what a step takes on average from where the curve \
         is highest to its end: below 1 it falls, above 1 it rises.</p>"
    )
}

/// The mean factor of a step from the highest norm on, down to where rounding takes over; where the highest is the last, up to it.
fn falling_factor(norms: &[f32]) -> Option<f64> {
    let highest = (0..norms.len()).rev().max_by(|&a, &b| norms[a].total_cmp(&norms[b]))?;
    let (from, to) = if highest + 1 == norms.len() {
        (0, highest)
    } else {
        let least = norms[highest] * 1e-6;
        let below = (highest..norms.len()).find(|&i| norms[i] <= least);
        (highest, below.unwrap_or(norms.len() - 1))
    };
    let ratio = f64::from(norms[to]) / f64::from(norms[from]);
    let factor = ratio.powf(1.0 / to.checked_sub(from).filter(|n| *n > 0)? as f64);
    factor.is_finite().then_some(factor)
}

fn layer_name(view: &TrainingView, layer: usize) -> String {
    format!("{} l{layer}", view.request.config.network.cell.name())
}

/// The first, the last, and some between.
fn chosen(reaches: &[ReachRecord]) -> Vec<&ReachRecord> {
    let n = reaches.len().min(N_CURVES);
    (0..n).map(|i| &reaches[(reaches.len() - 1) * i / (n - 1).max(1)]).collect()
}

/// The class of curve `i` of `n`: the last is the strongest.
fn age(i: usize, n: usize) -> String {
    format!("age{}", N_CURVES - n + i)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_and_the_last_curve_are_always_shown() {
        let reaches = |n: u64| (0..n).map(|step| ReachRecord { step, layers: Vec::new() }).collect::<Vec<_>>();
        let steps = |n| chosen(&reaches(n)).iter().map(|reach| reach.step).collect::<Vec<_>>();
        assert_eq!(steps(1), [0]);
        assert_eq!(steps(2), [0, 1]);
        assert_eq!(steps(21), [0, 5, 10, 15, 20]);
        assert_eq!([age(0, 2), age(1, 2), age(4, 5)], ["age3", "age4", "age4"]);
    }

    #[test]
    fn the_factor_is_that_of_a_falling_or_rising_curve() {
        let curve = |factor: f32| (0..40).map(|i| factor.powi(i)).collect::<Vec<f32>>();
        for factor in [0.5, 0.9, 1.2] {
            assert!((falling_factor(&curve(factor)).unwrap() - f64::from(factor)).abs() < 1e-3, "{factor}");
        }
        assert_eq!(falling_factor(&[1.0]), None);
        assert_eq!(falling_factor(&[0.0, 0.0, 0.0]), None);
    }
}
