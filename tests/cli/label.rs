//! `tripword label`

use tripword::bundle::{Manifest, save};
use tripword::model::RecurrentCell;

use super::*;

#[test]
fn json_has_the_promised_fields_and_nothing_else_is_printed() {
    let folder = tempfile::tempdir().unwrap();
    let model = random_model(folder.path());
    let wav = random_wav(folder.path(), "talk.wav", 1, 20.0);
    let ran = run(tripword().args(["label", "--json", "--model"]).arg(&model).arg(&wav));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let events = json_lines(&ran.stdout);
    assert!(events.len() > 3, "random weights fire on random sound");
    for event in &events {
        assert_eq!(event["file"], wav.to_str().unwrap());
        assert!(["alpha", "beta"].contains(&event["word"].as_str().unwrap()));
        let number = |key: &str| event[key].as_f64().unwrap();
        assert!(number("score") >= 0.5 && number("score") <= 1.0);
        assert!(number("start_s") <= number("end_s") && number("end_s") <= number("time_s"));
        assert_eq!(event["version"], 1);
    }
    assert!(!folder.path().join("talk.labels.txt").exists(), "--json writes no label files");
}

#[test]
fn audacity_labels_lie_beside_the_file_and_match_the_events() {
    let folder = tempfile::tempdir().unwrap();
    let model = random_model(folder.path());
    let wav = random_wav(folder.path(), "talk.wav", 1, 20.0);
    let ran = run(tripword().args(["label", "--model"]).arg(&model).arg(&wav));
    let labels = std::fs::read_to_string(folder.path().join("talk.labels.txt")).unwrap();
    let events = json_lines(&ran.stdout);
    assert_eq!(labels.lines().count(), events.len());
    for (line, event) in labels.lines().zip(&events) {
        let fields: Vec<&str> = line.split('\t').collect();
        assert_eq!(fields.len(), 3, "{line}");
        assert!((fields[0].parse::<f64>().unwrap() - event["start_s"].as_f64().unwrap()).abs() < 1e-6);
        assert!(fields[2].starts_with(event["word"].as_str().unwrap()));
    }
}

#[test]
fn scores_have_a_row_a_word_for_each_step() {
    let folder = tempfile::tempdir().unwrap();
    let model = random_model(folder.path());
    let wav = random_wav(folder.path(), "talk.wav", 2, 4.0);
    let scores = folder.path().join("scores");
    let ran = run(tripword().args(["label", "--json", "--scores"]).arg(&scores).arg("--model").arg(&model).arg(&wav));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let text = std::fs::read_to_string(scores.join("talk.scores.csv")).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("time_s,word,score"));
    // 4 s and at least 640 ms of silence after the end, in steps of 80 ms, two words each.
    assert_eq!(lines.clone().count(), 58 * 2);
    assert_eq!(lines.next().unwrap().split(',').take(2).collect::<Vec<_>>(), ["0.080", "alpha"]);
    let best =
        text.lines().skip(1).map(|line| line.split(',').nth(2).unwrap().parse::<f64>().unwrap()).fold(0.0, f64::max);
    let events = json_lines(&ran.stdout);
    assert!(events.iter().all(|event| event["score"].as_f64().unwrap() <= best + 1e-5));
}

#[test]
fn a_threshold_of_one_silences_every_word() {
    let folder = tempfile::tempdir().unwrap();
    let model = random_model(folder.path());
    let wav = random_wav(folder.path(), "talk.wav", 1, 10.0);
    let ran = run(tripword().args(["label", "--json", "--threshold", "1", "--model"]).arg(&model).arg(&wav));
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""));
}

#[test]
fn a_bad_file_is_reported_and_the_others_go_on_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let model = random_model(folder.path());
    let first = random_wav(folder.path(), "a.wav", 1, 8.0);
    let last = random_wav(folder.path(), "c.wav", 2, 8.0);
    let bad = [
        ("empty.wav", &b""[..], "empty"),
        ("text.wav", &b"this is no sound at all, but a letter to a friend"[..], "WAV"),
        ("header.wav", &b"RIFF\x24\0\0\0WAVEfmt "[..], "header"),
    ];
    for (name, bytes, word) in bad {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let ran = run(tripword().args(["label", "--json", "--model"]).arg(&model).args([&first, &path, &last]));
        assert_eq!(ran.code, 3, "{}", ran.stderr);
        assert!(ran.stderr.contains(name) && ran.stderr.contains(word), "{}", ran.stderr);
        let files: Vec<String> =
            json_lines(&ran.stdout).iter().map(|event| event["file"].as_str().unwrap().to_owned()).collect();
        assert!(files.is_sorted() && files.first() != files.last(), "{files:?}");
    }
    let missing = folder.path().join("missing.wav");
    let ran = run(tripword().args(["label", "--json", "--model"]).arg(&model).arg(&missing));
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("missing.wav"), "{}", ran.stderr);
    std::fs::create_dir(folder.path().join("nothing")).unwrap();
    let ran = run(tripword().args(["label", "--json", "--model"]).arg(&model).arg(folder.path().join("nothing")));
    assert!(ran.code == 1 && ran.stderr.contains("no sound files") && ran.stderr.contains(".flac"), "{}", ran.stderr);
}

