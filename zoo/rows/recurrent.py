"""Recurrent networks: rows 23 to 31."""

from __future__ import annotations

from itertools import pairwise

from zoo.figures import sequences
from zoo.marks import train
from zoo.row import Case, Mark, Row

DEEP = {"hidden": 5, "layers": 2, "bidirectional": True}


def parity(before: int | None, bits: int | None) -> str:
    """Training for strings of so many bits, from what was learnt of shorter ones."""
    known = f" --weights out/zoo/23-{before}/best.safetensors" if before else ""
    data = f"models/rnn.nn --data generated:parity,samples=2560,bits={bits}"
    return train(23, f"{data} --epochs 10 --lr 5e-3{known}", f"23-{bits}")


REVERSED = "models/seq2seq.nn --lr 5e-3 --data generated:reverse,samples=20000"
SPEECH = {"symbols": 7, "width": 4, "hidden": 6, "length": 5}

ROWS = (
    Row(
        23,
        "Elman RNN",
        (Case("rnn.nn", {"hidden": 5}), Case("rnn.nn", DEEP)),
        sequences.UNROLLED,
        Mark(
            "parity of 8 bits 100 %",
            tuple(parity(*lengths) for lengths in pairwise((None, 2, 3, 4, 6, 8))),
            "accuracy",
            1.0,
        ),
    ),
    Row(
        24,
        "RNN unrolled in time (BPTT)",
        (Case("rnn.nn", {"hidden": 5, "steps": 4}, "Unrolled", symbols=2),),
        sequences.NORMS,
    ),
    Row(
        25,
        "LSTM",
        (Case("lstm.nn", {"hidden": 5}),),
        sequences.LSTM,
        Mark(
            "adding problem, T=100: MSE < 0.01",
            (
                train(
                    25,
                    "models/lstm.nn --data generated:adding,samples=40000 --set hidden=64 "
                    "--epochs 4 --lr 0.004 --batch-size 50",
                ),
            ),
            "loss",
            0.01,
            most=True,
        ),
    ),
    Row(
        26,
        "LSTM with peepholes",
        (Case("lstm.nn", {**DEEP, "peephole": True}),),
        sequences.PEEPHOLES,
    ),
    Row(27, "GRU", (Case("gru.nn", {"hidden": 5}), Case("gru.nn", DEEP)), sequences.GRU),
    Row(
        28,
        "Deep RNN with skip connections",
        (Case("deep_rnn.nn", {"symbols": 11, "width": 4, "hidden": 5}),),
        None,
        Mark(
            "data-set descriptions, the last tenth held out: < 2.6 bits a character",
            ("python examples/characters.py",),
            "bits",
            2.6,
            most=True,
        ),
        short="no part of the text was kept to choose the settings on, the rate at which it learns "
        "from the held-out text among them: they count as chosen on that text",
    ),
    Row(
        29,
        "Sequence to sequence",
        (Case("seq2seq.nn", SPEECH, symbols=7),),
        None,
        Mark(
            "reverse strings of 10 symbols ≥ 99 %",
            (
                train(29, f"{REVERSED},length=5 --set length=5 --epochs 3", "29-5"),
                train(
                    29,
                    f"{REVERSED} --epochs 6 --schedule cosine "
                    "--weights out/zoo/29-5/best.safetensors",
                ),
            ),
            "accuracy",
            0.99,
        ),
    ),
    Row(
        30,
        "Attention-based sequence to sequence",
        (Case("seq2seq.nn", {**SPEECH, "attention": True}, symbols=7),),
        sequences.LOOKS,
        Mark(
            "sort strings of 12 symbols ≥ 99 %",
            (
                train(
                    30,
                    "models/seq2seq.nn --data generated:sort --set attention=true "
                    "--set length=12 --epochs 4 --lr 5e-3 --schedule cosine",
                ),
            ),
            "accuracy",
            0.99,
        ),
    ),
    Row(
        31,
        "Image captioning",
        (
            Case(
                "captioning.nn",
                {"symbols": 7, "length": 3, "size": 8, "width": 4, "hidden": 6},
                symbols=7,
            ),
        ),
        None,
        Mark(
            "digits to words ≥ 97 %",
            (train(31, "models/captioning.nn --data sklearn:words --epochs 20"),),
            "accuracy",
            0.97,
        ),
    ),
)
