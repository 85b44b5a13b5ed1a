"""PyTorch side of bench/teacher.ts: the same DINOv2 encoder, eagerly, from an original `.pth` file.

Attention is PyTorch's own fused function, as current DINOv2 code and timm call it. Answers every line on stdin with the
milliseconds one run took (on the clock, of processor time) and the largest difference to the expected class tokens.
"""

import json
import os
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F

config = json.loads(sys.argv[1])
torch.set_num_threads(config["threads"])
torch.set_num_interop_threads(1)
weights = torch.load(config["weights"], weights_only=True)
heads, depth, side = config["heads"], config["depth"], config["side"]
groups = config["groups"]


class Linear(torch.nn.Linear):
    def __init__(self, name):
        weight = weights[name + ".weight"]
        super().__init__(weight.shape[1], weight.shape[0])
        self.weight.data, self.bias.data = weight, weights[name + ".bias"]


class Norm(torch.nn.LayerNorm):
    def __init__(self, name):
        super().__init__(weights[name + ".weight"].shape[0], eps=1e-6)
        self.weight.data, self.bias.data = weights[name + ".weight"], weights[name + ".bias"]


class Block(torch.nn.Module):
    def __init__(self, name):
        super().__init__()
        self.norm1, self.norm2 = Norm(name + ".norm1"), Norm(name + ".norm2")
        self.qkv, self.proj = Linear(name + ".attn.qkv"), Linear(name + ".attn.proj")
        self.fc1, self.fc2 = Linear(name + ".mlp.fc1"), Linear(name + ".mlp.fc2")
        self.ls1, self.ls2 = weights[name + ".ls1.gamma"], weights[name + ".ls2.gamma"]

    def forward(self, x):
        batch, tokens, width = x.shape
        qkv = self.qkv(self.norm1(x)).reshape(batch, tokens, 3, heads, width // heads).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(*qkv.unbind(0))
        x = x + self.ls1 * self.proj(mixed.transpose(1, 2).reshape(batch, tokens, width))
        return x + self.ls2 * self.fc2(F.gelu(self.fc1(self.norm2(x))))


def positions():
    """`scale_offset`, computed once as a cached table would be."""
    table = weights["pos_embed"]
    stored, grid = int((table.shape[1] - 1) ** 0.5), side // 14
    square = table[:, 1:].reshape(1, stored, stored, -1).permute(0, 3, 1, 2)
    scale = (grid + 0.1) / stored
    square = F.interpolate(square, scale_factor=(scale, scale), mode="bicubic", antialias=False)
    return torch.cat([table[:, :1], square.permute(0, 2, 3, 1).reshape(1, grid * grid, -1)], 1)


class Teacher(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = torch.nn.ModuleList(Block(f"blocks.{i}") for i in range(depth))
        self.norm, self.table = Norm("norm"), positions()
        self.mean = torch.tensor([0.485, 0.456, 0.406]).reshape(1, 3, 1, 1)
        self.std = torch.tensor([0.229, 0.224, 0.225]).reshape(1, 3, 1, 1)

    def forward(self, pixels):
        x = (pixels.permute(0, 3, 1, 2).float() / 255 - self.mean) / self.std
        x = F.conv2d(x, weights["patch_embed.proj.weight"], weights["patch_embed.proj.bias"], stride=14)
        x = torch.cat([weights["cls_token"], x.flatten(2).transpose(1, 2)], 1) + self.table
        x = torch.cat([x[:, :1], weights["register_tokens"], x[:, 1:]], 1)
        outputs = []
        for block in self.blocks:
            x = block(x)
            outputs.append(x)
        means = [torch.stack([outputs[i - 1] for i in group]).mean(0) for group in groups]
        tokens = torch.stack([y[:, 0] for y in outputs] + [self.norm(x)[:, 0]], 1)
        return tokens, means


pixels = torch.from_numpy(np.fromfile(os.path.join(config["folder"], "pixels.raw"), np.uint8)).reshape(1, side, side, 3)
expected = torch.from_numpy(np.fromfile(os.path.join(config["folder"], "class_tokens.raw"), np.float32))
teacher = Teacher().eval()
with torch.inference_mode():
    print(json.dumps({"torch": torch.__version__, "threads": torch.get_num_threads()}), flush=True)
    for _ in sys.stdin:
        start, used = time.perf_counter(), time.process_time()
        tokens, _ = teacher(pixels)
        took, processor = time.perf_counter() - start, time.process_time() - used
        difference = (tokens.reshape(-1) - expected).abs().max().item()
        print(took * 1000, processor * 1000, difference, flush=True)
