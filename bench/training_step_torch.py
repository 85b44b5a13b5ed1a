"""PyTorch side of bench/training-step.ts: the same students, loss and kind of optimizer, one step per line of input.

Answers every line on standard input with the milliseconds one training step took: on the clock, and of processor
time. The optimizer is PyTorch's own
AdamW with AMSGrad (multi-tensor form), which does a little less than the StableAdamW that Twinspect trains with.
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


class Mlp(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.fc1 = nn.Linear(c, 4 * c)
        self.fc2 = nn.Linear(4 * c, c)

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x)))


class Block(nn.Module):
    def __init__(self, c, heads, eps, linear, scale):
        super().__init__()
        self.heads, self.linear = heads, linear
        self.norm1 = nn.LayerNorm(c, eps=eps)
        self.qkv = nn.Linear(c, 3 * c)
        self.proj = nn.Linear(c, c)
        self.norm2 = nn.LayerNorm(c, eps=eps)
        self.mlp = Mlp(c)
        self.ls1 = nn.Parameter(torch.ones(c)) if scale else None
        self.ls2 = nn.Parameter(torch.ones(c)) if scale else None

    def attend(self, x, first):
        b, n, c = x.shape
        d = c // self.heads
        if first:  # queries of the class token alone
            w, bias = self.qkv.weight, self.qkv.bias
            q = F.linear(x[:, :1], w[:c], bias[:c]).reshape(b, 1, self.heads, d).transpose(1, 2)
            k, v = F.linear(x, w[c:], bias[c:]).reshape(b, n, 2, self.heads, d).permute(2, 0, 3, 1, 4)
            return self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, 1, c))
        q, k, v = self.qkv(x).reshape(b, n, 3, self.heads, d).permute(2, 0, 3, 1, 4)
        if self.linear:
            q, k = F.elu(q) + 1, F.elu(k) + 1
            norm = q @ k.sum(2, keepdim=True).transpose(-1, -2)
            y = (q @ (k.transpose(-1, -2) @ v)) / norm
        else:
            y = F.scaled_dot_product_attention(q, k, v)
        return self.proj(y.transpose(1, 2).reshape(b, n, c))

    def forward(self, x, first=False):
        y = self.attend(self.norm1(x), first)
        x = (x[:, :1] if first else x) + (y if self.ls1 is None else y * self.ls1)
        y = self.mlp(self.norm2(x))
        return x + (y if self.ls2 is None else y * self.ls2)


def group_cosine(target, student, label, share):
    with torch.no_grad():
        distance = 1 - F.cosine_similarity(target, student, dim=-1)
        threshold = torch.topk(distance.reshape(-1), k=max(1, int(distance.numel() * (1 - share))))[0][-1]
        weight = torch.where((distance < threshold) & (label[:, None] > 0), 0.1, 1.0)
    loss = 1 - F.cosine_similarity(target.flatten(1), student.flatten(1), dim=-1)
    if student.requires_grad:
        student.register_hook(lambda gradient: gradient * weight[..., None])
    return loss


def noisy_or(a, b, label):
    log_q = F.logsigmoid(a) + F.logsigmoid(b)
    log_p = torch.logsumexp(torch.stack([-a, -b, -a - b]), 0) + log_q
    return -(label * log_p + (1 - label) * log_q)


class Embedded(nn.Module):
    """The embedded preset's students."""

    def __init__(self, c):
        super().__init__()
        self.groups, self.levels, w = c["groups"], c["levels"], c["width"]
        self.fc1, self.fc2 = nn.Linear(sum(self.groups), c["hidden"]), nn.Linear(c["hidden"], w)
        self.decoder = nn.ModuleList(Block(w, c["heads"], 1e-8, True, False) for _ in range(c["decoderDepth"]))
        self.head_a, self.head_b = nn.Linear(w, self.groups[0]), nn.Linear(w, self.groups[1])
        self.embed = nn.Linear(c["encoderDims"], w)
        self.cls = nn.Parameter(torch.zeros(1, 1, w))
        self.pos = nn.Parameter(torch.zeros(1, c["encoderTokens"], w))
        self.encoder = nn.ModuleList(Block(w, c["heads"], 1e-6, False, False) for _ in range(c["encoderDepth"]))
        self.norm = nn.LayerNorm(w, eps=1e-6)
        self.heads = nn.ModuleList(nn.Linear(w, size) for size in self.levels)

    def forward(self, tokens, seen, targets, label, masks):
        x = F.gelu(self.fc1(tokens * masks[0])) * masks[1]
        x = self.fc2(x) * masks[2]
        outputs = []
        for block in self.decoder:
            x = block(x)
            outputs.append(x)
        a, b = tokens.split(self.groups, 2)
        decoder = (
            group_cosine(a, self.head_a(outputs[-1]), label, 0.9)
            + group_cosine(b, self.head_b(outputs[-2]), label, 0.9)
        ) / 2
        y = self.embed(seen) + self.pos
        y = torch.cat([self.cls.expand(len(y), -1, -1), y], 1)
        raw = []
        for i, block in enumerate(self.encoder):
            # Of the last block's output only the class token is used: as on the other side, the rest is not computed.
            y = block(y, first=i == len(self.encoder) - 1)
            raw.append(y[:, 0])
        normed = self.norm(raw[-1])
        at = 0
        encoder = 0
        for i, (head, size) in enumerate(zip(self.heads, self.levels)):
            predicted = head(raw[min(i, len(raw) - 1)] if i < 7 else normed)
            encoder = encoder + (predicted - targets[:, at : at + size]).square().mean(1)
            at += size
        return noisy_or(encoder / len(self.levels), decoder, label).mean()


