//! Long recordings with labels: what is cut out of them, to the sample, and what is said of those that cannot be used.
#![cfg(feature = "train")]

mod dataset_support;

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use dataset_support::{RATE, noise, tone, write_wav};
use tripword::dataset::{CutRecordings, Holding, Inventory, LabelledRecordings, Vocabulary, load_clip, load_positive};
use tripword::labels::{Label, LabelFormat, read_labels};
use tripword::units::Milliseconds;

const MARGIN: Milliseconds = Milliseconds(800);
const ALL: Holding = Holding::All { fraction: 0.25, seed: 1 };

/// A recording's samples, and where the tones are in it.
type Made = (Vec<f32>, Vec<Range<usize>>);

/// A recording of 100 s: hiss, with tones at places that are no whole milliseconds.
fn recording(seed: usize) -> Made {
    let mut samples: Vec<f32> = noise(100 * RATE, seed as u32 + 7).into_iter().map(|sample| 0.01 * sample).collect();
    let mut spans = Vec::new();
    for i in 0..6 {
        let start = 3 * RATE + i * 13 * RATE + 1_237 * (seed + 1) + 77 * i;
        let word = tone(RATE / 2 + 13 * i, 300.0 + 20.0 * i as f32, 0.3);
        samples[start..start + word.len()].iter_mut().zip(&word).for_each(|(sample, word)| *sample += word);
        spans.push(start..start + word.len());
    }
    (samples, spans)
}

fn labels(spans: &[Range<usize>], text: &str) -> Vec<Label> {
    let seconds = |sample: usize| sample as f64 / RATE as f64;
    let label = |span: &Range<usize>| Label {
        start_s: seconds(span.start),
        end_s: seconds(span.end),
        text: text.into(),
        score: None,
    };
    spans.iter().map(label).collect()
}

fn write_labels(recording: &Path, format: LabelFormat, labels: &[Label]) -> PathBuf {
    let path = recording.with_extension(format.endings()[0]);
    let name = recording.file_name().unwrap().to_str().unwrap();
    std::fs::write(&path, format.write(name, 100.0, labels)).unwrap();
    path
}

/// Recordings `r0` to `r4` with labels in four formats, the last with none in it; their spans.
fn folder() -> (tempfile::TempDir, Vec<Made>) {
    let folder = tempfile::tempdir().unwrap();
    let formats =
        [LabelFormat::Audacity, LabelFormat::TextGrid, LabelFormat::Rttm, LabelFormat::Csv, LabelFormat::Audacity];
    let mut made: Vec<_> = (0..5).map(recording).collect();
    made[4].1.clear();
    for (i, ((samples, spans), format)) in made.iter().zip(formats).enumerate() {
        let path = folder.path().join(format!("deep/r{i}.wav"));
        write_wav(&path, samples);
        write_labels(&path, format, &labels(spans, "beep"));
    }
    (folder, made)
}

fn cut(paths: &[PathBuf], holding: Holding, scratch: &Path) -> CutRecordings {
    let found = LabelledRecordings::find(paths).unwrap();
    let vocabulary = Vocabulary::new(&found, &[], &[], 5).unwrap();
    found.cut(&vocabulary, holding, MARGIN, scratch).unwrap()
}

/// The number of the recording that a piece was cut from, and about where it begins.
fn origin(piece: &Path) -> (usize, usize) {
    let name = piece.file_stem().unwrap().to_str().unwrap();
    let parts: Vec<&str> = name.split('-').collect();
    let start_s: f64 = parts[2].trim_end_matches('s').parse().unwrap();
    (parts[1][1..].parse().unwrap(), (start_s * RATE as f64) as usize)
}

/// Where in `whole` the samples of a piece are.
fn place(piece: &[f32], whole: &[f32], about: usize) -> Range<usize> {
    let as_written = |sample: f32| (sample * 32_767.0) as i16;
    let piece: Vec<i16> = piece.iter().map(|sample| (sample * 32_768.0).round() as i16).collect();
    let start = (about.saturating_sub(4)..about + 5)
        .find(|&start| piece.iter().zip(&whole[start..]).all(|(&piece, &whole)| piece == as_written(whole)))
        .expect("the piece is a part of the recording as it is");
    start..start + piece.len()
}

fn sides(cut: &CutRecordings) -> [&Inventory; 2] {
    [&cut.split.training, &cut.split.validation]
}

