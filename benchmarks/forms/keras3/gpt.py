"""GPT-2 with a cache of keys and values (Radford et al., 2019), as models/gpt.nn has it."""

from functools import partial

from keras import Model, initializers, layers, ops

SIZES = {"gpt2": (12, 768, 12, 1024), "gpt2-xl": (48, 1600, 25, 1024)}
SIZES |= {"gpt3": (96, 12288, 96, 2048)}
SMALL = initializers.RandomNormal(stddev=0.02)
Dense = partial(layers.Dense, kernel_initializer=SMALL)
Embedding = partial(layers.Embedding, embeddings_initializer=SMALL)
LayerNorm = partial(layers.LayerNormalization, epsilon=1e-5)


class Layer(layers.Layer):
    def __init__(self, width, heads, dropout):
        super().__init__()
        self.heads, self.width, self.drop = heads, width, layers.Dropout(dropout)
        self.ln_1, self.ln_2 = LayerNorm(), LayerNorm()
        self.attn, self.proj = Dense(3 * width), Dense(width)
        self.fc, self.out = Dense(4 * width), Dense(width)

    def call(self, x, past=None):
        n, t, _ = x.shape
        apart = ops.reshape(self.attn(self.ln_1(x)), (n, t, 3, self.heads, -1))
        q, k, v = ops.unstack(ops.transpose(apart, (2, 0, 3, 1, 4)), axis=0)
        if past is not None:
            k, v = ops.concatenate([past[0], k], 2), ops.concatenate([past[1], v], 2)
        mask = ops.tril(ops.ones((t, k.shape[2])), k.shape[2] - t)
        score = q @ ops.swapaxes(k, 2, 3) / q.shape[3] ** 0.5 + ops.where(mask > 0, 0.0, -1e30)
        y = ops.transpose(self.drop(ops.softmax(score)) @ v, (0, 2, 1, 3))
        x = x + self.drop(self.proj(ops.reshape(y, (n, t, self.width))))
        y = ops.gelu(self.fc(self.ln_2(x)), approximate=True)
        return x + self.drop(self.out(y)), ops.stack([k, v])


class GPT(Model):
    def __init__(
        self, size="gpt2", depth=None, width=None, heads=None, context=None, vocab=50257, p=0.1
    ):
        super().__init__()
        n, d, h, c = SIZES[size]
        d = width or d
        self.wte, self.wpe = Embedding(vocab, d), Embedding(context or c, d)
        self.h = [Layer(d, heads or h, p) for _ in range(depth or n)]
        self.ln_f, self.drop = LayerNorm(), layers.Dropout(p)

    def call(self, tokens, past=None):
        start = 0 if past is None else past.shape[4]
        places = ops.arange(start, start + tokens.shape[1])
        x, cache = self.drop(self.wte(tokens) + self.wpe(places)), []
        for i, layer in enumerate(self.h):
            x, present = layer(x, None if past is None else past[i])
            cache.append(present)
        return self.ln_f(x) @ ops.transpose(self.wte.embeddings), ops.stack(cache)
