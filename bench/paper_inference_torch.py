"""PyTorch side of bench/paper-inference.ts: teacher, both students, score and map, as one would write them in PyTorch.

Attention is PyTorch's own fused function, LayerNorm and GELU its own operations; the numbers are random. Answers every
line on standard input with the milliseconds one picture took, on the clock and of processor time.
"""

import json
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

config = json.loads(sys.argv[1])
torch.set_num_threads(config["threads"])
torch.set_num_interop_threads(1)
torch.manual_seed(0)
width, heads, depth, registers = (config[k] for k in ("width", "heads", "depth", "registers"))
grid, size, crop = config["grid"], config["size"], config["crop"]


class Block(nn.Module):
    def __init__(self, eps, linear, scale):
        super().__init__()
        self.linear = linear
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=eps), nn.LayerNorm(width, eps=eps)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.fc1, self.fc2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.ls1 = nn.Parameter(torch.ones(width)) if scale else 1.0
        self.ls2 = nn.Parameter(torch.ones(width)) if scale else 1.0

    def forward(self, x):
        b, n, c = x.shape
        q, k, v = self.qkv(self.norm1(x)).reshape(b, n, 3, heads, c // heads).permute(2, 0, 3, 1, 4)
        if self.linear:
            q, k = F.elu(q) + 1, F.elu(k) + 1
            y = (q @ (k.transpose(-1, -2) @ v)) / (q @ k.sum(2, keepdim=True).transpose(-1, -2))
        else:
            y = F.scaled_dot_product_attention(q, k, v)
        x = x + self.proj(y.transpose(1, 2).reshape(b, n, c)) * self.ls1
        return x + self.fc2(F.gelu(self.fc1(self.norm2(x)))) * self.ls2


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList(Block(1e-6, False, True) for _ in range(depth))
        self.norm = nn.LayerNorm(width, eps=1e-6)

    def forward(self, x):
        outputs = []
        for block in self.blocks:
            x = block(x)
            outputs.append(x)
        classes = torch.stack([y[:, 0] for y in outputs] + [self.norm(x[:, 0])])
        return outputs, classes


class Detector(nn.Module):
    def __init__(self):
        super().__init__()
        self.patch = nn.Conv2d(3, width, 14, 14)
        self.prefix = nn.Parameter(torch.randn(1, 1 + registers, width) * 0.02)
        self.position = nn.Parameter(torch.randn(1, grid * grid, width) * 0.02)
        self.teacher, self.student = Encoder(), Encoder()
        self.fc1, self.fc2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.decoder = nn.ModuleList(Block(1e-8, True, False) for _ in range(8))

    def forward(self, pixels):
        offset = (size - crop) // 2
        x = pixels[:, offset : offset + crop, offset : offset + crop].permute(0, 3, 1, 2).float()
        x = (x - 120.0) / 58.0
        x = self.patch(x).flatten(2).transpose(1, 2) + self.position
        tokens0 = torch.cat([self.prefix.expand(len(x), -1, -1), x], 1)
        layers, teacher = self.teacher(tokens0)
        groups = [sum(layers[2:6]) / 4, sum(layers[6:10]) / 4]
        _, student = self.student(tokens0)
        y = self.fc2(F.gelu(self.fc1((groups[0] + groups[1]) / 2)))
        outputs = []
        for block in self.decoder:
            y = block(y)
            outputs.append(y)
        outputs.reverse()
        students = [sum(outputs[:4]) / 4, sum(outputs[4:]) / 4]
        skip = 1 + registers
        pairs = [(t[:, skip:], s[:, skip:]) for t, s in zip(groups, students)]
        b = sum(1 - F.cosine_similarity(t.flatten(1), s.flatten(1)) for t, s in pairs) / 2
        distance = sum(1 - F.cosine_similarity(t, s, dim=-1) for t, s in pairs) / 2
        anomaly = F.interpolate(
            distance.reshape(-1, 1, grid, grid), size=(crop, crop), mode="bilinear", align_corners=True
        )
        anomaly = F.pad(anomaly, [offset] * 4, mode="replicate")[:, 0]
        a = (student[-1] - teacher[-1]).square().mean(1)
        return F.logsigmoid(a) + F.logsigmoid(b), anomaly


with torch.inference_mode():
    model = Detector().eval()
    pixels = torch.randint(0, 256, (1, size, size, 3), dtype=torch.uint8)
    parameters = sum(p.numel() for p in model.parameters())
    print(json.dumps({"torch": torch.__version__, "parameters": parameters}), flush=True)
    for _ in sys.stdin:
        start, cpu = time.perf_counter(), time.process_time()
        score, anomaly = model(pixels)
        score.item()
        print((time.perf_counter() - start) * 1000, (time.process_time() - cpu) * 1000, flush=True)
