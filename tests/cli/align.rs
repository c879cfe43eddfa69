//! `tripword align`, with the model that ships on the word that the demo says first.

use std::path::PathBuf;

use tripword::audio::{ChannelChoice, read_to_end, wav::WavSource};
use tripword::units::SampleRate;

use super::*;

/// Where the demo says "computer", and where each clip of it begins, in seconds.
const WORD_S: [f64; 2] = [4.25, 4.95];
const CLIP_S: [f64; 2] = [3.5, 6.5];

/// Six clips of the same word at several levels; by the manifest it ends `end_s` after the start of the first one, and right in the
/// others.
fn recordings(folder: &Path, end_s: f64) -> PathBuf {
    let root = folder.join("data");
    std::fs::create_dir_all(root.join("positive/computer")).unwrap();
    std::fs::create_dir_all(root.join("negative")).unwrap();
    random_wav(&root.join("negative"), "other.wav", 7, 3.0);
    let demo = format!("{}/assets/demo.wav", env!("CARGO_MANIFEST_DIR"));
    let demo = read_to_end(&mut WavSource::open(demo, ChannelChoice::Mix).unwrap()).unwrap();
    let sample = |s: f64| SampleRate::MODEL.samples(s) as usize;
    let mut manifest = "path\tspeaker\tspeech_start_s\tspeech_end_s\n".to_owned();
    for i in 0..6 {
        let gain = 0.4 + 0.1 * i as f32;
        let clip: Vec<f32> = demo[sample(CLIP_S[0])..sample(CLIP_S[1])].iter().map(|value| gain * value).collect();
        let path = root.join(format!("positive/computer/{i}.wav"));
        tripword::audio::write::write_wav(&path, &clip, SampleRate::MODEL).unwrap();
        let end_s = if i == 0 { end_s } else { WORD_S[1] - CLIP_S[0] };
        manifest += &format!("positive/computer/{i}.wav\tanna\t{:.3}\t{end_s:.3}\n", WORD_S[0] - CLIP_S[0]);
    }
    std::fs::write(root.join("manifest.tsv"), manifest).unwrap();
    root
}

fn align(data: &Path, arguments: &[&str]) -> Ran {
    run(tripword().arg("align").arg(data).args(["--model", "six-words", "--word", "computer"]).args(arguments))
}

#[test]
fn an_end_that_is_wrong_is_found_and_written_into_the_manifest() {
    let folder = tempfile::tempdir().unwrap();
    let data = recordings(folder.path(), 2.9);
    let said = align(&data, &["--json"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    let clips = json_lines(&said.stdout);
    assert_eq!(clips.len(), 6);
    let moved: Vec<_> = clips.iter().filter(|clip| clip["verdict"] == "end_moved").collect();
    assert_eq!(moved.len(), 1, "{}", said.stdout);
    assert!(moved[0]["file"].as_str().unwrap().ends_with("0.wav"));
    let end_s = moved[0]["aligned_s"][1].as_f64().unwrap();
    assert!((end_s - (WORD_S[1] - CLIP_S[0])).abs() < 0.1, "{end_s}");
    let before = std::fs::read_to_string(data.join("manifest.tsv")).unwrap();

    let out = data.join("manifest.tsv");
    let written = align(&data, &["--out", out.to_str().unwrap()]);
    assert_eq!(written.code, 0, "{}", written.stderr);
    assert!(written.stdout.contains("computer: 6 clips, 5 as they were, 1 ends moved"), "{}", written.stdout);
    assert_eq!(std::fs::read_to_string(data.join("manifest.tsv.bak")).unwrap(), before, "the old one is kept");
    // A training reads it: now all clips agree.
    let again = align(&data, &["--json"]);
    assert!(json_lines(&again.stdout).iter().all(|clip| clip["verdict"] == "kept"), "{}", again.stdout);
    assert!(std::fs::read_to_string(out).unwrap().contains("positive/computer/3.wav\tcomputer\tanna\t"));
}

#[test]
fn a_manifest_that_no_training_would_find_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let data = recordings(folder.path(), 1.45);
    let elsewhere = data.join("positive/manifest.tsv");
    let ran = align(&data, &["--out", elsewhere.to_str().unwrap()]);
    assert!(ran.code == 1 && ran.stderr.contains("would not find it"), "{}", ran.stderr);
    assert!(!elsewhere.exists());
    let stranger = run(tripword().arg("align").arg(&data).arg("--model").arg(random_model(folder.path())));
    assert!(stranger.code == 1 && stranger.stderr.contains("alpha"), "says what it knows: {}", stranger.stderr);
}