class Paper(nn.Module):
    """The paper's students behind a vision transformer."""

    def __init__(self, c):
        super().__init__()
        w = c["width"]
        self.fc1, self.fc2 = nn.Linear(w, 4 * w), nn.Linear(4 * w, w)
        self.decoder = nn.ModuleList(Block(w, c["heads"], 1e-8, True, False) for _ in range(c["decoderDepth"]))
        self.encoder = nn.ModuleList(Block(w, c["heads"], 1e-6, False, True) for _ in range(c["encoderDepth"]))
        self.norm = nn.LayerNorm(w, eps=1e-6)
        self.skip = c["skip"]

    def forward(self, group1, group2, tokens0, class_tokens, label, masks):
        x = (group1 + group2) / 2 * masks[0]
        x = self.fc2(F.gelu(self.fc1(x)) * masks[1]) * masks[2]
        outputs = []
        for block in self.decoder:
            x = block(x)
            outputs.append(x)
        outputs.reverse()
        half = len(outputs) // 2
        students = [sum(outputs[:half]) / half, sum(outputs[half:]) / half]
        decoder = sum(
            group_cosine(t[:, self.skip :], s[:, self.skip :], label, 0.9) for t, s in zip([group1, group2], students)
        ) / 2
        y = tokens0
        raw = []
        for i, block in enumerate(self.encoder):
            # Of the last block's output only the class token is used: as on the other side, the rest is not computed.
            y = block(y, first=i == len(self.encoder) - 1)
            raw.append(y[:, 0])
        raw.append(self.norm(y)[:, 0])
        encoder = (torch.stack(raw, 1) - class_tokens).square().mean(2).mean(1)
        return noisy_or(encoder, decoder, label).mean()


b = config["batch"]
label = torch.ones(b)


def mask(*shape):
    return (torch.rand(*shape) > 0.4).float() / 0.6


if config["kind"] == "embedded":
    model = Embedded(config)
    n, w = config["tokens"], sum(config["groups"])

    def batch():
        return (
            torch.randn(b, n, w),
            torch.randn(b, config["encoderTokens"], config["encoderDims"]),
            torch.randn(b, sum(config["levels"])),
            label,
            [mask(b, n, w), mask(b, n, config["hidden"]), mask(b, n, config["width"])],
        )
else:
    model = Paper(config)
    t, w = config["tokens"], config["width"]

    def batch():
        return (
            torch.randn(b, t, w),
            torch.randn(b, t, w),
            torch.randn(b, t, w),
            torch.randn(b, config["encoderDepth"] + 1, w),
            label,
            [mask(b, t, w), mask(b, t, 4 * w), mask(b, t, w)],
        )


optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, amsgrad=True, eps=1e-10, weight_decay=1e-4, foreach=True)
data = batch()
parameters = sum(p.numel() for p in model.parameters())
print(json.dumps({"torch": torch.__version__, "parameters": parameters}), flush=True)
for _ in sys.stdin:
    start, cpu = time.perf_counter(), time.process_time()
    optimizer.zero_grad(set_to_none=True)
    model(*data).backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 0.1, foreach=True)
    optimizer.step()
    print((time.perf_counter() - start) * 1000, (time.process_time() - cpu) * 1000, flush=True)
