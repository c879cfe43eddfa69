//! `tripword label` over archives: channels, clips, runs that are interrupted.

use std::collections::BTreeMap;
use std::time::SystemTime;

use super::*;

/// A folder with a model and `n` recordings of `duration_s`; the archive is `archive/`.
fn archive(n: u64, duration_s: f64) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let model = random_model(folder.path());
    let archive = folder.path().join("archive");
    std::fs::create_dir(&archive).unwrap();
    for i in 0..n {
        random_wav(&archive, &format!("{i:02}.wav"), i, duration_s);
    }
    (folder, model)
}

#[test]
fn each_channel_is_labelled_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let model = random_model(folder.path());
    let (left, right) =
        (random_wav(folder.path(), "left.wav", 1, 10.0), random_wav(folder.path(), "right.wav", 2, 10.0));
    let call = folder.path().join("call.wav");
    let mut readers = [&left, &right].map(|path| hound::WavReader::open(path).unwrap());
    let spec = hound::WavSpec { channels: 2, ..readers[0].spec() };
    let mut writer = hound::WavWriter::create(&call, spec).unwrap();
    let [left_reader, right_reader] = &mut readers;
    for (left, right) in left_reader.samples::<i16>().zip(right_reader.samples::<i16>()) {
        writer.write_sample(left.unwrap()).unwrap();
        writer.write_sample(right.unwrap()).unwrap();
    }
    writer.finalize().unwrap();

    let label = |channels: &str, file: &Path| {
        let mut command = tripword();
        command.args(["label", "--format", "rttm", "--channels", channels, "--model"]).arg(&model).arg(file);
        let ran = run(&mut command);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        json_lines(&ran.stdout)
    };
    let each = label("each", &call);
    let times = |events: &[serde_json::Value], channel: Option<u64>| -> Vec<(String, u64)> {
        let of_channel = events.iter().filter(|event| event["channel"].as_u64() == channel);
        of_channel.map(|event| (event["word"].to_string(), event["time_sample"].as_u64().unwrap())).collect()
    };
    for (channel, alone) in [(1, &left), (2, &right)] {
        let alone = label("mix", alone);
        assert!(alone.len() > 2, "random weights fire on random sound");
        assert_eq!(times(&each, Some(channel)), times(&alone, None), "channel {channel}");
        assert_eq!(times(&label(&channel.to_string(), &call), Some(channel)), times(&alone, None));
        let rttm = std::fs::read_to_string(folder.path().join(format!("call.ch{channel}.rttm"))).unwrap();
        assert_eq!(rttm.lines().count(), alone.len());
    }
    let ran = run(tripword().args(["label", "--channels", "both", "--model"]).arg(&model).arg(&call));
    assert!(ran.code == 1 && ran.stderr.contains("expected 'mix', 'each' or"), "{}", ran.stderr);
}

#[test]
fn every_detection_is_cut_out_with_its_margins() {
    let (folder, model) = archive(2, 12.0);
    let found = folder.path().join("found");
    let mut command = tripword();
    command.args(["label", "--json", "--clip-margin", "250", "--clips"]).arg(&found).arg("--model").arg(&model);
    let ran = run(command.arg(folder.path().join("archive")));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let events = json_lines(&ran.stdout);
    for stem in ["00", "01"] {
        let path = folder.path().join(format!("archive/{stem}.wav"));
        let whole: Vec<i16> = hound::WavReader::open(&path).unwrap().samples().map(Result::unwrap).collect();
        let mut names: Vec<_> =
            std::fs::read_dir(found.join(stem)).unwrap().map(|entry| entry.unwrap().path()).collect();
        names.sort();
        let of_file: Vec<_> = events.iter().filter(|event| event["file"] == path.to_str().unwrap()).collect();
        assert!(of_file.len() > 2 && names.len() == of_file.len(), "{} clips, {} events", names.len(), of_file.len());
        for (clip, event) in names.iter().zip(of_file) {
            let samples: Vec<i16> = hound::WavReader::open(clip).unwrap().samples().map(Result::unwrap).collect();
            let position = |key: &str| event[key].as_u64().unwrap() as usize;
            let start = position("start_sample").saturating_sub(4000);
            let end = (position("end_sample").max(position("time_sample")) + 4000).min(whole.len());
            assert_eq!(samples, whole[start..end], "{}: the file's own samples", clip.display());
        }
    }
}

/// Every file below `folder` with the time of its last change.
fn changes(folder: &Path) -> BTreeMap<std::path::PathBuf, SystemTime> {
    let files = std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    files.map(|path| (path.clone(), path.metadata().unwrap().modified().unwrap())).collect()
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_goes_on_where_it_was() {
    let (folder, model) = archive(8, 600.0);
    std::fs::write(folder.path().join("archive/03.wav"), "no sound").unwrap();
    let state = folder.path().join("state");
    let label = |out: &str, resume: bool| {
        let mut command = tripword();
        command.args(["label", "--jobs", "1", "--format", "rttm", "--out"]).arg(folder.path().join(out));
        command.args(resume.then_some("--resume")).env("XDG_STATE_HOME", &state);
        command.arg("--model").arg(&model).arg(folder.path().join("archive"));
        command
    };
    let whole = run(&mut label("whole", false));
    assert_eq!(whole.code, 3, "{}", whole.stderr);

    let out = folder.path().join("out");
    for signal in ["KILL", "TERM"] {
        let n_before = changes(&out).len();
        let mut child = label("out", n_before > 0).stdout(std::process::Stdio::null()).spawn().unwrap();
        while changes(&out).len() < n_before + 2 && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        send_signal(&child, signal).unwrap();
        child.wait().unwrap();
    }
    let is_finished = |path: &Path| path.extension().is_some_and(|ending| ending == "rttm");
    let finished: BTreeMap<_, _> = changes(&out).into_iter().filter(|(path, _)| is_finished(path)).collect();
    assert!((2..7).contains(&finished.len()), "{finished:?}");
    let resumed = run(&mut label("out", true));
    assert_eq!(resumed.code, 3, "{}", resumed.stderr);
    assert_eq!(resumed.stdout, whole.stdout, "what was finished before is printed in its place");
    let after = changes(&out);
    // Of two that were being finished when the signal came, one may not have been noted.
    let n_kept = finished.iter().filter(|(path, changed)| after[*path] == **changed).count();
    assert!(n_kept + 2 >= finished.len() && n_kept > 0, "{n_kept} of {}", finished.len());
    for (path, _) in after.iter().filter(|(path, _)| is_finished(path)) {
        let name = path.file_name().unwrap();
        assert_eq!(std::fs::read(path).unwrap(), std::fs::read(folder.path().join("whole").join(name)).unwrap());
    }
    // The bad file is mended; nothing else is heard again.
    random_wav(&folder.path().join("archive"), "03.wav", 3, 600.0);
    let mended = run(&mut label("out", true));
    assert_eq!((mended.code, changes(&out).len()), (0, 8), "{}", mended.stderr);
    let untouched = changes(&out).into_iter().filter(|change| after.get(&change.0) == Some(&change.1)).count();
    assert_eq!(untouched, 7);
    let journals: Vec<_> = changes(&state.join("tripword/label")).into_keys().collect();
    assert_eq!(journals.len(), 1, "what is done needs no journal, the run into whole/ has one: {journals:?}");
}
