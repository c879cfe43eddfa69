//! Training folders as people have them: layouts, what is wrong with them, and the split by speaker. Only names are read,
//! so the files are empty.

mod dataset_support;

use std::collections::BTreeSet;
use std::path::Path;

use dataset_support::touch;
use tempfile::TempDir;
use tripword::dataset::{Elsewhere, Inventory, Layout, Part};

/// A folder with these files; `{}` in a name becomes 0 to `n - 1`.
fn folder(files: &[(&str, usize)]) -> TempDir {
    let root = TempDir::new().unwrap();
    for (name, n) in files {
        for i in 0..*n {
            touch(&root.path().join(name.replace("{}", &i.to_string())));
        }
    }
    root
}

fn read(root: &Path, words: &[&str]) -> Inventory {
    Inventory::read(root, &words.iter().map(|word| word.to_string()).collect::<Vec<_>>()).unwrap()
}

fn complaint(files: &[(&str, usize)], words: &[&str]) -> String {
    let root = folder(files);
    let words: Vec<String> = words.iter().map(|word| word.to_string()).collect();
    Inventory::read(root.path(), &words).unwrap_err().to_string()
}

/// Asserts that `message` holds all of `parts`.
fn assert_says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "\"{part}\" is not in: {message}");
    }
}

const SPEECH_COMMANDS: [(&str, usize); 5] = [
    ("marvin/a{}_nohash_0.wav", 6),
    ("marvin/b0_nohash_{}.wav", 3),
    ("sheila/a{}_nohash_0.wav", 4),
    ("dog/c{}_nohash_0.wav", 4),
    ("_background_noise_/tap{}.wav", 2),
];

#[test]
fn precise_keeps_its_test_folder_for_validation() {
    let root = folder(&[
        ("wake-word/x-{}.wav", 6),
        ("not-wake-word/deep/down/n-{}.wav", 3),
        ("test/wake-word/y-{}.wav", 2),
        ("test/not-wake-word/m-{}.wav", 1),
    ]);
    let inventory = read(root.path(), &["hey computer"]);
    assert_eq!((inventory.layout, inventory.layout.to_string().as_str()), (Layout::Precise, "Mycroft Precise"));
    assert_eq!(inventory.words, ["hey computer"]);
    let split = inventory.split(0.3, 1).unwrap();
    assert_eq!((split.training.positives.len(), split.validation.positives.len()), (6, 2));
    assert_eq!((split.training.negatives.len(), split.validation.negatives.len()), (3, 1));
}

#[test]
fn the_coursera_folders_are_found_and_the_word_is_named_after_the_root() {
    let root = TempDir::new().unwrap();
    let data = root.path().join("activate");
    for i in 0..5 {
        touch(&data.join(format!("activates/{i}_act.wav")));
        touch(&data.join(format!("negatives/{i}.wav")));
        touch(&data.join(format!("backgrounds/{i}.wav")));
    }
    let inventory = read(&data, &[]);
    assert_eq!((inventory.layout, &inventory.words[..]), (Layout::Coursera, &["activate".to_owned()][..]));
    assert_eq!((inventory.positives.len(), inventory.negatives.len(), inventory.noises.len()), (5, 5, 5));
}

#[test]
fn speech_commands_take_the_named_words_and_all_other_labels_as_negatives() {
    let root = folder(&SPEECH_COMMANDS);
    std::fs::write(root.path().join("validation_list.txt"), "marvin/a0_nohash_0.wav\nsheila/a0_nohash_0.wav\n")
        .unwrap();
    std::fs::write(root.path().join("testing_list.txt"), "marvin/a1_nohash_0.wav\n").unwrap();
    let inventory = read(root.path(), &["Marvin"]);
    assert_eq!((inventory.layout, &inventory.words[..]), (Layout::SpeechCommands, &["marvin".to_owned()][..]));
    assert_eq!((inventory.positives.len(), inventory.negatives.len(), inventory.noises.len()), (9, 8, 2));
    assert_eq!(inventory.positives.iter().filter(|file| file.speaker.as_deref() == Some("b0")).count(), 3);
    assert_eq!(inventory.positives.iter().filter(|file| file.part == Part::Testing).count(), 1);

    let split = inventory.split(0.2, 1).unwrap();
    assert_eq!((split.training.positives.len(), split.validation.positives.len()), (7, 1));
    assert_eq!(split.validation.negatives.len(), 1);
    assert!(split.notes.iter().any(|note| note.contains("1 recordings of wake words are on the testing list")));
}

