//! A source that hears what a test sends it.

use crossbeam_channel::Receiver;
use tripword::audio::{AudioError, AudioSource, Read};
use tripword::units::SampleRate;

/// Delivers what it is sent, portion by portion.
pub(crate) struct Fed(pub(crate) Receiver<Vec<f32>>, pub(crate) Vec<f32>);

impl AudioSource for Fed {
    fn sample_rate(&self) -> SampleRate {
        SampleRate::MODEL
    }

    fn name(&self) -> &str {
        "fed"
    }

    fn read(&mut self, chunk: &mut [f32]) -> Result<Read, AudioError> {
        if self.1.is_empty() {
            let Ok(portion) = self.0.recv() else { return Ok(Read::End) };
            self.1 = portion;
        }
        let n = chunk.len().min(self.1.len());
        chunk[..n].copy_from_slice(&self.1[..n]);
        self.1.drain(..n);
        Ok(Read::Samples(n))
    }
}
