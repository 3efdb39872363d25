"""GPT-2 with a cache of keys and values (Radford et al., 2019), as models/gpt.nn has it."""

import torch
from torch import nn
from torch.nn import functional

SIZES = {"gpt2": (12, 768, 12, 1024), "gpt2-xl": (48, 1600, 25, 1024)}
SIZES |= {"gpt3": (96, 12288, 96, 2048)}


class Layer(nn.Module):
    def __init__(self, width, heads, dropout):
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.fc, self.out = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.drop = nn.Dropout(dropout)

    def forward(self, x, past=None):
        apart = self.attn(self.ln_1(x)).unflatten(2, (3, self.heads, -1))
        q, k, v = apart.permute(2, 0, 3, 1, 4)
        if past is not None:
            k, v = torch.cat([past[0], k], 2), torch.cat([past[1], v], 2)
        t, s = q.shape[2], k.shape[2]
        mask = torch.ones(t, s, dtype=torch.bool, device=x.device).tril(s - t)
        dropout = self.dropout if self.training else 0.0
        y = functional.scaled_dot_product_attention(q, k, v, mask, dropout)
        x = x + self.drop(self.proj(y.transpose(1, 2).flatten(2)))
        y = functional.gelu(self.fc(self.ln_2(x)), approximate="tanh")
        return x + self.drop(self.out(y)), torch.stack([k, v])


class GPT(nn.Module):
    def __init__(
        self, size="gpt2", layers=None, width=None, heads=None, context=None, vocab=50257, p=0.1
    ):
        super().__init__()
        n, d, h, c = SIZES[size]
        d = width or d
        self.wte, self.wpe = nn.Embedding(vocab, d), nn.Embedding(context or c, d)
        self.h = nn.ModuleList(Layer(d, heads or h, p) for _ in range(layers or n))
        self.ln_f, self.drop = nn.LayerNorm(d), nn.Dropout(p)
        for name, parameter in self.named_parameters():
            if parameter.ndim == 2:
                nn.init.normal_(parameter, std=0.02)
            elif "bias" in name:
                nn.init.zeros_(parameter)

    def forward(self, tokens, past=None):
        start = 0 if past is None else past.shape[4]
        places = torch.arange(start, start + tokens.shape[1], device=tokens.device)
        x, cache = self.drop(self.wte(tokens) + self.wpe(places)), []
        for i, layer in enumerate(self.h):
            x, present = layer(x, None if past is None else past[i])
            cache.append(present)
        return self.ln_f(x) @ self.wte.weight.T, torch.stack(cache)
