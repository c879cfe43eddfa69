//! The arithmetic under the network: dense and recurrent layers on plain `f32` slices, and the same as
//! differentiable operations on candle tensors.
//!
//! The rule of the house is **one order of summation**. Every output number is one chain of fused multiply-adds over
//! its inputs in ascending order, started from its bias, whatever the number of rows or time steps in the call. Parallel
//! lanes and register tiles always run over *different* outputs and never split a sum. So one step at a time, a whole
//! recording and a training batch agree to the last bit, and a row that holds a NaN leaves the others alone.
//!
//! * [`PackedDense`]: a dense layer; with overlapping rows, a strided convolution over time.
//! * [`PackedRecurrent`]: a recurrent layer, GRU, LSTM or plain, that carries its state from call to call.
//! * [`recurrent_sequence`], [`unfold_conv`]: both for training, with hand-written gradients.
//! * [`Isa`]: which instructions do the work. AVX-512 and AVX2 give the same bits; the portable path does too wherever
//!   the target fuses multiply-adds, and stays within a few units in the last place elsewhere.
//!
//! Everything here runs on the calling thread; callers split their rows over threads. This is the only module of the
//! crate that holds `unsafe` code: the intrinsics need it, and the tiles address memory by pointer.

mod activation;
mod aligned;
mod conv_op;
mod dense;
mod isa;
mod matmul;
mod outer;
mod panels;
mod recurrent;
mod simd;
mod tensor;

pub use conv_op::{ConvShape, unfold_conv};
pub use dense::{Activation, PackedDense};
pub use isa::Isa;
pub use recurrent::{PackedRecurrent, RecurrentCell, RecurrentScratch, recurrent_sequence};
