//! From recordings to batches: what is skipped, what is cached, what a mixture holds and how it is labelled.

mod dataset_support;

use std::path::Path;
use std::sync::Arc;

use dataset_support::{RATE, noise, speech, spoken_word, tone, write_wav};
use tempfile::TempDir;
use tripword::dataset::{
    Bank, BankConfig, Batch, BatchConfig, BatchStream, EqualizerConfig, Example, HardNegative, Inventory, MixConfig,
    Mixer, RoomConfig, SkipReason, WordClip,
};
use tripword::features::FeatureConfig;
use tripword::units::{Milliseconds, decibels_to_power, power_to_decibels};

/// Feature frames an output, as in the default network: 80 ms.
const FRAMES_PER_STEP: usize = 8;

/// Two words of five clips each, six negatives, a noise and a room.
fn recordings() -> TempDir {
    let root = TempDir::new().unwrap();
    let path = |name: String| root.path().join(name);
    for i in 0..5 {
        write_wav(&path(format!("positive/low/{i}.wav")), &spoken_word(150.0 + 5.0 * i as f32));
        write_wav(&path(format!("positive/high/{i}.wav")), &spoken_word(400.0 + 9.0 * i as f32));
    }
    for i in 0..3 {
        write_wav(&path(format!("negative/radio/{i}.wav")), &speech(10 + i));
        write_wav(&path(format!("negative/talk/{i}.wav")), &speech(20 + i));
    }
    write_wav(&path("noise/hum.wav".into()), &tone(3 * RATE, 100.0, 0.2));
    let mut room = noise(2000, 9);
    room.iter_mut().enumerate().for_each(|(i, tap)| *tap *= 0.1 * (-(i as f32) / 300.0).exp());
    room[0] = 0.9;
    write_wav(&path("rir/hall.wav".into()), &room);
    root
}

/// Few rooms and little white noise, so that the tests are quick.
fn quick() -> MixConfig {
    MixConfig {
        bank: BankConfig {
            n_white_noises: 2,
            white_noise_s: 8.0,
            n_speed_variants: 1,
            n_room_variants: 1,
            rooms: RoomConfig { n_rooms: 2, ..RoomConfig::default() },
            ..BankConfig::default()
        },
        ..MixConfig::default()
    }
}

/// A mixture of the items alone: no colouring, gain, noise, warp or stretch.
fn bare() -> MixConfig {
    MixConfig {
        noise_only_probability: 0.0,
        stretch_probability: 0.0,
        warp_probability: 0.0,
        item_gain_db: [0.0, 0.0],
        item_equalizer_db: 0.0,
        babble_probability: 0.0,
        noise_probability: 0.0,
        noise_equalizer_db: 0.0,
        mix_equalizer_db: 0.0,
        level_dbfs: [-20.0, -20.0],
        floor_dbfs: [-120.0, -120.0],
        floor_equalizer_db: 0.0,
        equalizer: EqualizerConfig {
            low_pass_probability: 0.0,
            high_pass_probability: 0.0,
            ..EqualizerConfig::default()
        },
        bank: BankConfig { n_speed_variants: 0, n_room_variants: 0, n_negative_variants: 0, ..quick().bank },
        ..MixConfig::default()
    }
}

fn inventory(root: &Path) -> Inventory {
    Inventory::read(root, &["low".to_owned(), "high".to_owned()]).unwrap()
}

fn bank(root: &Path, config: &MixConfig) -> Arc<Bank> {
    let (bank, skipped) =
        Bank::build_on(2, &inventory(root), &FeatureConfig::default(), config, 1, &|_, _| {}).unwrap();
    assert!(skipped.is_empty(), "{skipped:?}");
    Arc::new(bank)
}

fn mixer(root: &Path, config: MixConfig) -> Mixer {
    Mixer::new(bank(root, &config), config, FRAMES_PER_STEP, 2)
}

fn example(mixer: &Mixer, seed: u64) -> Example {
    let mut example = Example::default();
    mixer.example(seed, &mut example);
    example
}

/// Sum over the bands, frame by frame.
fn frame_powers(example: &Example) -> Vec<f32> {
    example.frames.chunks(40).map(|frame| frame.iter().sum()).collect()
}

fn mean(values: &[f32]) -> f32 {
    values.iter().sum::<f32>() / values.len() as f32
}

