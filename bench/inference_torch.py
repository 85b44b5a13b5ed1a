"""PyTorch side of bench/inference.ts: runs ONNX graphs of ours eagerly, one torch operation per node.

Reads "<graph> <picture>" lines, "<graph>:channels-last" for the convolutions in that memory format, and answers with
the milliseconds one run took (on the clock, of processor time) and the first number of the graph's first output.
"""

import json
import os
import sys
import time

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper

config = json.loads(sys.argv[1])
torch.set_num_threads(config["threads"])
torch.set_num_interop_threads(1)
dtypes = {1: torch.float32, 2: torch.uint8, 3: torch.int8, 6: torch.int32, 7: torch.int64, 9: torch.bool}


def plain(attribute):
    return attribute.decode() if isinstance(attribute, bytes) else attribute


def ints(value):
    return [int(v) for v in value.reshape(-1).tolist()]


def conv(attributes, constant):
    top, left, bottom, right = attributes.get("pads", [0, 0, 0, 0])
    stride, groups = attributes.get("strides", [1, 1]), attributes.get("group", 1)
    if (top, left) == (bottom, right):
        return lambda x, w, b=None: F.conv2d(x, w, b, stride, (top, left), 1, groups)
    return lambda x, w, b=None: F.conv2d(F.pad(x, (left, right, top, bottom)), w, b, stride, 0, 1, groups)


def average_pool(attributes, constant):
    top, left, _, _ = attributes.get("pads", [0, 0, 0, 0])
    kernel, stride = attributes["kernel_shape"], attributes.get("strides", [1, 1])
    count = bool(attributes.get("count_include_pad", 0))
    return lambda x: F.avg_pool2d(x, kernel, stride, (top, left), count_include_pad=count)


def resize(attributes, constant):
    assert attributes["mode"] == "linear" and attributes["coordinate_transformation_mode"] == "half_pixel"
    factor = constant[2].tolist()[2:]
    return lambda x, *_: F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)


