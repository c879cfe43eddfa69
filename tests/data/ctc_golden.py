"""Writes ctc_golden.json: numbers of PyTorch's CTC loss, forward and backward, with a blank of the fixed logit 0.

    python3 -m venv venv && venv/bin/pip install torch && venv/bin/python tests/data/ctc_golden.py

The file in the repository was made with PyTorch 2.15.0 on the CPU.
"""
import json
import pathlib

import torch

torch.manual_seed(5)
words = [[2, 0, 0, 3], [], [1, 2, 1]]
n_steps = [12, 12, 7]
logits = (2 * torch.randn(3, 12, 4)).requires_grad_()
# Theirs is (steps, rows, classes), the blank first.
with_blank = torch.cat([torch.zeros(3, 12, 1), logits], dim=2)
losses = torch.nn.functional.ctc_loss(
    torch.log_softmax(with_blank, dim=2).transpose(0, 1),
    torch.tensor([word + 1 for row in words for word in row]),
    torch.tensor(n_steps),
    torch.tensor([len(row) for row in words]),
    blank=0,
    reduction="none",
)
losses.sum().backward()
numbers = {"logits": logits, "losses": losses, "gradient": logits.grad}
rows = [
    f" {json.dumps(key)}: {json.dumps([round(v, 8) for v in tensor.detach().flatten().tolist()])}"
    for key, tensor in numbers.items()
]
rows += [f' "n_steps": {json.dumps(n_steps)}']
rows += [f' "words{row}": {json.dumps(said)}' for row, said in enumerate(words)]
pathlib.Path(__file__).with_name("ctc_golden.json").write_text("{\n" + ",\n".join(rows) + "\n}\n")
