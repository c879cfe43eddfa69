//! Every format of labels: what is written is read back the same, and damage is answered with an error that names a line.

use proptest::prelude::*;
use tripword::labels::{Label, LabelFormat, RecordingLabels};

const FORMATS: [LabelFormat; 6] = LabelFormat::ALL;

/// Labels at whole samples of 16 kHz, in the order of time, of words that people train.
fn labels() -> impl Strategy<Value = Vec<Label>> {
    let word = prop::sample::select(vec!["alexa", "view glass", "élan vital", "a&b <c> \"d\"", "x, y; z"]);
    let label = (0u64..16_000 * 3600, 16u64..48_000, word, prop::option::of(0u8..=100));
    prop::collection::vec(label, 0..20).prop_map(|drawn| {
        let mut labels: Vec<Label> = drawn
            .into_iter()
            .map(|(start, length, word, score)| Label {
                start_s: start as f64 / 16_000.0,
                end_s: (start + length) as f64 / 16_000.0,
                text: word.to_owned(),
                score: score.map(|score| f32::from(score) / 100.0),
            })
            .collect();
        labels.sort_by(|a, b| {
            a.start_s.total_cmp(&b.start_s).then(a.end_s.total_cmp(&b.end_s)).then(a.text.cmp(&b.text))
        });
        labels
    })
}

fn read_back(format: LabelFormat, labels: &[Label]) -> Vec<Label> {
    let text = format.write("talk.wav", 4000.0, labels);
    let found = format.parse(text.as_bytes()).unwrap_or_else(|(line, fault)| panic!("line {line}: {fault}\n{text}"));
    assert!(found.len() <= 1, "{found:?}");
    found.into_iter().next().map_or_else(Vec::new, |recording| recording.labels)
}

proptest! {
    #[test]
    fn what_is_written_is_read_back_with_the_same_spans(labels in labels()) {
        for format in FORMATS {
            // To the millisecond, and else to a hundredth of a sample.
            let tolerance_s = if format == LabelFormat::WebVtt { 0.000_501 } else { 0.000_000_6 };
            let mut read = read_back(format, &labels);
            prop_assert_eq!(read.len(), labels.len(), "{:?}", format);
            // Labels that were in order may change places when they are rounded.
            read.sort_by(|a, b| a.text.cmp(&b.text).then(a.start_s.total_cmp(&b.start_s)).then(a.end_s.total_cmp(&b.end_s)));
            let mut expected = labels.clone();
            if format == LabelFormat::Rttm {
                expected.iter_mut().for_each(|label| label.text = label.text.replace(' ', "_"));
            }
            expected.sort_by(|a, b| a.text.cmp(&b.text).then(a.start_s.total_cmp(&b.start_s)).then(a.end_s.total_cmp(&b.end_s)));
            for (read, expected) in read.iter().zip(&expected) {
                prop_assert_eq!(&read.text, &expected.text, "{:?}", format);
                prop_assert!((read.start_s - expected.start_s).abs() <= tolerance_s, "{:?} {:?} {:?}", format, read, expected);
                prop_assert!((read.end_s - expected.end_s).abs() <= tolerance_s, "{:?} {:?} {:?}", format, read, expected);
                let keeps_scores = !matches!(format, LabelFormat::TextGrid | LabelFormat::WebVtt);
                if keeps_scores {
                    prop_assert_eq!(read.score, expected.score, "{:?}", format);
                }
            }
        }
    }

    #[test]
    fn a_sample_is_found_again(start in 0u64..16_000 * 36_000, length in 1u64..16_000) {
        let label = Label {
            start_s: start as f64 / 16_000.0, end_s: (start + length) as f64 / 16_000.0, text: "x".into(), score: None,
        };
        for format in FORMATS.into_iter().filter(|format| *format != LabelFormat::WebVtt) {
            let read = read_back(format, std::slice::from_ref(&label));
            let sample = |seconds: f64| (seconds * 16_000.0).round() as u64;
            prop_assert_eq!((sample(read[0].start_s), sample(read[0].end_s)), (start, start + length), "{:?}", format);
        }
    }

    #[test]
    fn any_bytes_are_labels_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for format in FORMATS {
            let _ = format.parse(&bytes);
        }
    }

    #[test]
    fn damaged_labels_are_labels_or_an_error_with_a_line(
        labels in labels(),
        edits in prop::collection::vec((any::<usize>(), 0u8..3, any::<u8>()), 1..10),
    ) {
        for format in FORMATS {
            let mut bytes = format.write("talk.wav", 4000.0, &labels).into_bytes();
            for &(place, kind, value) in &edits {
                let at = place % (bytes.len() + 1);
                match kind {
                    0 if at < bytes.len() => bytes[at] = value,
                    1 => drop(bytes.drain(at..(at + usize::from(value) % 8).min(bytes.len()))),
                    _ => bytes.insert(at, value),
                }
            }
            let n_lines = bytes.iter().filter(|byte| **byte == b'\n').count() + 1;
            match format.parse(&bytes) {
                Ok(found) => for label in found.iter().flat_map(|recording: &RecordingLabels| &recording.labels) {
                    prop_assert!(label.start_s >= 0.0 && label.start_s <= label.end_s && label.end_s.is_finite());
                },
                Err((line, _)) => prop_assert!((1..=n_lines + 1).contains(&line), "{format:?} line {line} of {n_lines}"),
            }
        }
    }
}

#[test]
fn formats_are_told_by_names() {
    let of = |name: &str| LabelFormat::of_path(name.as_ref()).map(|(format, stem)| (format.name(), stem));
    assert_eq!(of("a/talk.labels.txt"), Some(("audacity", "talk".into())));
    assert_eq!(of("talk.txt"), Some(("audacity", "talk".into())));
    assert_eq!(of("talk.textgrid"), Some(("textgrid", "talk".into())));
    assert_eq!(of("a.b.VTT"), Some(("webvtt", "a.b".into())));
    assert_eq!(of("talk.scores.csv"), None);
    assert_eq!(of("talk.wav"), None);
    assert_eq!(of(".txt"), None);
    let error = "text".parse::<LabelFormat>().unwrap_err();
    assert!(error.contains("textgrid") && error.contains("webvtt"), "{error}");
}

#[test]
fn praats_sixteen_bit_text_is_read() {
    let text =
        LabelFormat::TextGrid.write("x", 2.0, &[Label { start_s: 0.5, end_s: 1.0, text: "élan".into(), score: None }]);
    let mut bytes = vec![0xFE, 0xFF];
    bytes.extend(text.encode_utf16().flat_map(u16::to_be_bytes));
    let found = LabelFormat::TextGrid.parse(&bytes).unwrap();
    assert_eq!(found[0].labels[0].text, "élan");
    assert!(LabelFormat::TextGrid.parse(&[0xFF, 0xFE, 0x00, 0xD8]).is_err());
    assert!(LabelFormat::Audacity.parse(&[b'1', 0xFF]).is_err());
}
