"""Search for good hyperparameters.

Trains once for each trial, with values that a grid, chance or Optuna's Bayesian sampler chooses,
and writes into DIR: trials.jsonl, trials.csv, and a folder for each trial as `nncomp train` leaves
it. What can vary: the model's hyperparameters, and lr, batch_size, epochs, schedule, warmup, shift,
noise, intensity, average, accumulate.

  nncomp tune FILE --data DATA --search width=16..128 --search lr=1e-4..1e-1:log
  nncomp tune FILE --data DATA --search 'act=relu|tanh' --search lr=1e-3..1e-1:log/3 --method grid
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from nncomp.cli.arguments import add_model, pair, positive
from nncomp.cli.loading import file_of
from nncomp.cli.training import add_data, add_objective, add_training, objective_of

if TYPE_CHECKING:
    from nncomp.training.trials import Trial

_SHOWN = 20  # trials in the table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    parser.add_argument(
        "--search",
        metavar="NAME=VALUES",
        action="append",
        required=True,
        type=_search,
        help="LOW..HIGH (whole numbers if both are), LOW..HIGH:log, either with /N for N values of "
        "it, or A|B|C; may be repeated",
    )
    parser.add_argument(
        "--method",
        choices=("grid", "random", "bayesian", "gp"),
        default="bayesian",
        help="bayesian (default) is Optuna's tree of Parzen estimators, gp its Gaussian process, "
        "which needs scipy and torch",
    )
    parser.add_argument(
        "--trials", metavar="N", type=positive, help="(default: 20; the whole of a grid)"
    )
    goal = parser.add_mutually_exclusive_group()
    goal.add_argument(
        "--minimize", metavar="NAME", help="a loss or metric of the validation (default: loss)"
    )
    goal.add_argument("--maximize", metavar="NAME", help="such as accuracy")
    parser.add_argument("-o", "--output", metavar="DIR", help="(default: out/NAME-tune)")
    parser.add_argument(
        "--resume", action="store_true", help="go on with the trials in DIR, within one too"
    )
    parser.add_argument(
        "--seed", metavar="N", type=int, default=0, help="of all random numbers (default: 0)"
    )
    add_data(parser)
    add_training(parser)
    add_objective(parser)


def execute(args: argparse.Namespace) -> int:
    from pathlib import Path

    from nncomp.cli.training import options_of, reading_of, variant_of
    from nncomp.driver.tune import Search, tune
    from nncomp.training.data import Split
    from nncomp.training.search import parse_space

    source = file_of(args.file)
    stem = "model" if args.file == "-" else Path(args.file).stem
    goal = args.maximize or args.minimize
    search = Search(
        [parse_space(name, text) for name, text in args.search],
        args.method,
        goal,
        args.maximize is not None,
        args.seed,
    )
    tuned = tune(
        source,
        args.data,
        search,
        options_of(args),
        args.output or f"out/{stem}-tune",
        trials=args.trials,
        model=args.model,
        settings=dict(args.settings),
        objective=objective_of(args),
        split=Split(*args.split),
        reading=reading_of(args),
        section=args.section,
        lr=args.lr,
        variant=variant_of(args),
        resume=args.resume,
        told=lambda trial, count: print(_line(trial, count), file=sys.stderr),
        backend=args.backend,
        device=args.device,
        target=args.target,
        memory_budget=args.memory_budget,
    )
    _show(tuned.trials, goal or "loss", args.maximize is not None)
    values = ", ".join(f"{name} = {value}" for name, value in tuned.best.values.items())
    print(f"best: trial {tuned.best.number} with {values}")
    print(f"wrote {tuned.folder.parent}/trials.csv")
    print(f"wrote {tuned.folder}/best.safetensors")
    return 0


def _search(text: str) -> tuple[str, str]:
    name, values = pair(text, "NAME=VALUES")
    return name.replace("-", "_"), values


def _line(trial: Trial, count: int) -> str:
    from nncomp.training.progress import numbers

    values = " ".join(f"{name}={value}" for name, value in trial.values.items())
    found = numbers(trial.results) if trial.value is not None else f"failed: {trial.failure}"
    width = len(f"{count - 1}")
    return f"trial {trial.number:{width}} · {values} · {found} · {trial.seconds:.1f} s"


def _show(trials: list[Trial], goal: str, maximize: bool) -> None:
    """The best trials as a table."""
    from rich.table import Table

    from nncomp.inspect.tables import report_console

    finished = [trial for trial in trials if trial.value is not None]
    sign = -1 if maximize else 1
    finished.sort(key=lambda trial: (sign * (trial.value or 0.0), trial.number))
    table = Table()
    results = [name for name in finished[0].results if name != goal]
    for name in ("trial", *finished[0].values, goal, *results, "epochs", "seconds"):
        style = "bold" if name == goal else ""
        table.add_column(name, justify="right", style=style, overflow="fold")
    for trial in finished[:_SHOWN]:
        table.add_row(
            f"{trial.number}",
            *trial.values.values(),
            f"{trial.value:.4f}",
            *(f"{trial.results[name]:.4f}" for name in results),
            f"{trial.epochs}",
            f"{trial.seconds:.1f}",
        )
    report_console().print(table)
    more, failed = len(finished) - _SHOWN, len(trials) - len(finished)
    if more > 0 or failed:
        parts = [f"{more} more"] if more > 0 else []
        parts += [f"{failed} failed"] if failed else []
        print(", ".join(parts))
