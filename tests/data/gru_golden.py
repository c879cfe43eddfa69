"""Writes gru_golden.json: numbers of PyTorch's GRU, forward and backward.

    python3 -m venv venv && venv/bin/pip install torch && venv/bin/python tests/data/gru_golden.py

The file in the repository was made with PyTorch 2.15.0 on the CPU.
"""
import json
import pathlib

import torch

torch.manual_seed(3)
gru = torch.nn.GRU(3, 4, num_layers=1, batch_first=True)
x = torch.randn(2, 5, 3, requires_grad=True)
h0 = torch.randn(1, 2, 4)
y, _ = gru(x, h0)
(y**2).sum().backward()
numbers = {
    "w_ih": gru.weight_ih_l0,
    "w_hh": gru.weight_hh_l0,
    "b_ih": gru.bias_ih_l0,
    "b_hh": gru.bias_hh_l0,
    "x": x,
    "h0": h0,
    "y": y,
    "dx": x.grad,
    "dw_ih": gru.weight_ih_l0.grad,
    "dw_hh": gru.weight_hh_l0.grad,
    "db_ih": gru.bias_ih_l0.grad,
    "db_hh": gru.bias_hh_l0.grad,
}
path = pathlib.Path(__file__).with_suffix(".json")
rows = [f" {json.dumps(name)}: {json.dumps([round(v, 8) for v in t.detach().flatten().tolist()])}" for name, t in numbers.items()]
path.write_text("{\n" + ",\n".join(rows) + "\n}\n")
