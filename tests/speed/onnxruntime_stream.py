"""The shipped network in ONNX Runtime, one step of 80 ms at a time, its state carried from call to call.

onnxruntime_stream.py FILE: first shows that the probabilities are ours, then prints {"cpu_us", "version"} of a step, called
from Python with inputs and outputs bound once to fixed memory.
"""

import json
import statistics
import sys
import time

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

N_ROUNDS = 15
CONVOLUTIONS = [(10, 4), (5, 2)]  # kernel, stride

tensors = load_file(sys.argv[1])
features, expected = tensors["features"], tensors["result.probabilities"]
n_mels, n_words, hidden = features.shape[1], expected.shape[1], tensors["head.weight"].shape[1]
frames_per_step = int(np.prod([stride for _, stride in CONVOLUTIONS]))

nodes, constants, inputs, outputs = [], [], [], []


def constant(name, value):
    constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
    return name


def node(kind, into, out, **attributes):
    nodes.append(helper.make_node(kind, into, out, **attributes))


def value(name, shape):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def state(name, shape):
    inputs.append(value(name, shape))
    outputs.append(value(f"{name}_next", shape))


inputs.append(value("frames", [frames_per_step, n_mels]))
node("Transpose", ["frames"], ["by_band"], perm=[1, 0])
node("Unsqueeze", ["by_band", constant("batch_axis", np.array([0]))], ["x0"])
n_inputs = n_mels
for i, (kernel, stride) in enumerate(CONVOLUTIONS):
    weight = tensors[f"conv{i}.weight"].reshape(-1, kernel, n_inputs).transpose(0, 2, 1)
    n_tail = kernel - stride
    state(f"tail{i}", [1, n_inputs, n_tail])
    node("Concat", [f"tail{i}", f"x{i}"], [f"with_tail{i}"], axis=2)
    bounds = [constant(f"{name}{i}", np.array([at])) for name, at in (("from", -n_tail), ("to", 2**31), ("axis", 2))]
    node("Slice", [f"with_tail{i}", *bounds], [f"tail{i}_next"])
    parameters = [constant(f"conv{i}.weight", weight), constant(f"conv{i}.bias", tensors[f"conv{i}.bias"])]
    node("Conv", [f"with_tail{i}", *parameters], [f"sums{i}"], kernel_shape=[kernel], strides=[stride])
    node("Relu", [f"sums{i}"], [f"x{i + 1}"])
    n_inputs = weight.shape[0]
node("Transpose", [f"x{len(CONVOLUTIONS)}"], ["layer0"], perm=[2, 0, 1])
for layer in range(2):
    # ONNX orders the gates z, r, n.
    def reordered(weight):
        r, z, n = np.split(weight, 3)
        return np.concatenate([z, r, n])[None]

    r, z, n, hn = np.split(tensors[f"gru.bias_l{layer}"], 4)
    zero = np.zeros_like(r)
    parameters = [
        constant(f"w{layer}", reordered(tensors[f"gru.weight_ih_l{layer}"])),
        constant(f"r{layer}", reordered(tensors[f"gru.weight_hh_l{layer}"])),
        constant(f"b{layer}", np.concatenate([z, r, n, zero, zero, hn])[None]),
    ]
    state(f"hidden{layer}", [1, 1, hidden])
    node(
        "GRU",
        [f"layer{layer}", *parameters, "", f"hidden{layer}"],
        [f"all{layer}", f"hidden{layer}_next"],
        hidden_size=hidden,
        linear_before_reset=1,
    )
    node("Squeeze", [f"all{layer}", constant(f"direction{layer}", np.array([1]))], [f"layer{layer + 1}"])
node("MatMul", ["layer2", constant("head.weight", tensors["head.weight"].T)], ["products"])
node("Add", ["products", constant("head.bias", tensors["head.bias"])], ["logits"])
node("Sigmoid", ["logits"], ["probabilities"])
outputs.insert(0, value("probabilities", [1, 1, n_words]))
model = helper.make_model(
    helper.make_graph(nodes, "tripword", inputs, outputs, constants),
    opset_imports=[helper.make_opsetid("", 17)],
    ir_version=9,
)
onnx.checker.check_model(model)

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def ort_value(array):
    return onnxruntime.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(array))


# Two sets of state that take turns as input and output.
shapes = {each.name: [d.dim_value for d in each.type.tensor_type.shape.dim] for each in inputs[1:]}
states = [{name: ort_value(np.zeros(shape, np.float32)) for name, shape in shapes.items()} for _ in range(2)]
frames, probabilities = ort_value(features[:frames_per_step]), ort_value(np.zeros((1, 1, n_words), np.float32))
bindings = []
for before, after in (states, states[::-1]):
    binding = session.io_binding()
    binding.bind_ortvalue_input("frames", frames)
    binding.bind_ortvalue_output("probabilities", probabilities)
    for name in shapes:
        binding.bind_ortvalue_input(name, before[name])
        binding.bind_ortvalue_output(f"{name}_next", after[name])
    bindings.append(binding)

n_steps = len(expected)
found = np.empty_like(expected)
for i in range(n_steps):
    frames.update_inplace(np.ascontiguousarray(features[i * frames_per_step : (i + 1) * frames_per_step]))
    session.run_with_iobinding(bindings[i % 2])
    found[i] = probabilities.numpy()[0, 0]
difference = np.abs(found - expected).max()
assert difference < 1e-5, f"probabilities differ by {difference}: not the same network"

cpu_s = []
for _ in range(N_ROUNDS):
    start = time.process_time()
    for i in range(n_steps):
        session.run_with_iobinding(bindings[i % 2])
    cpu_s.append((time.process_time() - start) / n_steps)
print(json.dumps({"cpu_us": statistics.median(cpu_s) * 1e6, "version": onnxruntime.__version__}))
