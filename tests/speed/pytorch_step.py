"""A training step of PyTorch's: the network, batch and loss of a file that our benchmark wrote.

pytorch_step.py FILE N_THREADS: first shows that loss and gradient are ours, then prints {"cpu_ms", "wall_ms", "version"}.
"""

import json
import os
import statistics
import sys
import time

file, n_threads = sys.argv[1], int(sys.argv[2])
for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = str(n_threads)

import torch
from safetensors.torch import load_file
from torch import nn

N_WARM_UP, N_STEPS = 3, 15
STRIDES = {10: 4, 5: 2}  # kernel: stride, of all networks compared here

torch.set_num_threads(n_threads)
tensors = load_file(file)


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        n_inputs = tensors["features"].shape[2]
        self.convolutions = nn.ModuleList()
        while (weight := tensors.get(f"conv{len(self.convolutions)}.weight")) is not None:
            i = len(self.convolutions)
            kernel = weight.shape[1] // n_inputs
            convolution = nn.Conv1d(n_inputs, weight.shape[0], kernel, STRIDES[kernel])
            # Ours has the window flattened with time outermost.
            convolution.weight.data = weight.reshape(-1, kernel, n_inputs).transpose(1, 2).contiguous()
            convolution.bias.data = tensors[f"conv{i}.bias"]
            self.convolutions.append(convolution)
            n_inputs = weight.shape[0]
        hidden = tensors["head.weight"].shape[1]
        self.gru = nn.GRU(n_inputs, hidden, num_layers=2, batch_first=True)
        for layer in range(2):
            r, z, n, hn = tensors[f"gru.bias_l{layer}"].chunk(4)
            parameters = {
                "weight_ih": tensors[f"gru.weight_ih_l{layer}"],
                "weight_hh": tensors[f"gru.weight_hh_l{layer}"],
                "bias_ih": torch.cat([r, z, n]),
                "bias_hh": torch.cat([torch.zeros_like(r), torch.zeros_like(z), hn]),
            }
            for name, value in parameters.items():
                getattr(self.gru, f"{name}_l{layer}").data.copy_(value)
        self.head = nn.Linear(hidden, tensors["head.weight"].shape[0])
        self.head.weight.data, self.head.bias.data = tensors["head.weight"], tensors["head.bias"]

    def forward(self, features):
        x = features.transpose(1, 2)
        for convolution in self.convolutions:
            # A stream begins with silence: zeros stand before its first frame.
            x = nn.functional.pad(x, (convolution.kernel_size[0] - convolution.stride[0], 0))
            x = torch.relu(convolution(x))
        x, _ = self.gru(x.transpose(1, 2))
        return self.head(x)


network = Network()
features, targets = tensors["features"], tensors["targets"]
weights = torch.where(targets > 0.5, 1 / targets.sum(), tensors["negative_weight"] / (1 - targets).sum())
optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, fused=True)


def step():
    optimizer.zero_grad()
    logits = network(features)
    loss = nn.functional.binary_cross_entropy_with_logits(logits, targets, weights, reduction="sum")
    loss.backward()
    norm = nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimizer.step()
    return loss.item(), norm.item()


def bias_norm_squared():
    """PyTorch has two biases for r and z where we have one: the second set of gradients is the first's copy."""
    hidden = network.gru.hidden_size
    return sum(
        float(getattr(network.gru, f"bias_hh_l{layer}").grad[: 2 * hidden].square().sum()) for layer in range(2)
    )


optimizer.zero_grad()
loss = nn.functional.binary_cross_entropy_with_logits(network(features), targets, weights, reduction="sum")
loss.backward()
squares = sum(float(parameter.grad.square().sum()) for parameter in network.parameters()) - bias_norm_squared()
for name, ours, theirs in (
    ("loss", tensors["result.loss"].item(), loss.item()),
    ("gradient norm", tensors["result.gradient_norm"].item(), squares**0.5),
):
    assert abs(ours - theirs) < 1e-4 * abs(theirs), f"{name}: ours {ours}, PyTorch's {theirs}; not the same network"

for _ in range(N_WARM_UP):
    step()
cpu_s, wall_s = [], []
for _ in range(N_STEPS):
    cpu, wall = time.process_time(), time.perf_counter()
    step()
    cpu_s.append(time.process_time() - cpu)
    wall_s.append(time.perf_counter() - wall)
median_ms = {"cpu_ms": statistics.median(cpu_s) * 1e3, "wall_ms": statistics.median(wall_s) * 1e3}
print(json.dumps({**median_ms, "version": torch.__version__}))
