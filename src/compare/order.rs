//! In which order the runs are done.

use super::material::{BankKey, ValidationKey};
use crate::train::TrainConfig;

/// Configurations that share their streams, by their places.
type OfBank = Vec<(ValidationKey, Vec<usize>)>;

/// Seed by seed, all configurations: their places in `configs`, with the seed. Configurations that share recordings as they are made
/// for training and testing follow each other, and every other seed goes backwards, so that few of these are made anew.
pub(super) fn run_order(configs: &[&TrainConfig], seeds: &[u64]) -> Vec<(usize, u64)> {
    let mut groups: Vec<(BankKey, OfBank)> = Vec::new();
    for (idx, config) in configs.iter().enumerate() {
        let of_bank = entry(&mut groups, BankKey::of(config));
        entry(of_bank, ValidationKey::of(config)).push(idx);
    }
    let forwards: Vec<usize> =
        groups.into_iter().flat_map(|(_, of_bank)| of_bank.into_iter().flat_map(|(_, idxs)| idxs)).collect();
    let of_seed = |(i, &seed): (usize, &u64)| {
        let mut idxs = forwards.clone();
        if i % 2 == 1 {
            idxs.reverse();
        }
        idxs.into_iter().map(move |idx| (idx, seed))
    };
    seeds.iter().enumerate().flat_map(of_seed).collect()
}

/// What belongs to `key`; empty at first.
fn entry<K: PartialEq, V: Default>(groups: &mut Vec<(K, V)>, key: K) -> &mut V {
    let idx = groups.iter().position(|(known, _)| *known == key).unwrap_or_else(|| {
        groups.push((key, V::default()));
        groups.len() - 1
    });
    &mut groups[idx].1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_seed_has_all_configurations_and_material_is_seldom_made_anew() {
        let plain = TrainConfig::default();
        let mut other_bank = TrainConfig::default();
        other_bank.mix.bank.n_room_variants = 2;
        let mut other_shape = TrainConfig::default();
        other_shape.network.convolutions.clear();
        let wide = TrainConfig { batch_size: 7, ..TrainConfig::default() };
        let order = run_order(&[&plain, &other_bank, &other_shape, &wide], &[5, 9]);
        assert_eq!(order, [(0, 5), (3, 5), (2, 5), (1, 5), (1, 9), (2, 9), (3, 9), (0, 9)]);
    }
}
