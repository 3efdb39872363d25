"""Searching for hyperparameters."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nncomp.driver.tune import Search, Tuned, folder_of, tune
from nncomp.errors import CompileError
from nncomp.source import SourceFile
from nncomp.training import trials as trials_module
from nncomp.training.options import Options
from nncomp.training.search import Choices, grid, parse_space
from nncomp.training.trainer import LAST
from nncomp.training.trials import TRIALS, Method, Proposer, Trial, best_of

MODEL = """
from std import Linear
from std.optim import SGD

model M(width: int = 4, act: str = "tanh") {
  assert width < 90, "too wide"
  input x: f32[N, 2]
  h = x |> Linear(width)
  h = tanh(h) if act == "tanh" else relu(h)
  y = h |> Linear(1)
  output y
  train {
    input target: f32[N, 1]
    metric error = mean(abs(y - target))
    minimize mse_loss(y, target) by SGD(lr=0.1)
  }
}
"""
SOURCE = SourceFile("m.nn", MODEL)
X = np.random.default_rng(0).normal(size=(60, 2)).astype(np.float32)
DATA = {"x": X, "target": X[:, :1] * X[:, 1:]}


def spaces(**texts: str) -> list[Any]:
    return [parse_space(name, text) for name, text in texts.items()]


def searched(folder: Path, search: Search, **more: Any) -> Tuned:
    return tune(SOURCE, DATA, search, Options(epochs=2, batch_size=16), folder, **more)


@pytest.mark.parametrize(
    ("text", "points"),
    [
        ("relu|tanh", ["relu", "tanh"]),
        ("[8]|[16, 8]", ["[8]", "[16, 8]"]),
        ("3..5", ["3", "4", "5"]),
        ("1e-4..1e-1:log/4", ["0.0001", "0.001", "0.01", "0.1"]),
        ("0..1.0/3", ["0", "0.5", "1"]),
        ("-2..2/3", ["-2", "0", "2"]),
        ("16..128:log/4", ["16", "32", "64", "128"]),
        ("one", ["one"]),
    ],
)
def test_spaces_have_points(text: str, points: list[str]) -> None:
    assert [point["a"] for point in grid([parse_space("a", text)])] == points


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2..1", "the first end must be the smaller one"),
        ("0..1:log", "a logarithmic interval begins above 0"),
        ("1..2/1", "it has 2 to 10,000 points"),
        ("a||b", "an empty choice"),
        ("", "an empty choice"),
    ],
)
def test_spaces_that_are_none(text: str, message: str) -> None:
    with pytest.raises(CompileError, match=f"NN0407.*{message}"):
        parse_space("a", text)


def test_a_grid_is_finite() -> None:
    with pytest.raises(CompileError, match=r"NN0407.*needs values of `lr`") as failure:
        grid(spaces(lr="1e-4..1e-1"))
    assert failure.value.diagnostics[0].help == "say how many: `lr=0.0001..0.1/5`"
    with pytest.raises(CompileError, match="more than 10,000 points"):
        grid(spaces(a="0..200", b="0..200"))


@pytest.mark.parametrize("method", ["random", "bayesian"])
@pytest.mark.parametrize("maximize", [False, True])
def test_proposals_follow_from_the_trials_before(method: Method, maximize: bool) -> None:
    """So a search that goes on is one that was never stopped; Bayesian ones find the best place."""
    found = spaces(x="-1.0..1.0", n="1..8", act="relu|tanh", lr="1e-4..1e-1:log")

    def values(count: int) -> list[Trial]:
        trials: list[Trial] = []
        for number in range(count):
            proposer = Proposer(found, method, 7, maximize)
            chosen = proposer.values(trials)
            distance = abs(float(chosen["x"]) - 0.3)
            failed = number % 7 == 6
            value = None if failed else -distance if maximize else distance
            trials.append(Trial(number, chosen, value))
        return trials

    trials = values(30)
    assert values(12) == trials[:12]
    assert len({json.dumps(dict(trial.values)) for trial in trials}) == 30
    for trial in trials:
        assert -1 <= float(trial.values["x"]) <= 1
        assert 1 <= int(trial.values["n"]) <= 8
        assert trial.values["act"] in ("relu", "tanh")
        assert 1e-4 <= float(trial.values["lr"]) <= 1e-1
    later = np.mean([abs(float(trial.values["x"]) - 0.3) for trial in trials[15:]])
    assert (later < 0.3) == (method == "bayesian")


def test_a_gaussian_process_finds_the_place() -> None:
    found, trials = spaces(x="-1.0..1.0", lr="1e-4..1e-1:log"), list[Trial]()
    for number in range(14):
        chosen = Proposer(found, "gp", 7, True).values(trials)
        trials.append(Trial(number, chosen, -((float(chosen["x"]) - 0.3) ** 2)))
    assert Proposer(found, "gp", 7, True).values(trials[:12]) == trials[12].values
    best = best_of(trials, True)
    assert best is not None
    assert abs(float(best.values["x"]) - 0.3) < 0.02


def test_gaussian_processes_say_what_they_need(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials_module, "find_spec", lambda name: None if name == "torch" else name)
    with pytest.raises(CompileError, match=r"NN0404.*need torch, not installed here"):
        Proposer(spaces(x="0.0..1.0"), "gp", 0, False)


def test_a_grid_of_trainings(tmp_path: Path) -> None:
    told: list[int] = []
    search = Search(spaces(width="2|8", lr="0.01|0.3", act="relu"), "grid", "error")
    tuned = searched(tmp_path, search, told=lambda trial, count: told.append(count))
    assert [(t.values["width"], t.values["lr"]) for t in tuned.trials] == [
        ("2", "0.01"),
        ("2", "0.3"),
        ("8", "0.01"),
        ("8", "0.3"),
    ]
    assert told == [4] * 4
    assert tuned.best.value == min(t.value for t in tuned.trials if t.value is not None)
    assert tuned.best.value == tuned.best.results["error"]
    assert (tuned.folder / "m.onnx").exists()
    rows = list(csv.DictReader((tmp_path / "trials.csv").read_text().splitlines()))
    assert [row["width"] for row in rows] == ["2", "2", "8", "8"]
    assert float(rows[3]["validation_error"]) == tuned.trials[3].value
    first, *lines = map(json.loads, (tmp_path / TRIALS).read_text().splitlines())
    assert first["search"]["goal"] == "minimize error"
    assert [line["number"] for line in lines] == [0, 1, 2, 3]


def same(trials: list[Trial]) -> list[Any]:
    return [(trial.values, trial.value, trial.results) for trial in trials]


class Stop(Exception):  # noqa: N818 - of a search, as an interrupt stops it
    pass


def test_a_stopped_search_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between trials and within one; what an earlier search has left in a folder does not count."""
    search = Search(spaces(width="2..16", lr="1e-3..1:log"), "bayesian", maximize=False, seed=3)
    whole = searched(tmp_path / "whole", search, trials=5)

    def stop(trial: Trial, count: int) -> None:
        if trial.number == 2:
            raise Stop

    folder = tmp_path / "run"
    for stale in range(6):
        old = folder_of(folder, Trial(stale, {}, None))
        old.mkdir(parents=True)
        (old / LAST).write_bytes(b"of another search")
    with pytest.raises(Stop):
        searched(folder, search, trials=5, told=stop)
    import nncomp.training.trainer as trainer

    save, saved = trainer.save_checkpoint, [0]

    def interrupted(*given: Any) -> None:
        save(*given)
        saved[0] += 1
        if saved[0] == 3:
            raise Stop

    monkeypatch.setattr(trainer, "save_checkpoint", interrupted)
    with pytest.raises(Stop):
        searched(folder, search, trials=5, resume=True)
    monkeypatch.undo()
    resumed = searched(folder, search, trials=5, resume=True)
    assert same(resumed.trials) == same(whole.trials)
    assert (folder / "trial-003" / LAST).read_bytes() == (
        tmp_path / "whole" / "trial-003" / LAST
    ).read_bytes()
    with pytest.raises(CompileError, match=r"NN0404.*its seed was 3, now it is 4"):
        searched(folder, Search(search.spaces, seed=4), trials=5, resume=True)
    (folder / TRIALS).write_text("{}\n")
    with pytest.raises(CompileError, match=r"NN0404.*not the log of a search"):
        searched(folder, search, resume=True)