#[test]
fn words_are_cut_to_the_sample_and_other_sound_keeps_away_from_them() {
    let (folder, made) = folder();
    let scratch = tempfile::tempdir().unwrap();
    let cut = cut(&[folder.path().to_owned()], ALL, scratch.path());
    assert_eq!(
        (cut.n_recordings, cut.n_labels.clone(), cut.split.training.words.clone()),
        (5, vec![24], vec!["beep".to_owned()])
    );
    assert!((cut.hours - 500.0 / 3600.0).abs() < 1e-6, "{}", cut.hours);
    let mut found: Vec<BTreeSet<(usize, usize)>> = vec![BTreeSet::new(); 5];
    for file in sides(&cut).iter().flat_map(|side| &side.positives) {
        let (recording, about) = origin(&file.path);
        let clip = load_positive(file).unwrap();
        let at = place(&clip.samples, &made[recording].0, about).start;
        assert!(found[recording].insert((at + clip.span.start, at + clip.span.end)), "once each");
        assert!(clip.span.start == 12_800 && clip.samples.len() >= clip.span.end + 12_800, "with what surrounds it");
    }
    let mut n_other = 0;
    for (recording, (_, spans)) in made.iter().enumerate() {
        let spans: BTreeSet<(usize, usize)> = spans.iter().map(|span| (span.start, span.end)).collect();
        assert_eq!(found[recording], spans, "r{recording}");
    }
    for file in sides(&cut).iter().flat_map(|side| &side.negatives) {
        let (recording, about) = origin(&file.path);
        let samples = load_clip(&file.path).unwrap();
        let at = place(&samples, &made[recording].0, about);
        for span in &made[recording].1 {
            assert!(
                at.end + RATE / 2 <= span.start || span.end + RATE / 2 <= at.start,
                "{at:?} is too near to {span:?}"
            );
        }
        n_other += samples.len();
    }
    // All but the words and half a second on both sides of each.
    let words: usize = made.iter().flat_map(|(_, spans)| spans).map(|span| span.len() + RATE).sum();
    assert_eq!(n_other, 500 * RATE - words);
    assert!((cut.other_hours * 3600.0 * RATE as f64 - n_other as f64).abs() < 1.0);
}

#[test]
fn a_recording_is_on_one_side_only() {
    let (folder, _) = folder();
    for seed in 0..4 {
        let scratch = tempfile::tempdir().unwrap();
        let cut = cut(&[folder.path().to_owned()], Holding::All { fraction: 0.25, seed }, scratch.path());
        let recordings = |side: &Inventory| -> BTreeSet<usize> {
            let words = side.positives.iter().map(|file| origin(&file.path).0);
            words.chain(side.negatives.iter().map(|file| origin(&file.path).0)).collect()
        };
        let [training, validation] = sides(&cut).map(recordings);
        assert!(training.is_disjoint(&validation) && validation.len() == 1 && training.len() == 4);
        assert!(cut.split.notes.is_empty(), "{:?}", cut.split.notes);
    }
}

#[test]
fn a_lone_recording_is_divided_by_time_and_says_so() {
    let (folder, made) = folder();
    let scratch = tempfile::tempdir().unwrap();
    let cut = cut(&[folder.path().join("deep/r0.wav")], ALL, scratch.path());
    let [training, validation] = sides(&cut);
    let starts = |side: &Inventory| -> Vec<usize> {
        let words = side.positives.iter().map(|file| origin(&file.path).1);
        words.chain(side.negatives.iter().map(|file| origin(&file.path).1)).collect()
    };
    let last = starts(training).into_iter().max().unwrap();
    let first = starts(validation).into_iter().min().unwrap();
    assert!(last < first && (training.positives.len(), validation.positives.len()) == (4, 2));
    // From the fourth word's end to the fifth word's beginning, five seconds in the middle are nobody's.
    let middle = (made[0].1[3].end + made[0].1[4].start) / 2;
    for file in training.negatives.iter().chain(&validation.negatives) {
        let at = place(&load_clip(&file.path).unwrap(), &made[0].0, origin(&file.path).1);
        assert!(at.end <= middle - 39_000 || at.start >= middle + 39_000, "{at:?} around {middle}");
    }
    let notes = cut.split.notes.join("\n");
    assert!(notes.contains("divided by time") && notes.contains("r0.wav"), "{notes}");
}