#[test]
fn recordings_that_cannot_be_used_are_named_with_the_reason() {
    let root = recordings();
    let bad = |name: &str| root.path().join("positive/low").join(name);
    write_wav(&bad("silent.wav"), &[0.0; RATE]);
    write_wav(&bad("short.wav"), &tone(800, 300.0, 0.3));
    let click: Vec<f32> =
        (0..RATE).map(|i| if (8000..8800).contains(&i) { (i as f32).sin() * 0.5 } else { 0.0 }).collect();
    write_wav(&bad("click.wav"), &click);
    std::fs::write(bad("text.wav"), "no sound").unwrap();
    std::fs::write(bad("song.wma"), "").unwrap();
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: RATE as u32,
        bits_per_sample: 32,
        sample_format: hound::SampleFormat::Float,
    };
    let mut writer = hound::WavWriter::create(bad("nan.wav"), spec).unwrap();
    tone(RATE, 300.0, 0.3).iter().chain([&f32::NAN]).for_each(|&sample| writer.write_sample(sample).unwrap());
    writer.finalize().unwrap();

    let config = bare();
    let (bank, skipped) =
        Bank::build_on(1, &inventory(root.path()), &FeatureConfig::default(), &config, 1, &|_, _| {}).unwrap();
    assert_eq!((bank.n_clips(0), bank.n_clips(1)), (5, 5));
    let reason = |name: &str| &skipped.iter().find(|file| file.path.ends_with(name)).expect(name).reason;
    assert!(matches!(reason("silent.wav"), SkipReason::Silent { .. }));
    assert_eq!(*reason("short.wav"), SkipReason::TooShort { found_ms: 50, expected_ms: 100 });
    assert!(matches!(reason("click.wav"), SkipReason::TooShort { found_ms: 50..100, .. }), "{}", reason("click.wav"));
    assert!(reason("text.wav").to_string().contains("cannot be decoded"), "{}", reason("text.wav"));
    assert!(matches!(reason("song.wma"), SkipReason::UnreadKind { .. }));
    assert_eq!(*reason("nan.wav"), SkipReason::NotFinite { n_samples: 1 });
    assert_eq!(skipped.len(), 6);
}

#[test]
fn too_few_usable_recordings_are_refused_with_what_was_skipped() {
    let root = recordings();
    write_wav(&root.path().join("positive/low/0.wav"), &[0.0; RATE]);
    let error =
        Bank::build_on(1, &inventory(root.path()), &FeatureConfig::default(), &bare(), 1, &|_, _| {}).unwrap_err();
    let message = error.to_string();
    assert!(message.contains("4 usable recording(s) of \"low\"") && message.contains("0.wav: silent"), "{message}");
}

#[test]
fn the_bank_does_not_depend_on_the_number_of_threads_and_tells_its_progress() {
    let root = recordings();
    let inventory = inventory(root.path());
    let build = |n_threads, seed| {
        let last = std::cell::Cell::new((0, 0));
        let progress = |done, total| last.set((done, total));
        let (bank, _) =
            Bank::build_on(n_threads, &inventory, &FeatureConfig::default(), &quick(), seed, &progress).unwrap();
        // 10 words, 6 negatives, 1 noise, 2 white noises.
        assert_eq!(last.get(), (19, 19));
        bank
    };
    let one = build(1, 1);
    assert!(one == build(3, 1));
    assert!(one != build(1, 2));
}

#[test]
fn words_are_cached_at_one_level_with_their_place() {
    let root = recordings();
    let bank = bank(root.path(), &quick());
    for clip in &bank.positives {
        assert_eq!(clip.variants.len(), 3);
        for variant in &clip.variants {
            // What the recording has before the word; half a second of word and the reach of the detector, at 0.9 to 1.1 times
            // the speed.
            assert!((11..=60).contains(&variant.word.start), "{:?}", variant.word);
            assert!((44..=61).contains(&variant.word.len()), "{:?}", variant.word);
            assert!(variant.frames.len() >= variant.word.end + 13);
        }
    }
    let level = |clip: &WordClip| {
        let mut frames = Vec::new();
        clip.variants[0].frames.append_to(20..50, &mut frames);
        power_to_decibels(frames.iter().sum())
    };
    // Of one word: the bands weigh the frequencies of another differently.
    let levels: Vec<f32> = bank.positives[bank.clips_of_word[0].clone()].iter().map(level).collect();
    assert!(levels.iter().all(|level| (level - levels[0]).abs() < 1.5), "{levels:?}");
    assert_eq!(bank.word_durations_samples(0).len(), 5);
}

