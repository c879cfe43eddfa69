//! The numbers inside candle tensors.

use candle_core::{CpuStorage, DType, Layout, Result, Storage, Tensor, bail};

/// The numbers of a contiguous `f32` storage.
pub(super) fn floats<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let Some((start, end)) = layout.contiguous_offsets() else { bail!("the kernels need contiguous tensors") };
    Ok(&storage.as_slice::<f32>()?[start..end])
}

/// The numbers of a contiguous `f32` tensor whose storage is locked by the caller.
pub(super) fn stored_floats<'a>(storage: &'a Storage, layout: &Layout) -> Result<&'a [f32]> {
    match storage {
        Storage::Cpu(storage) => floats(storage, layout),
        _ => bail!("the kernels run on the CPU only"),
    }
}

/// Refuses tensors that the kernels cannot read.
pub(super) fn check_f32(op: &str, tensors: &[&Tensor]) -> Result<()> {
    for tensor in tensors {
        if tensor.dtype() != DType::F32 || !tensor.device().is_cpu() {
            bail!("{op} works on f32 tensors on the CPU, not {:?} on {:?}", tensor.dtype(), tensor.device().location());
        }
    }
    Ok(())
}