def test_a_trial_may_fail(tmp_path: Path) -> None:
    search = Search(spaces(width="4|95", lr="0.1|1e38"), "grid")
    tuned = searched(tmp_path, search)
    failures = [trial.failure or "" for trial in tuned.trials]
    assert [text[:6] for text in failures] == ["", "NN0404", "NN0209", "NN0209"]
    assert "too wide" in failures[2]
    assert tuned.best.number == 0


@pytest.mark.parametrize(
    ("texts", "more", "code", "message"),
    [
        ({"widht": "1|2"}, {}, "NN0407", "there is no hyperparameter `widht`"),
        ({"width": "1|2"}, {"settings": {"width": "3"}}, "NN0407", "both set and searched over"),
        ({"width": "91|92|93|94"}, {}, "NN0209", "too wide"),
        ({"width": "x|y|z"}, {}, "NN0201", ""),
        ({"batch_size": "a|b"}, {}, "NN0407", "`a` is no value of `batch_size`"),
        ({"schedule": "cosine|sine"}, {}, "NN0407", "`sine` is no value of `schedule`"),
        ({"width": "2"}, {"resume": True}, "NN0001", "nothing to resume"),
    ],
)
def test_what_cannot_be_searched(
    tmp_path: Path, texts: dict[str, str], more: dict[str, Any], code: str, message: str
) -> None:
    with pytest.raises(CompileError) as failure:
        searched(tmp_path, Search(spaces(**texts), "grid"), **more)
    assert failure.value.diagnostics[0].code == code
    assert message in failure.value.diagnostics[0].message