#[test]
fn a_seed_gives_one_mixture_and_buffers_leave_no_trace() {
    let root = recordings();
    let mixer = mixer(root.path(), quick());
    let mut reused = Example::default();
    let mut different = 0;
    for seed in 0..30 {
        mixer.example(seed, &mut reused);
        let fresh = example(&mixer, seed);
        assert_eq!((&reused.frames, &reused.targets, &reused.weights), (&fresh.frames, &fresh.targets, &fresh.weights));
        assert_eq!(reused.words, fresh.words);
        assert_eq!(fresh.frames.len(), 600 * 40);
        assert_eq!((fresh.targets.len(), fresh.weights.len()), (75 * 2, 75 * 2));
        assert!(fresh.frames.iter().all(|power| power.is_finite() && *power >= 0.0));
        different += usize::from(fresh.frames != example(&mixer, seed + 1).frames);
    }
    assert_eq!(different, 30);
}

#[test]
fn labels_begin_where_the_sound_of_the_word_ends() {
    let root = recordings();
    let config = MixConfig { n_words_weights: vec![0.0, 1.0], n_negatives_weights: vec![1.0], ..bare() };
    let mixer = mixer(root.path(), config);
    for seed in 0..40 {
        let example = example(&mixer, seed);
        let powers = frame_powers(&example);
        let loudest = powers.iter().cloned().fold(0.0, f32::max);
        let last_loud = powers.iter().rposition(|&power| power > loudest * 0.25).unwrap();
        let labelled: Vec<usize> =
            (0..75).filter(|step| example.targets[step * 2] + example.targets[step * 2 + 1] > 0.0).collect();
        assert_eq!(labelled, (labelled[0]..labelled[0] + 4).collect::<Vec<_>>(), "seed {seed}");
        // The state goes on into the next mixture, the labels do not: all that belongs to the word is inside.
        assert!(labelled[0] + 4 + 5 <= 75, "seed {seed}: {labelled:?}");
        // The frame after the last loud one, in outputs; windows and end-points are good for 3 frames.
        let end = (last_loud + 1) as f32 / FRAMES_PER_STEP as f32;
        assert!((labelled[0] as f32 - end).abs() <= 0.5 + 3.0 / 8.0, "seed {seed}: {} {end}", labelled[0]);
    }
}

#[test]
fn what_is_kept_after_a_word_is_no_sign_of_the_word() {
    let root = recordings();
    let config = MixConfig { n_words_weights: vec![0.0, 1.0], n_negatives_weights: vec![1.0], ..bare() };
    let mixer = mixer(root.path(), config);
    // Frames from the label to the moment at which the recording's own floor ends.
    let kept: std::collections::BTreeSet<usize> = (0..40)
        .map(|seed| {
            let example = example(&mixer, seed);
            let label = (0..75).find(|step| example.targets[step * 2] + example.targets[step * 2 + 1] > 0.0).unwrap();
            let last = frame_powers(&example).iter().rposition(|&power| power > 1e-8).unwrap();
            last.saturating_sub(label * FRAMES_PER_STEP) / 8
        })
        .collect();
    assert!(kept.len() >= 3, "{kept:?}");
}

#[test]
fn a_recording_in_which_the_word_seems_far_too_long_is_named() {
    let root = recordings();
    let long = [spoken_word(160.0), spoken_word(160.0), spoken_word(160.0)].concat();
    write_wav(&root.path().join("positive/low/long.wav"), &long);
    std::fs::write(
        root.path().join("manifest.tsv"),
        "path\tspeech_start_s\tspeech_end_s\npositive/low/long.wav\t0.1\t2.0\n",
    )
    .unwrap();
    let (_, skipped) =
        Bank::build_on(1, &inventory(root.path()), &FeatureConfig::default(), &quick(), 1, &|_, _| {}).unwrap();
    assert_eq!(skipped.len(), 1);
    assert!(skipped[0].path.ends_with("low/long.wav"));
    assert!(skipped[0].reason.to_string().contains("the word seems to last"), "{}", skipped[0].reason);
}

