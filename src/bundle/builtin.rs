//! Models that are part of the binary, so that one file is all there is to install.

/// A built-in model: its name and the bytes of its two files.
pub struct BuiltinModel {
    /// As given to `--model`.
    pub name: &'static str,
    pub(super) manifest: &'static str,
    pub(super) weights: &'static [u8],
}

/// The models that ship with tripword; the first is the default.
pub const BUILTIN_MODELS: &[BuiltinModel] = &[BuiltinModel {
    name: "six-words",
    manifest: include_str!("../../models/six-words/manifest.toml"),
    weights: include_bytes!("../../models/six-words/weights.safetensors"),
}];