#[test]
fn nothing_is_held_out_where_there_is_a_validation_folder_and_words_are_shared_by_an_adaptation() {
    let (folder, _) = folder();
    let paths = [folder.path().to_owned()];
    let scratch = tempfile::tempdir().unwrap();
    let nothing = cut(&paths, Holding::Nothing, scratch.path());
    assert_eq!((nothing.split.training.positives.len(), nothing.split.validation.positives.len()), (24, 0));
    assert!(nothing.split.validation.negatives.is_empty());
    let scratch = tempfile::tempdir().unwrap();
    let others = cut(&paths, Holding::Others { fraction: 0.3, seed: 1 }, scratch.path());
    assert_eq!(others.split.training.positives, others.split.validation.positives);
    let paths =
        |side: &Inventory| -> BTreeSet<PathBuf> { side.negatives.iter().map(|file| file.path.clone()).collect() };
    let [training, validation] = sides(&others).map(paths);
    assert!(!training.is_empty() && !validation.is_empty() && training.is_disjoint(&validation));
}

#[test]
fn one_file_of_labels_may_be_of_many_recordings_and_a_channel_has_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let (samples, spans) = recording(0);
    for name in ["r0.wav", "r1.wav"] {
        write_wav(&folder.path().join(name), &samples);
    }
    let rttm = ["r0.wav", "r1"].map(|name| LabelFormat::Rttm.write(name, 100.0, &labels(&spans, "beep"))).concat();
    std::fs::write(folder.path().join("all.rttm"), rttm).unwrap();
    // The tones are in the second channel only; its labels are called as the channel is.
    let stereo = folder.path().join("r2.wav");
    let spec = hound::WavSpec {
        channels: 2,
        sample_rate: RATE as u32,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(&stereo, spec).unwrap();
    for sample in &samples {
        writer.write_sample(0i16).unwrap();
        writer.write_sample((sample * 32_767.0) as i16).unwrap();
    }
    writer.finalize().unwrap();
    write_labels(&folder.path().join("r2.ch2.wav"), LabelFormat::Audacity, &labels(&spans, "beep"));
    let scratch = tempfile::tempdir().unwrap();
    let cut = cut(&[folder.path().to_owned()], Holding::Nothing, scratch.path());
    assert_eq!((cut.n_recordings, cut.n_labels.clone()), (3, vec![18]));
    for file in &cut.split.training.positives {
        let name = file.path.file_name().unwrap().to_string_lossy().replace(".ch2", "");
        let clip = load_positive(file).unwrap();
        let at = place(&clip.samples, &samples, origin(Path::new(&name)).1).start;
        assert!(spans.contains(&(at + clip.span.start..at + clip.span.end)), "{name}");
    }
    // A channel that the recording does not have.
    write_labels(&folder.path().join("r0.ch2.wav"), LabelFormat::Audacity, &labels(&spans, "beep"));
    let complaint = complaint_of_cut(&folder.path().join("r0.ch2.labels.txt"));
    assert!(complaint.contains("1 channel(s)") && complaint.contains("no channel 2"), "{complaint}");
}

fn complaint_of_cut(path: &Path) -> String {
    let found = LabelledRecordings::find(&[path.to_owned()]).unwrap();
    let vocabulary = Vocabulary::new(&found, &[], &["beep".into()], 5).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    found.cut(&vocabulary, Holding::Nothing, MARGIN, scratch.path()).unwrap_err().to_string()
}

fn complaint(path: &Path) -> String {
    LabelledRecordings::find(&[path.to_owned()]).unwrap_err().to_string()
}

fn assert_says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "'{part}' in: {message}");
    }
}

