"""Control and games: rows 56 and 57."""

from __future__ import annotations

from zoo.figures import games
from zoo.figures.counts import parameters
from zoo.row import Case, Row

ROWS = (
    Row(
        56,
        "DQN",
        (
            Case("dqn.nn", {"actions": 3}, sizes=(1, 2), heavy=True),
            Case("dqn.nn", {"features": 3, "hidden": 5}, "SmallDQN"),
        ),
        parameters("dqn.nn", (1_687_206, {})),
        short="no mark yet: a small control task",
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
        short="no mark yet: tic-tac-toe by games against itself",
    ),
)