#[test]
fn nano_wake_word_holds_one_word_or_several() {
    let one = folder(&[("positive/x{}.wav", 5), ("negative/n{}.wav", 2), ("noise/z.wav", 1), ("rir/r.wav", 1)]);
    let inventory = read(one.path(), &["jarvis"]);
    assert_eq!((inventory.layout, &inventory.words[..]), (Layout::NanoWakeWord, &["jarvis".to_owned()][..]));
    assert_eq!((inventory.noises.len(), inventory.rooms.len()), (1, 1));

    let several = folder(&[
        ("positive/view_glass/anna/{}.wav", 5),
        ("positive/alexa/{}.wav", 6),
        ("positive/athena/{}.wav", 7),
        ("negative/radio/{}.wav", 2),
        ("negative/street/{}.wav", 2),
    ]);
    let all = read(several.path(), &[]);
    assert_eq!(all.words, ["alexa", "athena", "view_glass"]);
    assert!(all.positives.iter().filter(|file| file.word_idx == 2).all(|file| file.speaker.as_deref() == Some("anna")));

    // The order is the one asked for, spelling is forgiven, and words not asked for are negatives.
    let chosen = read(several.path(), &["View Glass", "alexa"]);
    assert_eq!(chosen.words, ["view_glass", "alexa"]);
    let sources: BTreeSet<&str> = chosen.negatives.iter().map(|file| file.source.as_str()).collect();
    assert_eq!(sources.into_iter().collect::<Vec<_>>(), ["athena", "radio", "street"]);
}

#[test]
fn a_manifest_above_the_root_tells_speakers_spans_and_licences() {
    let root = folder(&[("train/positive/{}.wav", 5), ("train/negative/n.wav", 1)]);
    let manifest = "path\tspeaker\tsource\tlicence\tspeech_start_s\tspeech_end_s\n\
                    train/positive/3.wav\tanna\tmine\tCC0\t0.5\t1.25\n";
    std::fs::write(root.path().join("manifest.tsv"), manifest).unwrap();
    let inventory = read(&root.path().join("train"), &[]);
    let file = &inventory.positives[3];
    assert_eq!((file.speaker.as_deref(), file.span_s), (Some("anna"), Some((0.5, 1.25))));
    assert!(inventory.sources().any(|source| source == ("word", "mine".into(), "CC0".into())));
    assert!(inventory.sources().any(|source| source == ("negative", "negative".into(), "unknown".into())));
}

#[test]
fn no_layout_and_two_layouts_are_refused_with_the_layouts_there_are() {
    let four = ["Mycroft Precise", "Coursera assignment", "Speech Commands", "NanoWakeWord"];
    let message = complaint(&[("clips/{}.wav", 3)], &[]);
    assert_says(&message, &["no layout known here; found clips"]);
    assert_says(&message, &four);

    let message = complaint(&[("raw_data/activates/{}.wav", 3)], &[]);
    assert_says(&message, &["raw_data looks like Coursera assignment"]);

    let message = complaint(&[("activates/{}.wav", 6), ("wake-word/{}.wav", 6)], &[]);
    assert_says(&message, &["could be Mycroft Precise or Coursera assignment"]);
}