#[test]
fn what_cannot_be_learned_from_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let (samples, spans) = recording(0);
    let wav = folder.path().join("talk.wav");
    write_wav(&wav, &samples);
    assert_says(
        &complaint(folder.path()),
        &["no labels in", "1 recordings", ".labels.txt", ".TextGrid", "an empty one says"],
    );
    assert_says(&complaint(&folder.path().join("missing")), &["missing: cannot be looked at"]);
    std::fs::write(folder.path().join("talk.pdf"), "").unwrap();
    assert_says(
        &complaint(&folder.path().join("talk.pdf")),
        &["neither a folder nor a file of labels", ".rttm", ".flac"],
    );

    let text = folder.path().join("talk.txt");
    std::fs::write(&text, "1.0\t2.0\tbeep\n3.0\t2.0\tbeep\n").unwrap();
    assert_says(&complaint(folder.path()), &["talk.txt, line 2", "ends before it starts"]);
    let late = Label { start_s: 99.5, end_s: 100.5, text: "beep".into(), score: None };
    let of_label = [labels(&spans, "beep"), vec![late]].concat();
    std::fs::write(&text, LabelFormat::Audacity.write("talk", 100.0, &of_label)).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let own = cut(std::slice::from_ref(&text), Holding::Nothing, scratch.path());
    let last = load_positive(own.split.training.positives.last().unwrap()).unwrap();
    assert_eq!((last.samples.len() - last.span.start, last.span.end), (RATE / 2, last.samples.len()));
    let beyond =
        [labels(&spans, "beep"), vec![Label { start_s: 99.5, end_s: 101.25, text: "beep".into(), score: None }]]
            .concat();
    std::fs::write(&text, LabelFormat::Audacity.write("talk", 100.0, &beyond)).unwrap();
    assert_says(
        &complaint_of_cut(folder.path()),
        &["talk.txt", "\"beep\" from 99.500 s to 101.250 s", "talk.wav", "lasts 100.000 s"],
    );

    // Two formats that agree are one set, two that do not are none, and the one that is named counts.
    std::fs::remove_file(&text).unwrap();
    let audacity = write_labels(&wav, LabelFormat::Audacity, &labels(&spans, "beep"));
    write_labels(&wav, LabelFormat::TextGrid, &labels(&spans, "beep"));
    assert_eq!(LabelledRecordings::find(&[folder.path().to_owned()]).unwrap().recordings.len(), 1);
    write_labels(&wav, LabelFormat::TextGrid, &labels(&spans[1..], "beep"));
    assert_says(&complaint(folder.path()), &["talk.TextGrid", "talk.labels.txt", "different labels of", "--labels"]);
    let found = LabelledRecordings::find(&[folder.path().to_owned(), audacity.clone()]).unwrap();
    assert_eq!(found.recordings[0].labels.len(), 6);
    let found = LabelledRecordings::find(&[folder.path().join("talk.TextGrid")]).unwrap();
    assert_eq!(found.recordings[0].labels.len(), 5);

    // Labels without their recording, recordings without labels, files that are something else.
    std::fs::remove_file(folder.path().join("talk.TextGrid")).unwrap();
    write_wav(&folder.path().join("alone.wav"), &samples);
    write_labels(&folder.path().join("gone.wav"), LabelFormat::Audacity, &labels(&spans, "beep"));
    std::fs::write(folder.path().join("notes.txt"), "remember the milk").unwrap();
    let found = LabelledRecordings::find(&[folder.path().to_owned()]).unwrap();
    let notes = found.notes.join("\n");
    assert_eq!(found.recordings.len(), 1);
    assert_says(&notes, &["1 recordings have no labels", "alone.wav", "alone.labels.txt would say"]);
    assert_says(&notes, &["there is no recording \"gone\"", "left alone", "notes.txt"]);
    assert_says(&complaint(&folder.path().join("gone.labels.txt")), &["no recording \"gone\" beside it"]);
    std::fs::copy(&wav, folder.path().join("talk.wave")).unwrap();
    assert_says(&complaint(folder.path()), &["talk.labels.txt", "could be", "talk.wave", "rename one"]);
}

#[test]
fn silence_teaches_nothing_and_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let (mut samples, spans) = recording(0);
    samples[90 * RATE..].fill(0.0);
    samples.resize(400 * RATE, 0.0);
    let path = folder.path().join("r0.wav");
    write_wav(&path, &samples);
    write_labels(&path, LabelFormat::Audacity, &labels(&spans, "beep"));
    let scratch = tempfile::tempdir().unwrap();
    let cut = cut(&[path], Holding::Nothing, scratch.path());
    assert!((0.06..0.08).contains(&cut.silent_hours), "{}", cut.silent_hours);
    assert!((cut.other_hours + cut.silent_hours) * 3600.0 < 400.0);
    let on_disk = std::fs::read_dir(scratch.path()).unwrap().count();
    assert_eq!(
        on_disk,
        cut.split.training.positives.len() + cut.split.training.negatives.len(),
        "silent pieces are gone"
    );
}

