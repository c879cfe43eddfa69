//! The recordings as they are learned from and tested on, made once for all runs that need them alike.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Result, bail};

use super::configuration::MATERIAL_SEED;
use super::run::CompareObserver;
use crate::dataset::{Bank, BankConfig, SkippedFile};
use crate::features::FeatureConfig;
use crate::train::{Sides, TrainConfig, ValidationSet};

/// What decides the variants that are learned from.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct BankKey {
    features: FeatureConfig,
    bank: BankConfig,
}

impl BankKey {
    pub(super) fn of(config: &TrainConfig) -> Self {
        Self { features: config.features.clone(), bank: config.mix.bank.clone() }
    }
}

/// What decides the streams that are tested on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ValidationKey {
    features: FeatureConfig,
    frames_per_step: usize,
}

impl ValidationKey {
    pub(super) fn of(config: &TrainConfig) -> Self {
        Self { features: config.features.clone(), frames_per_step: config.network.frames_per_step() }
    }
}

/// The last of each that was made.
pub(super) struct Materials<'a> {
    pub(super) sides: &'a Sides,
    bank: Option<(BankKey, Arc<Bank>)>,
    validation: Option<(ValidationKey, Arc<ValidationSet>)>,
    skipped: BTreeSet<PathBuf>,
}

impl<'a> Materials<'a> {
    pub(super) fn new(sides: &'a Sides) -> Self {
        Self { sides, bank: None, validation: None, skipped: BTreeSet::new() }
    }

    /// What `config` learns from. One that was made for another configuration is let go first.
    pub(super) fn bank(&mut self, config: &TrainConfig, observer: &dyn CompareObserver) -> Result<Arc<Bank>> {
        let key = BankKey::of(config);
        if let Some((known, bank)) = &self.bank
            && *known == key
        {
            return Ok(bank.clone());
        }
        self.bank = None;
        let on_progress = |done: usize, total: usize| observer.on_preparing("reading recordings", done, total);
        let (bank, skipped) =
            Bank::build(&self.sides.training, &config.features, &config.mix, MATERIAL_SEED, &on_progress)?;
        self.report(&skipped, observer);
        let bank = Arc::new(bank);
        self.bank = Some((key, bank.clone()));
        Ok(bank)
    }

    /// What `config` is tested on: the streams that `tripword eval` lays out.
    pub(super) fn validation(
        &mut self,
        config: &TrainConfig,
        observer: &dyn CompareObserver,
    ) -> Result<Arc<ValidationSet>> {
        let key = ValidationKey::of(config);
        if let Some((known, set)) = &self.validation
            && *known == key
        {
            return Ok(set.clone());
        }
        self.validation = None;
        let on_progress =
            |done: usize, total: usize| observer.on_preparing("laying out validation recordings", done, total);
        let config = TrainConfig { seed: MATERIAL_SEED, ..config.clone() };
        let mut skipped = Vec::new();
        let set = ValidationSet::new(&self.sides.validation, &config, &mut skipped, &on_progress);
        self.report(&skipped, observer);
        if set.positives.is_empty() || set.negatives.is_empty() {
            bail!("no usable recordings are left for validation; add clips of another speaker, or more negatives");
        }
        let set = Arc::new(set);
        self.validation = Some((key, set.clone()));
        Ok(set)
    }

    /// Names each file once.
    fn report(&mut self, skipped: &[SkippedFile], observer: &dyn CompareObserver) {
        for file in skipped {
            if self.skipped.insert(file.path.clone()) {
                observer.on_skipped(file);
            }
        }
    }
}
