"""GPT, BERT and the Transformer: published sizes; NumPy = onnxruntime; = Hugging Face and PyTorch
with the same weights; decoding with a cache = decoding without."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from nncomp.backends.reference.interpreter import run
from nncomp.ir.bind import bind
from nncomp.ir.constant import Constant
from nncomp.lower.modules import read_source
from nncomp.lower.program import Program, lower
from nncomp.types import Array
from tests.models import support
from tests.models.agreement import compiled, count, drawn

SYMBOLS = 61
SMALL_GPT = {"layers": 2, "width": 24, "heads": 3, "vocabulary": SYMBOLS, "context": 32}
SMALL_BERT = {**SMALL_GPT, "pairs": True, "padded": True}
SIZES = ((1, 3), (3, 7), (7, 1), (2, 5))  # of batch and sequence


@pytest.mark.parametrize(
    ("file", "model", "settings", "expected"),
    [
        ("gpt.nn", None, {}, 124_439_808),
        ("gpt.nn", None, {"size": "gpt2-xl"}, 1_557_611_200),
        ("bert.nn", None, {}, 109_482_240),
        ("bert.nn", "BertForPreTraining", {}, 110_106_428),
        ("transformer.nn", None, {}, 44_140_544 + 37_000 * 512),
    ],
)
def test_published_parameter_counts(
    file: str, model: str | None, settings: dict[str, Any], expected: int
) -> None:
    source = read_source(support.MODELS / file)
    assert count(lower(source, model, settings, kinds=())) == expected


def test_the_shape_of_gpt3_costs_nothing() -> None:
    """174.6 billion parameters, of which none is allocated."""
    source = read_source(support.MODELS / "gpt.nn")
    program = lower(source, settings={"size": "gpt3"}, kinds=())
    assert count(program) == 174_604_259_328
    held = sum(
        node.op.value.array.nbytes
        for node in (*program.graph.nodes, *program.initial.nodes)
        if isinstance(node.op, Constant)
    )
    assert held < 10_000


def tokens(size: tuple[int, int], seed: int = 0) -> Array:
    return np.random.default_rng(seed).integers(0, SYMBOLS, size)


def _decoded(program: Program, values: dict[str, Array], start: Array, steps: int) -> Array:
    """Greedy decoding through the two entries, on both backends at once."""
    prefill = compiled(program.entries["prefill"], values)
    step = compiled(program.entries["step"], values)
    results = prefill({"tokens": start})
    text = start
    for _ in range(steps):
        following = results["logits"][:, -1:].argmax(axis=2)
        text = np.concatenate([text, following], axis=1)
        results = step({"tokens": following, "past": results["cache"]})
    return text


def test_decoding_with_a_cache_equals_decoding_without() -> None:
    program = support.load("gpt.nn", **SMALL_GPT)
    values = drawn(program.graph)
    model = compiled(program.graph, values)
    text = start = tokens((3, 4))
    for _ in range(6):
        following = model({"tokens": text})["logits"][:, -1:].argmax(axis=2)
        text = np.concatenate([text, following], axis=1)
    assert np.array_equal(_decoded(program, values, start, 6), text)


def test_step_takes_several_tokens_at_once() -> None:
    program = support.load("gpt.nn", **SMALL_GPT)
    values = drawn(program.graph)
    text = tokens((2, 9))
    whole = run(bind(program.graph, values), {"tokens": text}).outputs["logits"]
    cache = run(bind(program.entries["prefill"], values), {"tokens": text[:, :5]}).outputs["cache"]
    rest = compiled(program.entries["step"], values)({"tokens": text[:, 5:], "past": cache})
    assert support.difference(rest["logits"], whole[:, 5:]) <= 1e-5


def test_entries_take_only_what_they_need() -> None:
    program = support.load(
        "transformer.nn", layers=1, width=8, heads=2, hidden=12, vocabulary=SYMBOLS
    )
    inputs = {name: [v.name for v in graph.inputs] for name, graph in program.entries.items()}
    assert inputs == {"encode": ["source"], "decode": ["target", "memory"]}


def _bert_inputs(size: tuple[int, int]) -> dict[str, Array]:
    rng = np.random.default_rng(1)
    mask = rng.integers(0, 3, size) > 0
    mask[:, 0] = True
    return {"tokens": tokens(size), "segments": rng.integers(0, 2, size), "mask": mask}


# --- Hugging Face, by weight name, with random weights ---------------------------------------


def _numpy(module: nn.Module) -> dict[str, Array]:
    return {name: tensor.numpy() for name, tensor in module.state_dict().items()}


@pytest.mark.slow
@pytest.mark.parametrize("settings", [SMALL_GPT, {}], ids=["small", "gpt2"])
def test_gpt_equals_hugging_face(settings: dict[str, Any]) -> None:
    import transformers  # heavy: only where it is needed

    program = support.load("gpt.nn", **settings)
    config = transformers.GPT2Config()
    if settings:
        config = transformers.GPT2Config(
            vocab_size=SYMBOLS, n_positions=32, n_embd=24, n_layer=2, n_head=3
        )
    module = transformers.GPT2LMHeadModel(config).eval()
    values = _numpy(module)
    del values["lm_head.weight"]  # the embedding once more
    graph = bind(program.graph, values)
    for size in SIZES if settings else ((2, 7),):
        text = tokens(size)
        with torch.no_grad():
            theirs = module(torch.from_numpy(text)).logits.numpy()
        assert support.difference(run(graph, {"tokens": text}).outputs["logits"], theirs) <= 1e-4


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings", [SMALL_BERT, {"pairs": True, "padded": True}], ids=["small", "base"]
)
def test_bert_equals_hugging_face(settings: dict[str, Any]) -> None:
    import transformers  # heavy: only where it is needed

    config = transformers.BertConfig()
    if "layers" in settings:
        config = transformers.BertConfig(
            vocab_size=SYMBOLS,
            hidden_size=24,
            num_hidden_layers=2,
            num_attention_heads=3,
            intermediate_size=96,
            max_position_embeddings=32,
        )
    module = transformers.BertModel(config).eval()
    graph = bind(support.load("bert.nn", **settings).graph, _numpy(module))
    for size in SIZES if "layers" in settings else ((2, 7),):
        inputs = _bert_inputs(size)
        ours = run(graph, inputs).outputs
        with torch.no_grad():
            theirs = module(
                torch.from_numpy(inputs["tokens"]),
                token_type_ids=torch.from_numpy(inputs["segments"]),
                attention_mask=torch.from_numpy(inputs["mask"].astype(np.int64)),
            )
        assert support.difference(ours["hidden"], theirs.last_hidden_state.numpy()) <= 1e-4
        assert support.difference(ours["pooled"], theirs.pooler_output.numpy()) <= 1e-4


@pytest.mark.slow
def test_bert_for_pre_training_equals_hugging_face() -> None:
    import transformers  # heavy: only where it is needed

    config = transformers.BertConfig(
        vocab_size=SYMBOLS,
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=3,
        intermediate_size=96,
        max_position_embeddings=32,
    )
    module = transformers.BertForPreTraining(config).eval()
    values = _numpy(module)
    for tied in ("cls.predictions.decoder.weight", "cls.predictions.decoder.bias"):
        values.pop(tied, None)
    program = support.load("bert.nn", "BertForPreTraining", **SMALL_GPT)
    graph = bind(program.graph, values)
    inputs = _bert_inputs((3, 7))
    ours = run(graph, inputs).outputs
    with torch.no_grad():
        theirs = module(
            torch.from_numpy(inputs["tokens"]),
            token_type_ids=torch.from_numpy(inputs["segments"]),
            attention_mask=torch.from_numpy(inputs["mask"].astype(np.int64)),
        )
    assert support.difference(ours["words"], theirs.prediction_logits.numpy()) <= 1e-4
    assert support.difference(ours["follows"], theirs.seq_relationship_logits.numpy()) <= 1e-4


# --- torch.nn.Transformer --------------------------------------------------------------------


def torch_transformer(values: dict[str, Array], hidden: int, heads: int) -> nn.Module:
    """torch.nn.Transformer with our weights."""
    width = values["embedding.weight"].shape[1]
    layers = sum(path.endswith("attend.query.bias") for path in values) // 2
    module = nn.Transformer(width, heads, layers, layers, hidden, 0.0, batch_first=True).eval()
    state = {}
    for name in module.state_dict():
        side, *middle, last = name.split(".")
        path = ".".join([side, *middle])
        path = path.replace("self_attn", "attend").replace("multihead_attn", "look")
        path = path.replace("linear1", "feed.expand").replace("linear2", "feed.project")
        path = path.replace("out_proj", "out")
        if last.startswith("in_proj"):
            part = last.removeprefix("in_proj_")
            found = [values[f"{path}.{n}.{part}"] for n in ("query", "key", "value")]
            state[name] = torch.from_numpy(np.concatenate(found))
        else:
            state[name] = torch.from_numpy(values[f"{path}.{last}"])
    module.load_state_dict(state)
    return module


@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
@pytest.mark.parametrize(
    "settings",
    [
        {"layers": 2, "width": 24, "heads": 3, "hidden": 40, "vocabulary": SYMBOLS},
        pytest.param({"vocabulary": SYMBOLS}, marks=pytest.mark.slow),
    ],
    ids=["small", "base"],
)
def test_transformer_equals_torch(settings: dict[str, Any]) -> None:
    program = support.load("transformer.nn", **settings)
    values = drawn(program.graph)
    width = values["embedding.weight"].shape[1]
    if "layers" not in settings:
        assert count(program) == 44_140_544 + SYMBOLS * 512
    module = torch_transformer(values, settings.get("hidden", 2048), settings.get("heads", 8))
    model = compiled(program.graph, values)
    table = torch.from_numpy(values["embedding.weight"])

    def embedded(text: Array) -> torch.Tensor:
        place = np.arange(text.shape[1])[:, None]
        angle = place / 10000 ** (np.arange(0, width, 2) / width)
        code = np.stack([np.sin(angle), np.cos(angle)], axis=2).reshape(text.shape[1], width)
        return table[torch.from_numpy(text)] * width**0.5 + torch.from_numpy(code).float()

    for n, s, t in ((1, 3, 7), (3, 7, 1), (7, 1, 3)) if "layers" in settings else ((2, 7, 5),):
        source, target = tokens((n, s)), tokens((n, t), seed=1)
        ours = model({"source": source, "target": target})["logits"]
        causal = nn.Transformer.generate_square_subsequent_mask(t)
        with torch.no_grad():
            hidden = module(embedded(source), embedded(target), tgt_mask=causal)
            theirs = (hidden @ table.T).numpy()
        assert support.difference(ours, theirs) <= 1e-4


def test_encoding_and_decoding_apart() -> None:
    settings = {
        "layers": 1,
        "width": 8,
        "heads": 2,
        "hidden": 12,
        "vocabulary": SYMBOLS,
        "padding": 0,
    }
    program = support.load("transformer.nn", **settings)
    values = drawn(program.graph)
    inputs = {"source": tokens((3, 7)), "target": tokens((3, 5), seed=1)}
    whole = compiled(program.graph, values)(inputs)["logits"]
    memory = compiled(program.entries["encode"], values)({"source": inputs["source"]})["memory"]
    parts = compiled(program.entries["decode"], values)({**inputs, "memory": memory})
    assert support.difference(parts["logits"], whole) <= 1e-5
