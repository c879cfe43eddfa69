//! What the differentiable network carries from one sequence to the next.

use candle_core::{Device, Result, Tensor};

/// What a batch of streams carries from one sequence to the next.
#[derive(Debug, Clone)]
pub struct NetworkState {
    /// For each convolution the inputs that its next outputs still need, `(batch, kernel − stride, inputs)`.
    pub convolution_tails: Vec<Tensor>,
    /// For each recurrent layer `(batch, state)`: h, and behind it the LSTM's c. Zeros where a row is new.
    pub recurrent: Vec<Tensor>,
    /// 1 for rows that have heard nothing yet and begin with the initial state, else 0, `(batch, 1)`; none: no row is new.
    pub is_new: Option<Tensor>,
}

impl NetworkState {
    /// The same state as a constant: gradients end here.
    pub fn detached(&self) -> Self {
        let detached = |tensors: &[Tensor]| tensors.iter().map(Tensor::detach).collect();
        Self {
            convolution_tails: detached(&self.convolution_tails),
            recurrent: detached(&self.recurrent),
            is_new: self.is_new.clone(),
        }
    }

    /// The same with the rows that `is_reset` names as they are before anything was heard.
    ///
    /// # Errors
    /// When a tensor cannot be made, or there are not as many rows.
    pub fn reset_rows(&self, is_reset: &[bool]) -> Result<Self> {
        let number = |is_one: bool| if is_one { 1.0f32 } else { 0.0 };
        let column = |is_one: &dyn Fn(bool) -> bool| {
            let numbers = is_reset.iter().map(|&reset| number(is_one(reset))).collect();
            Tensor::from_vec(numbers, (is_reset.len(), 1), &Device::Cpu)
        };
        let keep = column(&|reset| !reset)?;
        let kept = |tensor: &Tensor| {
            let mut shape = vec![1; tensor.rank()];
            shape[0] = is_reset.len();
            tensor.broadcast_mul(&keep.reshape(shape)?)
        };
        let is_new = column(&|reset| reset)?;
        Ok(Self {
            convolution_tails: self.convolution_tails.iter().map(kept).collect::<Result<_>>()?,
            recurrent: self.recurrent.iter().map(kept).collect::<Result<_>>()?,
            is_new: Some(match &self.is_new {
                Some(already) => already.maximum(&is_new)?,
                None => is_new,
            }),
        })
    }
}