#[test]
fn a_word_cut_by_the_end_has_no_weight_and_no_target() {
    let root = recordings();
    let config = MixConfig {
        n_words_weights: vec![0.0, 1.0],
        n_negatives_weights: vec![1.0],
        cut_word_probability: 1.0,
        ..bare()
    };
    let mixer = mixer(root.path(), config);
    for seed in 0..20 {
        let example = example(&mixer, seed);
        assert!(example.targets.iter().all(|&target| target == 0.0), "seed {seed}");
        let ignored: Vec<usize> =
            (0..75).filter(|step| example.weights[step * 2] * example.weights[step * 2 + 1] == 0.0).collect();
        let powers = frame_powers(&example);
        assert!(powers[590..].iter().any(|&power| power > 1e-6), "seed {seed}: the word's beginning is there");
        assert!(ignored.iter().all(|&step| step >= 70), "seed {seed}: {ignored:?}");
        // Less than half the word may be inside; then nothing has to be ignored.
        assert!(ignored.is_empty() || *ignored.last().unwrap() == 74, "seed {seed}: {ignored:?}");
    }
}

#[test]
fn placed_words_agree_with_the_labels() {
    let root = recordings();
    for cut_word_probability in [0.0, 0.5] {
        let n_words_weights = vec![0.1, 0.3, 0.3, 0.2, 0.1];
        let mixer = mixer(root.path(), MixConfig { cut_word_probability, n_words_weights, ..quick() });
        let (mut n_whole, mut n_cut) = (0, 0);
        for seed in 0..150 {
            let Example { targets, weights, words, .. } = &example(&mixer, seed);
            let ends: Vec<usize> = words.iter().map(|word| word.end.unwrap_or(75)).collect();
            assert!(ends.is_sorted(), "seed {seed}: {words:?}");
            for word_idx in 0..2 {
                let own: Vec<_> = words.iter().filter(|word| word.word_idx == word_idx).collect();
                assert!(own.windows(2).all(|pair| pair[0].steps.end <= pair[1].steps.start), "seed {seed}: {words:?}");
                for step in 0..75 {
                    let label = (targets[step * 2 + word_idx], weights[step * 2 + word_idx]);
                    let window = own.iter().find(|word| word.steps.contains(&step));
                    // Outside of all windows the output is to be 0; from a word's end on it is to be 1.
                    assert!(window.is_some() || label == (0.0, 1.0), "seed {seed} step {step}: {label:?}, {words:?}");
                    let is_after_end =
                        own.iter().any(|word| word.end.is_some_and(|end| (end..end + 4).contains(&step)));
                    assert_eq!(label == (1.0, 1.0), is_after_end, "seed {seed} step {step}: {words:?}");
                }
                for word in own {
                    n_whole += usize::from(word.end.is_some());
                    n_cut += usize::from(word.end.is_none());
                    assert!(word.steps.end <= 75 && word.end.is_none_or(|end| word.steps.contains(&end)), "{word:?}");
                    let is_ignored = |step| weights[step * 2 + word_idx] == 0.0;
                    assert!(word.end.is_some() || word.steps.clone().all(is_ignored), "seed {seed}: {word:?}");
                }
            }
        }
        assert!(n_whole > 100 && (n_cut > 10) == (cut_word_probability > 0.0), "{n_whole} {n_cut}");
    }
}

#[test]
fn level_and_noise_are_as_drawn() {
    let root = recordings();
    let quiet = MixConfig { n_words_weights: vec![1.0], n_negatives_weights: vec![1.0], ..bare() };
    // White noise alone: a level of L dBFS gives 10^(L/10) in every FFT bin, so the sum over the bands is known.
    let white = MixConfig { floor_dbfs: [-30.0, -30.0], ..quiet.clone() };
    let mixer_of_floor = mixer(root.path(), white);
    let floor = mean(&frame_powers(&example(&mixer_of_floor, 1)));
    let weight_of_bands: f32 = {
        let filterbank = tripword::features::MelFilterbank::new(&FeatureConfig::default());
        let mut bands = vec![0.0; 40];
        filterbank.apply(&vec![1.0; filterbank.n_bins()], &mut bands);
        bands.iter().sum()
    };
    let expected = decibels_to_power(-30.0) * weight_of_bands;
    assert!((power_to_decibels(floor) - power_to_decibels(expected)).abs() < 0.3, "{floor} {expected}");

    // The same under the hum or white noise of the bank: words at -20 dBFS and 12 dB over the noise mean noise at -32 dBFS.
    // Without recorded noise all of it is white, and coloured as it may be its power stays.
    std::fs::remove_dir_all(root.path().join("noise")).unwrap();
    let noisy = MixConfig { noise_probability: 1.0, snr_db: [12.0, 12.0], noise_equalizer_db: 4.0, ..quiet };
    let mixer = mixer(root.path(), noisy);
    for seed in 0..10 {
        let found = power_to_decibels(mean(&frame_powers(&example(&mixer, seed))) / weight_of_bands);
        assert!((found + 32.0).abs() < 0.5, "seed {seed}: {found} dBFS");
    }
}