#[test]
fn what_is_missing_is_said_with_what_to_put_where() {
    let message = complaint(&[("positive/hi/{}.wav", 1), ("negative/{}.wav", 3)], &[]);
    assert_says(&message, &["1 usable recording(s) of \"hi\" in", "positive/hi", "at least 5"]);
    let message = complaint(&[("wake-word/readme.txt", 1), ("not-wake-word/{}.wav", 3)], &[]);
    assert_says(&message, &["no sound files of a wake word in", "wake-word", "at least 5"]);
    let message = complaint(&[("negative/{}.wav", 3)], &[]);
    assert_says(&message, &["no sound files of a wake word in", "positive"]);
    let message = complaint(&[("positive/{}.wav", 6)], &[]);
    assert_says(&message, &["no usable sound files without the wake word in", "negative", "put speech, radio"]);
    let message = complaint(&[("positive/{}.wav", 6), ("negative/{}.wma", 2)], &[]);
    assert_says(&message, &["0.wma: a .wma file, a kind that is not read"]);
}

#[test]
fn words_that_are_unclear_are_refused_with_the_choices() {
    let two = [("positive/view glass/{}.wav", 5), ("positive/View_Glass/{}.wav", 5), ("negative/{}.wav", 1)];
    assert_says(&complaint(&two, &[]), &["\"View_Glass\" and \"view glass\" are one name"]);

    let words = [("positive/alexa/{}.wav", 5), ("positive/jarvis/{}.wav", 5), ("negative/{}.wav", 1)];
    assert_says(&complaint(&words, &["hal"]), &["no word \"hal\" in", "the choices are alexa, jarvis"]);
    assert_says(&complaint(&words, &["alexa", "Alexa"]), &["\"alexa\" and \"Alexa\" are one name"]);

    assert_says(&complaint(&SPEECH_COMMANDS, &[]), &["name the wake words, out of dog, marvin, sheila"]);
    let one = [("wake-word/{}.wav", 5), ("not-wake-word/{}.wav", 1)];
    assert_says(&complaint(&one, &["a", "b"]), &["holds one wake word (Mycroft Precise) but 2 were named: a, b"]);
    let mixed = [("positive/{}.wav", 5), ("positive/anna/{}.wav", 5), ("negative/{}.wav", 1)];
    assert_says(&complaint(&mixed, &[]), &["holds loose sound files (such as 0.wav) beside folders (such as anna)"]);
}

#[test]
fn no_speaker_is_ever_on_both_sides_and_every_word_is_on_either() {
    let mut files = vec![("negative/home/{}.wav".to_owned(), 20)];
    for (i, name) in ["anna", "bert", "carl", "dora", "emil", "fred", "gina"].iter().enumerate() {
        files.push((format!("positive/alexa/{name}-{{}}.wav"), 3 + i));
        files.push((format!("positive/jarvis/{name}-{{}}.wav"), 2 + i % 3));
        files.push((format!("negative/talk/{name}-{{}}.wav"), 4));
    }
    files.push(("positive/jarvis/only_here/{}.wav".to_owned(), 4));
    let files: Vec<(&str, usize)> = files.iter().map(|(name, n)| (name.as_str(), *n)).collect();
    let root = folder(&files);
    let inventory = read(root.path(), &[]);
    for seed in 0..40 {
        let split = inventory.split(0.2, seed).unwrap();
        let speakers = |side: &Inventory| -> BTreeSet<String> {
            let words = side.positives.iter().filter_map(|file| file.speaker.clone());
            words.chain(side.negatives.iter().filter_map(|file| file.speaker.clone())).collect()
        };
        let (trained, held_out) = (speakers(&split.training), speakers(&split.validation));
        assert!(trained.is_disjoint(&held_out), "seed {seed}: {trained:?} {held_out:?}");
        for side in [&split.training, &split.validation] {
            let words: BTreeSet<usize> = side.positives.iter().map(|file| file.word_idx).collect();
            assert_eq!(words.len(), 2, "seed {seed}");
        }
        assert_eq!(
            split.training.positives.len() + split.validation.positives.len(),
            inventory.positives.len(),
            "seed {seed}"
        );
        assert!(split.notes.is_empty(), "{:?}", split.notes);
        assert_eq!(inventory.split(0.2, seed).unwrap().validation, split.validation);
    }
}