def space_to_depth(attributes, constant):
    n = attributes["blocksize"]

    def run(x):
        b, c, h, w = x.shape
        return x.reshape(b, c, h // n, n, w // n, n).permute(0, 3, 5, 1, 2, 4).reshape(b, c * n * n, h // n, w // n)

    return run


def reduce(function):
    def make(attributes, constant):
        keep = bool(attributes.get("keepdims", 1))
        axes = ints(constant[1]) if len(constant) > 1 and constant[1] is not None else None
        return lambda x, *_: function(x, axes if axes is not None else list(range(x.ndim)), keep)

    return make


def arg(function):
    def make(attributes, constant):
        axis, keep = attributes.get("axis", 0), bool(attributes.get("keepdims", 1))
        return lambda x: function(x, axis, keep)

    return make


def reshape(attributes, constant):
    def run(x, shape):
        return x.reshape([x.shape[i] if size == 0 else size for i, size in enumerate(ints(shape))])

    if constant[1] is None:
        return run
    target = ints(constant[1])
    if 0 not in target:
        return lambda x, _: x.reshape(target)
    return run


def slice_(attributes, constant):
    starts, ends = ints(constant[1]), ints(constant[2])
    axes = ints(constant[3]) if len(constant) > 3 and constant[3] is not None else range(len(starts))
    steps = ints(constant[4]) if len(constant) > 4 and constant[4] is not None else [1] * len(starts)
    plan = list(zip(axes, starts, ends, steps))

    def run(x, *_):
        for axis, start, end, step in plan:
            index = [slice(None)] * x.ndim
            index[axis] = slice(start, min(end, x.shape[axis]), step)
            x = x[tuple(index)]
        return x

    return run


def gather(attributes, constant):
    axis = attributes.get("axis", 0)

    def run(x, index):
        at = axis % x.ndim
        taken = x.index_select(at, index.reshape(-1))
        return taken.reshape(list(x.shape[:at]) + list(index.shape) + list(x.shape[at + 1 :]))

    return run


def gather_nd(attributes, constant):
    batch = attributes.get("batch_dims", 0)

    def run(x, index):
        if batch == 0:
            return x[tuple(index.long().unbind(-1))]
        rows = torch.arange(x.shape[0])
        assert batch == 1
        lead = rows.reshape([-1] + [1] * (index.ndim - 2)).expand(index.shape[:-1])
        return x[(lead, *index.long().unbind(-1))]

    return run


def top_k(attributes, constant):
    axis, largest = attributes.get("axis", -1), bool(attributes.get("largest", 1))
    return lambda x, k: torch.topk(x, int(k), dim=axis, largest=largest)


def layer_norm(attributes, constant):
    assert attributes.get("axis", -1) == -1
    epsilon = attributes.get("epsilon", 1e-5)
    return lambda x, w, b=None: F.layer_norm(x, x.shape[-1:], w, b, epsilon)


def split(attributes, constant):
    axis = attributes.get("axis", 0)
    if "num_outputs" in attributes:
        return lambda x: torch.chunk(x, attributes["num_outputs"], axis)
    sizes = ints(constant[1])
    return lambda x, _: torch.split(x, sizes, axis)


def gemm(attributes, constant):
    ta, tb = attributes.get("transA", 0), attributes.get("transB", 0)
    alpha, beta = attributes.get("alpha", 1.0), attributes.get("beta", 1.0)

    def run(a, b, c=None):
        a, b = (a.t() if ta else a), (b.t() if tb else b)
        return alpha * (a @ b) if c is None else torch.addmm(c, a, b, beta=beta, alpha=alpha)

    return run


def squeeze(attributes, constant):
    axes = ints(constant[1])
    return lambda x, _: x.squeeze(tuple(axes))


def unsqueeze(attributes, constant):
    axes = ints(constant[1])

    def run(x, _):
        rank = x.ndim + len(axes)
        for axis in sorted(a % rank for a in axes):
            x = x.unsqueeze(axis)
        return x

    return run


def shape_of(attributes, constant):
    start, end = attributes.get("start", 0), attributes.get("end", None)
    return lambda x: torch.tensor(list(x.shape)[start:end])


def mat_mul_integer(attributes, constant):
    assert int(constant[2]) == 128

    def run(x, table, _):
        # x - 128 of uint8 as int8 is one flipped bit; then PyTorch's own 8-bit product, block by block.
        codes = torch.bitwise_xor(x, 128).view(torch.int8)
        pictures, blocks, _, width = table.shape
        out = torch.empty(pictures, blocks, codes.shape[2], width, dtype=torch.int32)
        for picture in range(pictures):
            for block in range(blocks):
                torch._int_mm(codes[picture, 0], table[picture, block], out=out[picture, block])
        return out

    return run


def simple(function):
    return lambda attributes, constant: function


operators = {
    "Conv": conv,
    "AveragePool": average_pool,
    "GlobalAveragePool": lambda a, _: lambda x: x.mean((2, 3), keepdim=True),
    "Resize": resize,
    "SpaceToDepth": space_to_depth,
    "ReduceMean": reduce(lambda x, axes, keep: x.mean(axes, keep)),
    "ReduceSum": reduce(lambda x, axes, keep: x.sum(axes, keep)),
    "ReduceSumSquare": reduce(lambda x, axes, keep: x.square().sum(axes, keep)),
    "ReduceMax": reduce(lambda x, axes, keep: x.amax(axes, keep)),
    "ReduceMin": reduce(lambda x, axes, keep: x.amin(axes, keep)),
    "ArgMin": arg(torch.argmin),
    "ArgMax": arg(torch.argmax),
    "Reshape": reshape,
    "Slice": slice_,
    "Gather": gather,
    "GatherElements": lambda a, _: lambda x, index: torch.gather(x, a.get("axis", 0), index.long()),
    "GatherND": gather_nd,
    "TopK": top_k,
    "LayerNormalization": layer_norm,
    "Split": split,
    "Gemm": gemm,
    "MatMulInteger": mat_mul_integer,
    "Squeeze": squeeze,
    "Unsqueeze": unsqueeze,
    "Shape": shape_of,
    "Transpose": lambda a, _: lambda x: x.permute(a["perm"]),
    "Concat": lambda a, _: lambda *values: torch.cat(values, a["axis"]),
    "Cast": lambda a, _: lambda x: x.to(dtypes[a["to"]]),
    "Softmax": lambda a, _: lambda x: torch.softmax(x, a.get("axis", -1)),
    "LogSoftmax": lambda a, _: lambda x: torch.log_softmax(x, a.get("axis", -1)),
    "Gelu": lambda a, _: lambda x: F.gelu(x, approximate=a.get("approximate", "none")),
    "Elu": lambda a, _: lambda x: F.elu(x, a.get("alpha", 1.0)),
    "Expand": simple(lambda x, shape: x.expand(torch.broadcast_shapes(x.shape, ints(shape)))),
    "Tile": simple(lambda x, repeats: x.repeat(ints(repeats))),
    "Clip": simple(lambda x, low=None, high=None: torch.clamp(x, low, high)),
    "MatMul": simple(torch.matmul),
    "Add": simple(torch.add),
    "Sub": simple(torch.sub),
    "Mul": simple(torch.mul),
    "Div": simple(lambda a, b: torch.div(a, b, rounding_mode=None if a.is_floating_point() else "trunc")),
    "Pow": simple(torch.pow),
    "Max": simple(torch.maximum),
    "Min": simple(torch.minimum),
    "Neg": simple(torch.neg),
    "Abs": simple(torch.abs),
    "Exp": simple(torch.exp),
    "Log": simple(torch.log),
    "Sqrt": simple(torch.sqrt),
    "Reciprocal": simple(torch.reciprocal),
    "Erf": simple(torch.erf),
    "Tanh": simple(torch.tanh),
    "Sigmoid": simple(torch.sigmoid),
    "Softplus": simple(F.softplus),
    "Relu": simple(torch.relu),
    "Floor": simple(torch.floor),
    "Equal": simple(torch.eq),
    "Less": simple(torch.lt),
    "LessOrEqual": simple(torch.le),
    "Greater": simple(torch.gt),
    "GreaterOrEqual": simple(torch.ge),
    "Not": simple(torch.logical_not),
    "Where": simple(torch.where),
    "Identity": simple(lambda x: x),
}


class Program:
    """A graph as a list of torch calls over numbered slots."""

    def __init__(self, path, channels_last):
        graph = onnx.load(path).graph
        self.channels_last = channels_last
        constants = {t.name: torch.from_numpy(np.array(numpy_helper.to_array(t))) for t in graph.initializer}
        uses = {}
        for node in graph.node:
            for name in node.input:
                uses[name] = uses.get(name, 0) + 1
        for output in graph.output:
            uses[output.name] = uses.get(output.name, 0) + 1
        slots = {}

        def slot(name):
            return slots.setdefault(name, len(slots))

        self.input = slot(graph.input[0].name)
        self.output = slot(graph.output[0].name)
        self.steps, made_by = [], {}
        for node in graph.node:
            attributes = {a.name: plain(onnx.helper.get_attribute_value(a)) for a in node.attribute}
            constant = [constants.get(name) for name in node.input]
            if node.op_type == "Clip" and uses[node.input[0]] == 1 and made_by.get(node.input[0]) == "Conv":
                # In place, as PyTorch's own networks do it.
                low, high = (float(c) for c in constant[1:])
                call = lambda x, *_, low=low, high=high: x.clamp_(low, high)
            elif node.op_type == "Transpose" and attributes["perm"] == [0, 3, 1, 2] and not channels_last:
                # Without the copy, the picture's own layout would carry channels-last through all convolutions.
                call = lambda x: x.permute(0, 3, 1, 2).contiguous()
            else:
                call = operators[node.op_type](attributes, constant)
            if channels_last and node.op_type == "Conv":
                weight = node.input[1]
                constants[weight] = constants[weight].contiguous(memory_format=torch.channels_last)
            for name in node.output:
                made_by[name] = node.op_type
            inputs = [None if name == "" else slot(name) for name in node.input]
            self.steps.append((call, inputs, [slot(name) for name in node.output]))
        # Values are let go of after their last use, as in any eager program.
        last = {}
        for i, (_, inputs, _) in enumerate(self.steps):
            for at in inputs:
                last[at] = i
        fixed = {slot(name) for name in constants} | {self.output, None}
        self.steps = [
            (call, inputs, outputs, [at for at in set(inputs) if last[at] == i and at not in fixed])
            for i, (call, inputs, outputs) in enumerate(self.steps)
        ]
        self.values = [None] * len(slots)
        for name, value in constants.items():
            self.values[slot(name)] = value

    def run(self, pixels):
        values = self.values
        values[self.input] = pixels
        for call, inputs, outputs, dead in self.steps:
            result = call(*[None if at is None else values[at] for at in inputs])
            if isinstance(result, tuple):
                for at, value in zip(outputs, result):
                    values[at] = value
            else:
                values[outputs[0]] = result
            for at in dead:
                values[at] = None
        return values[self.output]


side = config["side"]
pictures = torch.from_numpy(np.fromfile(os.path.join(config["folder"], "pixels.raw"), np.uint8)).reshape(-1, 1, side, side, 3)
programs = {}
for name in config["graphs"]:
    path = os.path.join(config["folder"], name + ".onnx")
    programs[name] = Program(path, False)
    programs[name + ":channels-last"] = Program(path, True)
print(json.dumps({"torch": torch.__version__, "threads": torch.get_num_threads()}), flush=True)
with torch.inference_mode():
    for line in sys.stdin:
        name, picture = line.split()
        start, used = time.perf_counter(), time.process_time()
        result = programs[name].run(pictures[int(picture)])
        took, processor = time.perf_counter() - start, time.process_time() - used
        print(took * 1000, processor * 1000, float(result.reshape(-1)[0]), flush=True)
