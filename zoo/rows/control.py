"""Control and games: rows 56 and 57."""

from __future__ import annotations

from zoo.figures import games
from zoo.figures.counts import parameters
from zoo.row import Case, Mark, Row

ROWS = (
    Row(
        56,
        "DQN",
        (
            Case("dqn.nn", {"actions": 3}, sizes=(1, 2), heavy=True),
            Case("dqn.nn", {"features": 3, "hidden": 5}, "SmallDQN"),
        ),
        parameters("dqn.nn", (1_687_206, {})),
        Mark(
            "a pole balanced on a cart, ≥ 195 of 200 steps",
            ("python examples/cartpole.py",),
            "steps",
            195,
        ),
    ),
    Row(
        57,
        "AlphaGo Zero",
        (
            Case(
                "alphazero.nn",
                {"blocks": 2, "width": 4, "board": 3, "planes": 3, "passes": 0},
                sizes=(2, 3),
            ),
        ),
        games.ZERO,
        Mark(
            "tic-tac-toe by games against itself: of all that a random player can do, lost: 0",
            ("python examples/tictactoe.py",),
            "lost",
            0,
            most=True,
        ),
    ),
)
