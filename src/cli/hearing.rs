//! Flags that all commands share which hear something: the model and the threshold.

use anyhow::Result;
use clap::Args;

use super::context::Context;

/// What to hear with.
#[derive(Args, Clone)]
pub(super) struct HearingArgs {
    /// Name or folder of the model
    #[arg(short, long)]
    model: Option<String>,
    /// Replace every word's threshold
    #[arg(short, long, value_name = "X", allow_negative_numbers = true)]
    threshold: Option<f64>,
}

impl HearingArgs {
    /// Lays the flags over the configuration.
    pub(super) fn apply(&self, context: &mut Context) -> Result<()> {
        if let Some(model) = &self.model {
            context.set_flag("--model", "model.path", model.as_str())?;
        }
        if let Some(threshold) = self.threshold {
            context.set_flag("--threshold", "trigger.threshold", threshold)?;
        }
        Ok(())
    }
}