#[test]
fn odd_but_sound_files_have_defined_results() {
    let folder = tempfile::tempdir().unwrap();
    let model = random_model(folder.path());
    let label = |path: &Path| run(tripword().args(["label", "--json", "--model"]).arg(&model).arg(path));
    let write = |name: &str, spec: hound::WavSpec, values: &[f32]| {
        let path = folder.path().join(name);
        let mut writer = hound::WavWriter::create(&path, spec).unwrap();
        for &value in values {
            match spec.sample_format {
                hound::SampleFormat::Float => writer.write_sample(value).unwrap(),
                hound::SampleFormat::Int => writer.write_sample((value * 32_000.0) as i16).unwrap(),
            }
        }
        writer.finalize().unwrap();
        path
    };
    let float = hound::WavSpec {
        channels: 1,
        sample_rate: 16_000,
        bits_per_sample: 32,
        sample_format: hound::SampleFormat::Float,
    };
    let int = hound::WavSpec { bits_per_sample: 16, sample_format: hound::SampleFormat::Int, ..float };

    let none = label(&write("none.wav", int, &[]));
    assert_eq!(none.code, 0, "{}", none.stderr);
    let one = label(&write("one.wav", int, &[0.5]));
    assert_eq!(one.code, 0, "{}", one.stderr);
    let nan = label(&write("nan.wav", float, &[f32::NAN; 20_000]));
    assert_eq!(nan.code, 0);
    assert!(nan.stderr.contains("20000 samples are NaN"), "{}", nan.stderr);

    // 96 kHz and 8 channels, all the same: the same words at the same places as from 16 kHz mono, but for what is above 8 kHz.
    let wide = hound::WavSpec { channels: 8, sample_rate: 96_000, ..int };
    let sound: Vec<f32> = (0..96_000 * 3).map(|i| 0.3 * (i as f32 * 0.05).sin()).collect();
    let interleaved: Vec<f32> = sound.iter().flat_map(|&value| [value; 8]).collect();
    let ran = label(&write("wide.wav", wide, &interleaved));
    assert_eq!(ran.code, 0, "{}", ran.stderr);

    let whole = random_wav(folder.path(), "whole.wav", 3, 5.0);
    let bytes = std::fs::read(&whole).unwrap();
    let cut = folder.path().join("cut.wav");
    std::fs::write(&cut, &bytes[..bytes.len() / 2]).unwrap();
    let ran = label(&cut);
    assert_eq!(ran.code, 0);
    assert!(ran.stderr.contains("promises 80000 samples"), "{}", ran.stderr);
}

#[test]
fn outputs_that_would_overwrite_each_other_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let model = random_model(folder.path());
    let (a, b) = (folder.path().join("a"), folder.path().join("b"));
    std::fs::create_dir_all(&a).unwrap();
    std::fs::create_dir_all(&b).unwrap();
    let files = [random_wav(&a, "x.wav", 1, 1.0), random_wav(&b, "x.wav", 1, 1.0)];
    let scores = folder.path().join("scores");
    let ran =
        run(tripword().args(["label", "--json", "--scores"]).arg(&scores).arg("--model").arg(&model).args(&files));
    assert!(ran.code == 1 && ran.stderr.contains("would both write"), "{}", ran.stderr);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_leaves_no_half_written_file() {
    // A file-size limit of one block stands for the full disk: the kernel refuses the write in the same way.
    let folder = tempfile::tempdir().unwrap();
    let model = random_model(folder.path());
    let wav = random_wav(folder.path(), "talk.wav", 2, 60.0);
    let scores = folder.path().join("scores");
    let command = format!(
        "trap '' XFSZ; ulimit -f 8; exec {} label --json --model {} --scores {} {}",
        env!("CARGO_BIN_EXE_tripword"),
        model.display(),
        scores.display(),
        wav.display()
    );
    let ran = run(Command::new("sh").args(["-c", &command]));
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("talk.scores.csv: cannot be written"), "{}", ran.stderr);
    assert_eq!(std::fs::read_dir(&scores).unwrap().count(), 0, "nothing is left behind");
}

