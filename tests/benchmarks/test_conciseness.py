"""What is counted, that the peers are the same networks, and that ours are shortest."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def module(path: str) -> ModuleType:
    """A script of benchmarks/, which is no package."""
    spec = importlib.util.spec_from_file_location(f"form_{Path(path).stem}", BENCHMARKS / path)
    assert spec
    assert spec.loader
    found = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = found  # where dataclasses look their module up
    spec.loader.exec_module(found)
    return found


conciseness = module("conciseness.py")

# Parameters, as the model files have them (zoo/, tests/models).
PARAMETERS = [
    ("alexnet", "alexnet", {}, 60_965_224),
    ("resnet", "resnet", {"depth": 18}, 11_689_512),
    ("resnet", "resnet", {"depth": 50}, 25_557_032),
    ("resnet", "resnet", {"depth": 152}, 60_192_808),
    ("resnet", "resnet", {"depth": 34, "residual": False}, 21_623_848),
    ("lstm", "AddingLSTM", {}, 17_473),
    ("gpt", "GPT", {}, 124_439_808),
    ("gpt", "GPT", {"size": "gpt2-xl"}, 1_557_611_200),
    ("unet", "UNet", {}, 31_030_658),
    ("dcgan", "DCGAN", {}, 3_576_704 + 2_765_568),
]


@pytest.mark.parametrize("system", conciseness.SYSTEMS)
def test_ours_is_shortest(system: str) -> None:
    sizes = conciseness.measured(system)
    ours = sizes.pop("nncomp")
    for peer, theirs in sizes.items():
        for what in ("lines", "tokens"):
            assert getattr(ours, what) < getattr(theirs, what), (peer, what)


def test_the_page_has_the_table() -> None:
    assert conciseness.markdown() in (BENCHMARKS / "README.md").read_text("utf-8")


@pytest.mark.parametrize(("file", "name", "settings", "count"), PARAMETERS)
def test_the_peer_has_as_many_parameters(
    file: str, name: str, settings: dict[str, object], count: int
) -> None:
    make = getattr(module(f"forms/pytorch/{file}.py"), name)
    with torch.device("meta"):
        network = make(**settings)
    assert sum(p.numel() for p in network.parameters()) == count


def test_the_peers_compute_what_ours_do() -> None:
    """Shapes, and what a cache goes on from."""
    with torch.no_grad():
        unet = module("forms/pytorch/unet.py").UNet(width=2, levels=2)
        assert unet(torch.zeros(1, 1, 60, 60)).shape == (1, 2, 20, 20)
        gan = module("forms/pytorch/dcgan.py").DCGAN(latent=5, widths=(4, 8), channels=1)
        made = gan.sample(torch.zeros(3, 5))
        assert made.shape == (3, 1, 16, 16)
        assert gan.judge(made).shape == (3, 1)
        lstm = module("forms/pytorch/lstm.py").AddingLSTM(layers=2, bidirectional=True)
        assert lstm(torch.zeros(3, 7, 2)).shape == (3, 1)
        shape = {"layers": 2, "width": 8, "heads": 2, "context": 9, "vocab": 11}
        gpt = module("forms/pytorch/gpt.py").GPT(**shape).eval()
        tokens = torch.arange(9)[None]
        logits, _ = gpt(tokens)
        _, cache = gpt(tokens[:, :5])
        torch.testing.assert_close(gpt(tokens[:, 5:], cache)[0], logits[:, 5:])


def test_a_step_trains_both() -> None:
    gan = module("forms/pytorch/dcgan.py").DCGAN(latent=5, widths=(4, 8), channels=1)
    training = module("forms/pytorch/dcgan_step.py").Training(gan, latent=5)
    before = {name: p.clone() for name, p in gan.named_parameters()}
    training.step(torch.rand(4, 1, 16, 16))
    changed = {name[0] for name, p in gan.named_parameters() if not torch.equal(p, before[name])}
    assert changed == {"G", "D"}


def test_what_counts(tmp_path: Path) -> None:
    python, model = tmp_path / "a.py", tmp_path / "a.nn"
    python.write_text(
        '"""Text."""\n\n\ndef f(\n    x,\n):  # why\n    assert x\n    return x + 1\n'
    )
    assert conciseness.of_python(python) == conciseness.Size(3, 11, 4)
    model.write_text(
        'nn 1\nfrom std import Linear\nfrom std.optim import SGD\n\n"""Text."""\nmodel M {\n'
        "  input x: f32[N, 2]  # why\n  assert 1 < 2\n  output y = x |> Linear(1)\n"
        "  train {\n    minimize mean(y) by SGD(lr=1)\n  }\n}\n"
    )
    assert conciseness.of_model(model) == conciseness.Size(4, 4 + 3 + 9 + 9 + 1, 5)
    assert conciseness.of_model(model, train=True).lines == 7
