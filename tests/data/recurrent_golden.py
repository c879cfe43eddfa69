"""Writes *_golden.json: numbers of PyTorch's recurrent layers and of their gradients. Those of gru, lstm and rnn are of one layer
that carries its state, those of gru_bidirectional and so on of two layers in both directions.

    python3 -m venv venv && venv/bin/pip install torch && venv/bin/python tests/data/recurrent_golden.py

The files in the repository were made with PyTorch 2.15.0 on the CPU.
"""
import json
import pathlib

import torch


def write(name, numbers):
    path = pathlib.Path(__file__).with_name(f"{name}_golden.json")
    rows = [
        f" {json.dumps(key)}: {json.dumps([round(v, 8) for v in tensor.detach().flatten().tolist()])}"
        for key, tensor in numbers.items()
    ]
    path.write_text("{\n" + ",\n".join(rows) + "\n}\n")


for name, kind in [("gru", torch.nn.GRU), ("lstm", torch.nn.LSTM), ("rnn", torch.nn.RNN)]:
    torch.manual_seed(3)
    layer = kind(3, 4, num_layers=1, batch_first=True)
    x = torch.randn(2, 5, 3, requires_grad=True)
    state = {"h0": torch.randn(1, 2, 4)}
    if name == "lstm":
        state["c0"] = torch.randn(1, 2, 4)
        y, (_, last_memory) = layer(x, (state["h0"], state["c0"]))
        state["cn"] = last_memory
    else:
        y, _ = layer(x, state["h0"])
    (y**2).sum().backward()
    numbers = {
        "w_ih": layer.weight_ih_l0,
        "w_hh": layer.weight_hh_l0,
        "b_ih": layer.bias_ih_l0,
        "b_hh": layer.bias_hh_l0,
        "x": x,
        **state,
        "y": y,
        "dx": x.grad,
        "dw_ih": layer.weight_ih_l0.grad,
        "dw_hh": layer.weight_hh_l0.grad,
        "db_ih": layer.bias_ih_l0.grad,
        "db_hh": layer.bias_hh_l0.grad,
    }
    write(name, numbers)

for name, kind in [("gru", torch.nn.GRU), ("lstm", torch.nn.LSTM), ("rnn", torch.nn.RNN)]:
    torch.manual_seed(4)
    layers = kind(3, 4, num_layers=2, batch_first=True, bidirectional=True)
    x = torch.randn(1, 7, 3, requires_grad=True)
    # Of layer 0 forward and backward, then of layer 1.
    state = {"h0": torch.randn(4, 1, 4, requires_grad=True)}
    if name == "lstm":
        state["c0"] = torch.randn(4, 1, 4, requires_grad=True)
    y, _ = layers(x, (state["h0"], state["c0"]) if name == "lstm" else state["h0"])
    (y**2).sum().backward()
    tensors = {"x": x, **state, **dict(layers.named_parameters())}
    gradients = {f"d{key}": tensor.grad for key, tensor in tensors.items()}
    write(f"{name}_bidirectional", {**tensors, "y": y, **gradients})