#[test]
fn hard_negatives_are_used_and_places_out_of_the_bank_are_not() {
    let root = recordings();
    let config = MixConfig {
        n_words_weights: vec![1.0],
        n_negatives_weights: vec![0.0, 1.0],
        hard_negative_probability: 1.0,
        ..bare()
    };
    let mut mixer = mixer(root.path(), config);
    let before = example(&mixer, 4);
    mixer.set_hard_negatives(vec![HardNegative { clip_idx: 99, variant: 0, centre_frame: 0 }]);
    assert_eq!(example(&mixer, 4).frames, before.frames);
    mixer.set_hard_negatives(vec![HardNegative { clip_idx: 0, variant: 0, centre_frame: 150 }]);
    assert_ne!(example(&mixer, 4).frames, before.frames);
}

#[test]
fn batches_are_the_same_for_one_worker_and_two_and_from_any_step() {
    let root = recordings();
    let config = MixConfig { duration_ms: Milliseconds(2000), ..quick() };
    let mixer = Arc::new(mixer(root.path(), config));
    let batches = |n_workers, first_step, n| -> Vec<Batch> {
        let config = BatchConfig { seed: 5, n_rows: 3, n_workers, band_mask_probability: 0.4 };
        let mut stream = BatchStream::start(mixer.clone(), config, first_step).unwrap();
        (0..n).map(|_| stream.next_batch().unwrap()).collect()
    };
    let one = batches(1, 0, 7);
    assert_eq!(one, batches(2, 0, 7));
    assert_eq!(one[3..], batches(2, 3, 4));
    assert_eq!(one.iter().map(|batch| batch.step).collect::<Vec<_>>(), (0..7).collect::<Vec<_>>());
    let first = &one[0];
    assert_eq!((first.n_rows, first.n_frames, first.n_steps, first.n_words), (3, 200, 25, 2));
    assert_eq!(first.features.len(), 3 * 200 * 40);
    assert_eq!((first.targets.len(), first.weights.len()), (3 * 25 * 2, 3 * 25 * 2));
    assert_ne!(first.features, one[1].features);
}

#[test]
fn words_come_from_the_recordings_that_are_kept_only() {
    let root = recordings();
    let config = MixConfig { n_words_weights: vec![0.0, 1.0], n_negatives_weights: vec![1.0], ..bare() };
    let bank = bank(root.path(), &config);
    let n_mels = bank.features.n_mels;
    // The highest of "low" and all of "high": no mixture may hold what the other four sound like.
    let kept = bank.clips_of_word[0].end - 1;
    let mut mixer = Mixer::new(bank.clone(), config, FRAMES_PER_STEP, 2);
    let all: Vec<Example> = (0..40).map(|seed| example(&mixer, seed)).collect();
    mixer.keep_clips(|_| true);
    assert_eq!(all, (0..40).map(|seed| example(&mixer, seed)).collect::<Vec<_>>(), "keeping all changes nothing");
    mixer.keep_clips(|clip_idx| clip_idx == kept || bank.clips_of_word[1].contains(&clip_idx));
    let loudest = |frames: &[f32]| {
        let row = frames.chunks_exact(n_mels).max_by(|a, b| a.iter().sum::<f32>().total_cmp(&b.iter().sum())).unwrap();
        let total: f32 = row.iter().sum();
        row.iter().map(|power| power / total).collect::<Vec<f32>>()
    };
    let mut word = Vec::new();
    let frames = &bank.positives[kept].variants[0].frames;
    frames.append_to(0..frames.len(), &mut word);
    let (wanted, mut n_low) = (loudest(&word), 0);
    for seed in 0..60 {
        let example = example(&mixer, seed);
        let is_low = example.targets.chunks_exact(2).any(|targets| targets[0] > 0.5);
        if is_low {
            n_low += 1;
            let distance: f32 = loudest(&example.frames).iter().zip(&wanted).map(|(a, b)| (a - b).abs()).sum();
            assert!(distance < 0.05, "seed {seed}: {distance}");
        }
    }
    assert!(n_low > 10, "{n_low}");
}