#[cfg(unix)]
#[test]
fn a_signal_leaves_no_temporary_files() {
    let folder = tempfile::tempdir().unwrap();
    let model = random_model(folder.path());
    let wav = random_wav(folder.path(), "long.wav", 1, 3600.0);
    let scores = folder.path().join("scores");
    let mut child = tripword()
        .args(["label", "--json", "--scores"])
        .arg(&scores)
        .arg("--model")
        .arg(&model)
        .arg(&wav)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    while std::fs::read_dir(&scores).map_or(0, Iterator::count) == 0 && child.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    send_signal(&child, "INT").unwrap();
    let status = child.wait().unwrap();
    let left: Vec<_> = std::fs::read_dir(&scores).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    // Either it was stopped and left nothing, or it had already finished.
    assert!(left.is_empty() || (status.success() && left == ["long.scores.csv"]), "{left:?}");
}

#[test]
fn labels_corrected_by_hand_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let model = random_model(folder.path());
    let wav = random_wav(folder.path(), "talk.wav", 1, 10.0);
    let label = || run(tripword().args(["label", "--model"]).arg(&model).arg(&wav));
    let labels = folder.path().join("talk.labels.txt");
    label();
    label();
    assert!(!folder.path().join("talk.labels.txt.bak").exists(), "the same labels need no copy");
    std::fs::write(&labels, "1.0\t2.0\tmine\n").unwrap();
    let ran = label();
    assert!(ran.stderr.contains("talk.labels.txt.bak"), "{}", ran.stderr);
    std::fs::write(&labels, "other\n").unwrap();
    label();
    assert_eq!(std::fs::read_to_string(folder.path().join("talk.labels.txt.bak")).unwrap(), "1.0\t2.0\tmine\n");
    assert_eq!(std::fs::read_to_string(folder.path().join("talk.labels.txt.bak.2")).unwrap(), "other\n");
}

#[test]
fn a_channel_that_is_not_there_is_counted_as_people_count() {
    let folder = tempfile::tempdir().unwrap();
    let model = random_model(folder.path());
    let wav = random_wav(folder.path(), "talk.wav", 1, 1.0);
    let ran = run(tripword().args(["label", "--json", "--channel", "3", "--model"]).arg(&model).arg(&wav));
    assert!(ran.stderr.contains("no channel 3; choose 1 to 1"), "{}", ran.stderr);
}

/// Runs the shell's command with standard error, and what is not redirected, in a terminal; gives what that shows.
#[cfg(target_os = "linux")]
fn in_terminal(command: &str) -> Option<String> {
    // Part of every Debian.
    if Command::new("script").arg("--version").output().is_err() {
        eprintln!("SKIPPED: script(1) is not installed");
        return None;
    }
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", command, "/dev/null"]).stdin(std::process::Stdio::null());
    let ran = run(script.env("XDG_CONFIG_HOME", "/nonexistent").env("TERM", "xterm").env_remove("RUST_LOG"));
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    Some(ran.stdout)
}

#[cfg(target_os = "linux")]
#[test]
fn a_terminal_shows_hours_of_audio_a_second() {
    let folder = tempfile::tempdir().unwrap();
    let model = random_model(folder.path());
    let wav = folder.path().join("long.wav");
    long_wav(&wav, 2.0, &random_wav(folder.path(), "talk.wav", 1, 20.0));
    let events = folder.path().join("events");
    let label = format!("{} label --model {}", env!("CARGO_BIN_EXE_tripword"), model.display());
    let to_events = format!("{} > {}", wav.display(), events.display());
    let json_events = || json_lines(&std::fs::read_to_string(&events).unwrap());

    let Some(shown) = in_terminal(&format!("{label} {to_events}")) else { return };
    // The first looks have no rate yet.
    assert!(
        shown.contains("% 0.0 of 2.0 h") && shown.contains(" h of audio/s, ") && shown.contains(" s left"),
        "{shown}"
    );
    assert!(shown.contains("labelled 1 file, 2.0 hours of audio in ") && shown.contains(" hours a second"), "{shown}");
    let n_events = json_events().len();

    let shown = in_terminal(&format!("{label} --json {to_events}")).unwrap();
    assert!(!shown.contains("h of audio/s") && shown.contains("labelled 1 file"), "{shown}");
    assert_eq!(json_events().len(), n_events);

    let pipe = format!("cat {} | {label} /dev/stdin > {}", wav.display(), events.display());
    let shown = in_terminal(&pipe).unwrap();
    assert!(!shown.contains('%') && shown.contains(" h, ") && shown.contains(" h of audio/s"), "{shown}");
    assert_eq!(json_events().len(), n_events);
}