#[test]
fn a_compressed_recording_gives_the_same_pieces() {
    let ffmpeg = |arguments: &[&str]| {
        Command::new("ffmpeg")
            .args(["-v", "error", "-y"])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()
            .is_ok_and(|s| s.success())
    };
    if !ffmpeg(&["-version"]) {
        eprintln!("SKIPPED: there is no ffmpeg to make files with");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (samples, spans) = recording(0);
    let (wav, flac) = (folder.path().join("plain/r0.wav"), folder.path().join("packed/r0.flac"));
    write_wav(&wav, &samples);
    std::fs::create_dir(folder.path().join("packed")).unwrap();
    assert!(ffmpeg(&["-i", wav.to_str().unwrap(), flac.to_str().unwrap()]));
    let pieces = [&wav, &flac].map(|path| {
        write_labels(path, LabelFormat::Audacity, &labels(&spans, "beep"));
        let scratch = tempfile::tempdir().unwrap();
        let cut = cut(&[path.parent().unwrap().to_owned()], Holding::Nothing, scratch.path());
        let positives: Vec<_> = cut.split.training.positives.iter().map(|file| load_positive(file).unwrap()).collect();
        (positives, cut.split.training.negatives.len())
    });
    assert!(pieces[0] == pieces[1] && pieces[0].0.len() == 6);
}

/// What `tripword label` writes, corrected as in Audacity (one taken away, one moved, one renamed), and as in Praat.
#[test]
fn labels_that_were_written_edited_and_read_back_have_the_same_spans() {
    let folder = tempfile::tempdir().unwrap();
    let (samples, spans) = recording(0);
    let wav = folder.path().join("r0.wav");
    write_wav(&wav, &samples);
    let written: Vec<Label> =
        labels(&spans, "beep").into_iter().map(|label| Label { score: Some(0.97), ..label }).collect();

    let path = write_labels(&wav, LabelFormat::Audacity, &written);
    let text = std::fs::read_to_string(&path).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    assert!(lines[0].ends_with("\tbeep 0.97"), "{}", lines[0]);
    lines.remove(3);
    lines[2] = "31.250000\t31.812500\tbeep 0.97".into();
    lines[4] = lines[4].replace("beep 0.97", "door");
    std::fs::write(&path, lines.join("\n") + "\n").unwrap();
    let mut corrected = written.clone();
    corrected.remove(3);
    (corrected[2].start_s, corrected[2].end_s) = (31.25, 31.8125);
    (corrected[4].text, corrected[4].score) = ("door".into(), None);
    let sample = |label: &Label| [label.start_s, label.end_s].map(|time_s| (time_s * RATE as f64).round() as u64);
    let spans_of = |labels: &[Label]| -> Vec<([u64; 2], String)> {
        labels.iter().map(|label| (sample(label), label.text.clone())).collect()
    };
    let read = read_labels(&path).unwrap();
    assert_eq!(spans_of(&read[0].labels), spans_of(&corrected));

    // In Praat a border was moved and one label emptied.
    std::fs::remove_file(&path).unwrap();
    let path = write_labels(&wav, LabelFormat::TextGrid, &written);
    let text = std::fs::read_to_string(&path).unwrap();
    let old_end = format!("{:.6}", written[0].end_s);
    assert!(text.matches(&format!("xmax = {old_end}")).count() == 1 && text.contains(&format!("xmin = {old_end}")));
    let mut text = text
        .replace(&format!("xmax = {old_end}"), "xmax = 3.900000")
        .replace(&format!("xmin = {old_end}"), "xmin = 3.900000");
    let last = text.rfind("text = \"beep\"").unwrap();
    text.replace_range(last..last + 13, "text = \"\"");
    std::fs::write(&path, text).unwrap();
    let mut corrected = written[..5].to_vec();
    corrected[0].end_s = 3.9;
    assert_eq!(spans_of(&read_labels(&path).unwrap()[0].labels), spans_of(&corrected));

    // What is learned from are these spans.
    let scratch = tempfile::tempdir().unwrap();
    let cut = cut(&[wav], Holding::Nothing, scratch.path());
    let mut learned: Vec<[u64; 2]> = Vec::new();
    for file in &cut.split.training.positives {
        let clip = load_positive(file).unwrap();
        let at = place(&clip.samples, &samples, origin(&file.path).1).start;
        learned.push([at + clip.span.start, at + clip.span.end].map(|sample| sample as u64));
    }
    assert_eq!(learned, corrected.iter().map(sample).collect::<Vec<_>>());
}
