//! A training as one HTML page: how loss, misses and gradients went, how far back through time they reach, and what goes on inside
//! the recurrent layers. It needs neither a server nor a network nor scripts.

mod charts;
mod inside;
mod reach;

use std::fmt::Write;

use super::{TrainingStage, TrainingView, layer_of};
use crate::page::{FOOT, escape, head, number, thousands};
use crate::units::Milliseconds;

/// The command that makes the page.
pub const GENERATOR: &str = "tripword train";

/// Colours of the style sheet that tell lines apart; of more lines the further ones are dashed.
const N_COLOURS: usize = 8;

/// The page.
pub fn html(view: &TrainingView) -> String {
    let name = &view.request.manifest.name;
    let mut page = head(&format!("{name}: how the training went"), GENERATOR);
    // Writing into a String cannot fail.
    let _ = write_page(&mut page, view);
    page.push_str(FOOT);
    page
}

fn write_page(page: &mut String, view: &TrainingView) -> std::fmt::Result {
    writeln!(page, "<h1>Training of {}</h1>\n<p>{}</p>", escape(&view.request.manifest.name), stage(view))?;
    write_facts(page, view)?;
    writeln!(
        page,
        "<nav><a href=\"#learning\">Learning</a> <a href=\"#gradients\">Gradients</a> <a href=\"#layers\">Layers</a> \
         <a href=\"#reach\">Back through time</a> <a href=\"#inside\">Inside the network</a></nav>"
    )?;
    charts::write_learning(page, view)?;
    charts::write_gradients(page, view)?;
    charts::write_layers(page, view)?;
    reach::write(page, view)?;
    match view.activations() {
        Ok(activations) => inside::write(page, view, &activations),
        Err(error) => writeln!(
            page,
            "<section id=\"inside\"><h2>Inside the network</h2><p>Nothing can be shown: {}.</p></section>",
            escape(&format!("{error:#}"))
        ),
    }
}

/// How far it has come, in a sentence.
fn stage(view: &TrainingView) -> String {
    let (done, all) = (count(view.history.last_step()), count(view.request.config.n_steps));
    match &view.stage {
        TrainingStage::Running => {
            format!(
                "The training goes on: {done} of {all} steps are done. This page is written anew at each validation."
            )
        }
        TrainingStage::Finished { best_step } => {
            format!(
                "The training is over after {done} steps; the model holds the weights of step {}.",
                count(*best_step)
            )
        }
        TrainingStage::Stopped(reason) => {
            format!(
                "<strong>The training has ended before its time, after {done} of {all} steps:</strong> {}.",
                escape(reason)
            )
        }
    }
}

fn write_facts(page: &mut String, view: &TrainingView) -> std::fmt::Result {
    let TrainingView { request, history, .. } = view;
    let (config, network) = (&request.config, &request.config.network);
    let plural = |n: usize, one: &str| if n == 1 { format!("one {one}") } else { format!("{n} {one}s") };
    let words = request.words.iter().enumerate();
    let words = words.map(|(i, word)| format!("{} ({} clips)", escape(word), request.bank.n_clips(i)));
    let both_ways = if network.bidirectional { ("bidirectional ", " in each direction") } else { ("", "") };
    let mut facts = vec![
        (
            "network",
            format!(
                "{} of {} units{} behind {}; {} parameters",
                plural(network.n_layers, &format!("{}{} layer", both_ways.0, network.cell.name().to_uppercase())),
                network.hidden_size,
                both_ways.1,
                match network.convolutions.len() {
                    0 => "no convolution".into(),
                    n => plural(n, "convolution"),
                },
                thousands(view.n_parameters() as i64)
            ),
        ),
        ("words", words.collect::<Vec<_>>().join(", ")),
        (
            "a training step",
            format!(
                "{} mixes of {} s; the network steps every {} ms",
                config.batch_size,
                number(config.mix.duration_s()),
                number(step_ms(view))
            ),
        ),
        (
            "settings",
            format!(
                "seed {}, learning rate up to {}, gradient clipped to {}, dropout {}, weight decay {}",
                config.seed,
                number(config.learning_rate),
                number(config.clip_norm),
                number(f64::from(config.dropout)),
                number(config.weight_decay)
            ),
        ),
        ("time", duration(history.seconds)),
    ];
    if let Some(best) = history.best().filter(|_| request.adaptation.is_none()) {
        let missed = number(f64::from(best.miss_rate) * 100.0);
        facts.push(("best validation", format!("{missed} % missed, at step {}", count(best.step))));
    }
    if let Some(adaptation) = &request.adaptation {
        let n_networks = adaptation.base.weights.networks().count();
        let others =
            if n_networks > 1 { format!(", the first of {n_networks} networks is shown") } else { String::new() };
        facts.push(("adapted from", format!("{}{others}", escape(&adaptation.base.name))));
    }
    let notes = request.manifest.training.notes.iter();
    facts.extend(notes.map(|note| ("note", escape(note))));
    if let Some(first) = history.stretches.first().filter(|first| first.first_step > 1) {
        let step = count(first.first_step - 1);
        facts.push((
            "note",
            format!("of the steps up to {step} nothing is known: their checkpoint was made by an older version"),
        ));
    }
    write!(page, "<div class=\"wide\"><table class=\"facts\">")?;
    for (name, text) in facts {
        write!(page, "<tr><th>{name}<td>{text}")?;
    }
    writeln!(page, "</table></div>")
}

/// Length of a network's step, in milliseconds.
fn step_ms(view: &TrainingView) -> f64 {
    let config = &view.request.config;
    let n_samples = config.network.samples_per_step(config.features.hop_length_samples);
    f64::from(Milliseconds::from_samples(n_samples, config.features.sample_rate()).0)
}

fn count(n: u64) -> String {
    thousands(n as i64)
}

fn duration(seconds: f64) -> String {
    let seconds = seconds.round().max(0.0) as u64;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} min {s} s"),
        (h, m, _) => format!("{h} h {m} min"),
    }
}

/// The class of the `i`th line.
fn class(i: usize) -> String {
    format!("s{}{}", i % N_COLOURS, if i >= N_COLOURS { " more" } else { "" })
}

/// What a line of this class is, for a caption.
fn key(class: &str, label: &str) -> String {
    format!("<span class=\"key {class}\">{}</span> ", escape(label))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_for_people() {
        assert_eq!([0.4, 59.6, 3599.0, 3660.0].map(duration), ["0 s", "1 min 0 s", "59 min 59 s", "1 h 1 min"]);
    }

    #[test]
    fn lines_beyond_the_colours_are_dashed() {
        assert_eq!([0, 7, 8].map(class), ["s0", "s7", "s0 more"]);
    }
}