#[test]
fn a_bidirectional_model_labels_and_does_not_listen() {
    let folder = tempfile::tempdir().unwrap();
    let sound = random_wav(folder.path(), "sound.wav", 5, 20.0);
    let model = folder.path().join("both-ways");
    let manifest = common::manifest(&["alpha", "beta"]);
    let manifest = Manifest { model: common::bidirectional_model(RecurrentCell::Lstm), ..manifest };
    let weights = common::random_weights(&manifest.model, manifest.features.n_mels, 2, 3);
    save(&model, manifest, &weights, "# random\n").unwrap();
    let ran = run(tripword()
        .args(["label", "--json"])
        .arg(&sound)
        .arg("--model")
        .arg(&model)
        .arg("--scores")
        .arg(folder.path()));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    // Every step, up to the end: 20 s and 640 ms of silence.
    let scores = std::fs::read_to_string(folder.path().join("sound.scores.csv")).unwrap();
    assert_eq!(scores.lines().count(), 1 + 2 * 258, "{}", scores.lines().last().unwrap());
    assert!(!ran.stdout.is_empty(), "something is found");

    let ran = run(tripword().args(["listen", "--input"]).arg(&sound).arg("--model").arg(&model));
    assert!(ran.code == 1 && ran.stdout.is_empty(), "{}", ran.stdout);
    assert!(ran.stderr.contains("bidirectional") && ran.stderr.contains("cannot listen"), "{}", ran.stderr);
    let ran = run(tripword()
        .arg("combine")
        .args([&model, &model])
        .arg("--second-look")
        .arg("--out")
        .arg(folder.path().join("two")));
    assert!(ran.code == 1 && ran.stderr.contains("second_look is there; expected none"), "{}", ran.stderr);
}

#[test]
fn a_folder_is_labelled_in_every_format_and_mirrored() {
    let folder = tempfile::tempdir().unwrap();
    let model = random_model(folder.path());
    let archive = folder.path().join("archive");
    std::fs::create_dir_all(archive.join("sub")).unwrap();
    random_wav(&archive, "one.wav", 1, 10.0);
    random_wav(&archive.join("sub"), "two.wav", 2, 10.0);
    let out = folder.path().join("labels");
    let formats = "audacity,textgrid,rttm,webvtt,jsonl,csv";
    let ran = run(tripword()
        .args(["label", "--format", formats, "--out"])
        .arg(&out)
        .arg("--model")
        .arg(&model)
        .arg(&archive));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let events = json_lines(&ran.stdout);
    for stem in ["one", "sub/two"] {
        let of_file =
            events.iter().filter(|event| event["file"].as_str().unwrap().ends_with(&format!("{stem}.wav"))).count();
        assert!(of_file > 1, "random weights fire on random sound");
        for (ending, n_lines) in [("labels.txt", of_file), ("rttm", of_file), ("jsonl", of_file), ("csv", of_file + 1)]
        {
            let text = std::fs::read_to_string(out.join(format!("{stem}.{ending}"))).unwrap();
            assert_eq!(text.lines().count(), n_lines, "{stem}.{ending}");
        }
        let vtt = std::fs::read_to_string(out.join(format!("{stem}.vtt"))).unwrap();
        assert_eq!(vtt.matches(" --> ").count(), of_file);
        let grid = std::fs::read_to_string(out.join(format!("{stem}.TextGrid"))).unwrap();
        assert!(grid.contains("xmax = 10.") && grid.matches("mark = ").count() == of_file, "{grid}");
    }
    let beside: Vec<_> = std::fs::read_dir(&archive).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(beside.len(), 2, "{beside:?}");
    // All of them say the same.
    for ending in ["TextGrid", "rttm", "vtt", "jsonl", "csv"] {
        let (a, b) = (out.join("one.labels.txt"), out.join(format!("one.{ending}")));
        let ran = run(tripword().args(["diff-labels", "--tolerance-ms", "1"]).args([&a, &b]));
        assert_eq!(ran.code, 0, "{ending}: {}{}", ran.stdout, ran.stderr);
    }
    let ran = run(tripword().args(["label", "--format", "praat", "--model"]).arg(&model).arg(&archive));
    assert!(ran.code == 1 && ran.stderr.contains("textgrid, rttm"), "{}", ran.stderr);
}

#[test]
fn a_list_on_standard_input_names_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let model = random_model(folder.path());
    let wavs = [random_wav(folder.path(), "a.wav", 1, 8.0), random_wav(folder.path(), "b.wav", 2, 8.0)];
    let list = folder.path().join("list.txt");
    std::fs::write(&list, format!("{}\n{}\n", wavs[0].display(), wavs[1].display())).unwrap();
    let from_list = run(tripword()
        .args(["label", "--json", "--model"])
        .arg(&model)
        .arg("-")
        .stdin(std::fs::File::open(&list).unwrap()));
    let named = run(tripword().args(["label", "--json", "--model"]).arg(&model).args(&wavs));
    assert_eq!((from_list.code, from_list.stdout), (0, named.stdout));
}
