//! One client: what it says, and what it is answered.

use std::borrow::Borrow;

use serde_json::{Value, json};

use super::{AudioFormat, Event, Given, MICROPHONE_NAME, info};
use crate::audio::ChannelChoice;
use crate::audio::packets::PacketDecoder;
use crate::audio::pcm::{PcmFormat, PcmSampleFormat};
use crate::bundle::Bundle;
use crate::detector::Detection;
use crate::names::same_word;
use crate::pipeline::{FeatureBlock, FeatureStage, InferenceStage};
use crate::units::SampleRate;

/// What one client has said so far. `B` lends the model, which sessions share.
pub struct Session<B> {
    bundle: B,
    /// What clients may have of the daemon's microphone, where there is one.
    microphone: Option<Given>,
    /// Which words it wants to be told of.
    is_wanted: Vec<bool>,
    /// What the client would have of the microphone.
    wishes: Wishes,
    /// Given with `detect`, and given back with what is told.
    context: Option<Value>,
    stream: Option<Stream<B>>,
}

/// What a client would have of the daemon's microphone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Wishes {
    /// It has asked for words: it is told of them while it sends no sound of its own.
    pub(super) words: bool,
    /// It is to get the sound.
    pub(super) sound: bool,
}

/// Sound under way.
struct Stream<B> {
    format: AudioFormat,
    decoder: PacketDecoder,
    features: FeatureStage,
    inference: InferenceStage<B>,
    block: FeatureBlock,
    samples: Vec<f32>,
    /// The client's time of the first sample.
    start_ms: Option<i64>,
    has_told: bool,
}

/// A client's context of more JSON than this is not kept.
const CONTEXT_BYTES_MOST: usize = 4096;

impl<B: Borrow<Bundle> + Clone> Session<B> {
    /// A client that has said nothing yet: it wants to be told of all words.
    pub fn new(bundle: B) -> Self {
        Self::beside_microphone(bundle, None)
    }

    /// A client of a daemon that gives of its own microphone.
    pub fn beside_microphone(bundle: B, microphone: Option<Given>) -> Self {
        let n_words = bundle.borrow().manifest.words.len();
        let wishes = Wishes { words: false, sound: microphone == Some(Given::SoundToAll) };
        Self { bundle, microphone, is_wanted: vec![true; n_words], wishes, context: None, stream: None }
    }

    /// Takes what the client says and hands each answer to `answer`, in order.
    pub fn handle(&mut self, event: &Event, answer: &mut dyn FnMut(Event)) {
        match event.kind.as_str() {
            "describe" => answer(info(&self.bundle.borrow().manifest, self.gives_sound())),
            "ping" => answer(Event { kind: "pong".into(), ..event.clone() }),
            "detect" => self.detect(event, answer),
            "audio-start" => match self.begin(event) {
                Ok(()) => {}
                Err(text) => answer(Event::error("bad-audio", &text)),
            },
            "audio-chunk" => self.hear(event, answer),
            "audio-stop" => self.finish(answer),
            "select-program" => self.select(event, answer),
            // Of a newer protocol, or for another service.
            other => tracing::debug!(event = other, "not for a wake service"),
        }
    }

    /// What the client would have of the microphone.
    pub(super) fn wishes(&self) -> Wishes {
        self.wishes
    }

    /// Whether the client has asked for `word` and sends no sound of its own, so that another microphone hears for it; gives the
    /// context it asked with. Who asked for any word is told of one, too, that came with another model meanwhile.
    pub fn wants_of_microphone(&self, word: &str) -> Option<Option<Value>> {
        let words = &self.bundle.borrow().manifest.words;
        let mut wanted = words.iter().zip(&self.is_wanted).filter(|(_, is_wanted)| **is_wanted);
        let is_wanted =
            self.is_wanted.iter().all(|is_wanted| *is_wanted) || wanted.any(|(known, _)| same_word(&known.name, word));
        (self.wishes.words && self.stream.is_none() && is_wanted).then(|| self.context.clone())
    }

    fn gives_sound(&self) -> bool {
        matches!(self.microphone, Some(Given::SoundToWhoSelects | Given::SoundToAll))
    }

    fn select(&mut self, event: &Event, answer: &mut dyn FnMut(Event)) {
        // What else is selected is the only one of its kind.
        if event.data.get("name").and_then(Value::as_str) != Some(MICROPHONE_NAME) {
            return;
        }
        if self.gives_sound() {
            self.wishes.sound = true;
        } else {
            let text = "the microphone's sound is not given away here; 'tripword listen --wyoming sound' would";
            answer(Event::error("no-microphone", text));
        }
    }