#[test]
fn with_one_speaker_the_last_clips_are_held_out_and_it_is_said() {
    let root = folder(&[("positive/clip{}.wav", 10), ("negative/{}.wav", 10)]);
    let inventory = read(root.path(), &["hal"]);
    let split = inventory.split(0.2, 1).unwrap();
    let names: Vec<String> =
        split.validation.positives.iter().map(|file| file.path.file_name().unwrap().to_string_lossy().into()).collect();
    assert_eq!(names, ["clip8.wav", "clip9.wav"]);
    assert_eq!(split.validation.negatives.len(), 2);
    assert!(split.notes[0].contains("\"hal\" name fewer than two speakers"), "{:?}", split.notes);
}

#[test]
fn folders_elsewhere_join_the_other_speech_and_the_noise() {
    let root = folder(&[("positive/clip{}.wav", 5)]);
    let shelf =
        folder(&[("radio/news/{}.wav", 3), ("radio/loose{}.wav", 2), ("fans/{}.wav", 2), ("nothing/notes.txt", 1)]);
    let read_with = |negatives: &[&str], noises: &[&str]| {
        let folders = |names: &[&str]| names.iter().map(|name| shelf.path().join(name)).collect();
        let elsewhere = Elsewhere { negatives: folders(negatives), noises: folders(noises) };
        Inventory::read_with(root.path(), &["hal".to_owned()], &elsewhere)
    };
    let inventory = read_with(&["radio"], &["fans"]).unwrap();
    let sources: BTreeSet<&str> = inventory.negatives.iter().map(|file| file.source.as_str()).collect();
    assert_eq!(sources, BTreeSet::from(["news", "radio"]));
    assert_eq!((inventory.negatives.len(), inventory.noises.len()), (5, 2));

    let complaint = |negatives: &[&str], noises: &[&str]| read_with(negatives, noises).unwrap_err().to_string();
    assert_says(&complaint(&[], &["fans"]), &["no usable sound files without the wake word", "negative"]);
    assert_says(&complaint(&["radio", "nothing"], &[]), &["no sound files in", "nothing"]);
    assert_says(&complaint(&["gone"], &[]), &["cannot read", "gone"]);
}

#[test]
fn where_no_clip_can_be_spared_only_other_speech_is_held_out() {
    let root = folder(&[("positive/clip{}.wav", 5), ("negative/{}.wav", 10), ("noise/{}.wav", 4)]);
    let inventory = read(root.path(), &["hal"]);
    let split = inventory.split_others(0.3, 1).unwrap();
    assert_eq!(split.training.positives, inventory.positives);
    assert_eq!(split.validation.positives, inventory.positives);
    assert_eq!((split.training.negatives.len(), split.validation.negatives.len()), (7, 3));
    assert!(split.training.negatives.iter().all(|file| !split.validation.negatives.contains(file)));
    assert_eq!(split.training.noises.len() + split.validation.noises.len(), 4);
}

#[test]
fn a_test_folder_that_comes_with_few_clips_stays_a_test() {
    let root = folder(&[
        ("wake-word/x-{}.wav", 5),
        ("not-wake-word/n-{}.wav", 6),
        ("test/wake-word/y-{}.wav", 3),
        ("test/not-wake-word/m-{}.wav", 1),
    ]);
    let split = read(root.path(), &["hey computer"]).split_others(0.3, 1).unwrap();
    assert_eq!((split.training.positives.len(), split.validation.positives.len()), (5, 3));
    assert_eq!(split.validation.negatives.len(), 1);
}