def test_a_name_is_searched_over_once(tmp_path: Path) -> None:
    twice = [*spaces(width="1|2"), *spaces(width="3|4")]
    with pytest.raises(CompileError, match=r"NN0407.*`width` is searched over twice"):
        searched(tmp_path, Search(twice, "grid"))


def test_a_log_of_trials_that_lies(tmp_path: Path) -> None:
    search = Search(spaces(width="2..8"), "random")
    searched(tmp_path, search, trials=1)
    log = tmp_path / TRIALS
    first, line = log.read_text().splitlines()
    for change, said in (
        ({"value": "low"}, "is not the log of a search"),
        ({"values": [2]}, "is not the log of a search"),
        ({"values": {"width": "x"}}, "`x` of trial 0 is no number"),
    ):
        log.write_text(f"{first}\n{json.dumps({**json.loads(line), **change})}\n")
        with pytest.raises(CompileError, match=f"NN0404.*{said}"):
            searched(tmp_path, search, trials=2, resume=True)


def test_two_searches_do_not_share_a_folder(tmp_path: Path) -> None:
    search = Search(spaces(width="2"), "grid")

    def told(trial: Trial, count: int) -> None:
        with pytest.raises(CompileError, match="another run is writing into"):
            searched(tmp_path, search)

    assert searched(tmp_path, search, told=told).best.number == 0


def test_a_goal_must_exist(tmp_path: Path) -> None:
    with pytest.raises(CompileError, match="NN0404") as failure:
        searched(tmp_path, Search([Choices("width", ("2",))], "grid", "eror"))
    assert failure.value.diagnostics[0].help == "did you mean `error`?"
    assert not list(tmp_path.iterdir())  # nothing was trained, and no earlier search is lost
    found = searched(tmp_path, Search([Choices("width", ("91", "2"))], "grid", "error"))
    assert [trial.value is None for trial in found.trials] == [True, False]