    fn detect(&mut self, event: &Event, answer: &mut dyn FnMut(Event)) {
        self.wishes.words = true;
        self.context = event.data.get("context").filter(|context| !context.is_null()).cloned();
        let n_bytes = self.context.as_ref().map_or(0, |context| context.to_string().len());
        if n_bytes > CONTEXT_BYTES_MOST {
            self.context = None;
            let text = format!("the context is {n_bytes} bytes of JSON; at most {CONTEXT_BYTES_MOST} are given back");
            answer(Event::error("context-too-long", &text));
        }
        let words = &self.bundle.borrow().manifest.words;
        let Some(Value::Array(names)) = event.data.get("names").filter(|names| **names != json!([])) else {
            self.is_wanted.fill(true);
            return;
        };
        let names: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
        let is_named = |word: &str| names.iter().any(|name| same_word(name, word));
        self.is_wanted = words.iter().map(|word| is_named(&word.name)).collect();
        if !self.is_wanted.contains(&true) {
            let known: Vec<&str> = words.iter().map(|word| word.name.as_str()).collect();
            let text =
                format!("none of the words {} is known; this service hears {}", names.join(", "), known.join(", "));
            answer(Event::error("unknown-word", &text));
        }
    }

    /// Begins a stream at its start: whatever was heard before is forgotten.
    fn begin(&mut self, event: &Event) -> Result<(), String> {
        self.stream = None;
        let format = event.audio_format()?;
        let sample_format = match format.width {
            1 => PcmSampleFormat::U8,
            2 => PcmSampleFormat::S16le,
            3 => PcmSampleFormat::S24le,
            4 => PcmSampleFormat::S32le,
            other => return Err(format!("width is {other}; expected 1, 2, 3 or 4 bytes a sample")),
        };
        let channels = u16::try_from(format.channels).ok().filter(|channels| (1..=64).contains(channels));
        let channels = channels.ok_or_else(|| format!("channels are {}; expected 1 to 64", format.channels))?;
        let pcm = PcmFormat { rate: SampleRate::new(format.rate), channels, sample_format };
        let manifest = &self.bundle.borrow().manifest;
        self.stream = Some(Stream {
            format,
            decoder: PacketDecoder::new(pcm, ChannelChoice::Mix).map_err(|error| error.to_string())?,
            features: FeatureStage::new(manifest),
            inference: InferenceStage::new(self.bundle.clone()),
            block: FeatureBlock::default(),
            samples: Vec::new(),
            start_ms: event.timestamp_ms(),
            has_told: false,
        });
        Ok(())
    }

    fn hear(&mut self, event: &Event, answer: &mut dyn FnMut(Event)) {
        // Some clients begin with the sound, and one whose format changes has begun anew.
        let is_same = |stream: &Stream<B>| event.audio_format().map_or(true, |format| format == stream.format);
        if !self.stream.as_ref().is_some_and(is_same)
            && let Err(text) = self.begin(event)
        {
            answer(Event::error("bad-audio", &text));
            return;
        }
        let Some(stream) = &mut self.stream else { return };
        stream.samples.clear();
        stream.decoder.push(&event.payload, &mut stream.samples);
        self.run(answer);
    }

    /// Ends the stream. A word at its very end is still told; if none was, that is told.
    fn finish(&mut self, answer: &mut dyn FnMut(Event)) {
        if let Some(stream) = &mut self.stream {
            stream.samples.clear();
            stream.decoder.finish(&mut stream.samples);
            self.run(answer);
            if let Some(stream) = &mut self.stream
                && stream.features.finish(&mut stream.block)
            {
                self.infer(answer);
            }
        }
        // Whoever waits for an answer gets one, with or without sound.
        if !self.stream.take().is_some_and(|stream| stream.has_told) {
            let data = self.context.as_ref().map_or(Value::Null, |context| json!({ "context": context }));
            answer(Event::new("not-detected", data));
        }
    }

    fn run(&mut self, answer: &mut dyn FnMut(Event)) {
        let Some(stream) = &mut self.stream else { return };
        if stream.features.push(&stream.samples, &mut stream.block) {
            self.infer(answer);
        }
    }

    fn infer(&mut self, answer: &mut dyn FnMut(Event)) {
        let Some(Stream { inference, block, start_ms, has_told, .. }) = &mut self.stream else { return };
        let (words, is_wanted, context) = (&self.bundle.borrow().manifest.words, &self.is_wanted, &self.context);
        inference.push(
            block,
            |_| {},
            |detection| {
                if is_wanted[detection.word_idx] {
                    *has_told = true;
                    let timestamp_ms = start_ms.map(|start_ms| start_ms + time_ms(&detection));
                    answer(told(&words[detection.word_idx].name, timestamp_ms, context.as_ref()));
                }
            },
        );
    }
}

/// The time of the decision since the stream began.
fn time_ms(detection: &Detection) -> i64 {
    (SampleRate::MODEL.seconds(detection.decision_sample) * 1000.0).round() as i64
}

/// The `detection` of a word.
pub(super) fn told(word: &str, timestamp_ms: Option<i64>, context: Option<&Value>) -> Event {
    let mut event = Event::new("detection", json!({ "name": word, "timestamp": timestamp_ms, "speaker": null }));
    if let Some(context) = context {
        event.data.insert("context".into(), context.clone());
    }
    event
}
