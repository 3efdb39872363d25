"""Tic-tac-toe learnt from games against itself, as AlphaGo Zero learnt Go (Silver et al., 2017).

    python examples/tictactoe.py

Then it plays whatever a random player might do, beginning and second: all its games are gone
through, and counted by the positions that they end in.
"""

from __future__ import annotations

import numpy as np

import nncomp

ROUNDS, GAMES, EPOCHS, BATCH = 12, 48, 4, 64
SEARCHES, THINKS = 50, 200  # from each position: while it learns, and in the games that count
EXPLORES, NOISE = 1.5, 0.25
LINES = np.array(
    [[0, 1, 2], [3, 4, 5], [6, 7, 8], [0, 3, 6], [1, 4, 7], [2, 5, 8], [0, 4, 8], [2, 4, 6]]
)

Model = nncomp.Model


def won(board: np.ndarray) -> bool:
    """Whether who moved last, whose stones are -1, has three in a row."""
    return bool((board[LINES].sum(axis=1) == -3).any())


class Node:
    """A position, with the stones of who is to move as 1; N, W and P of each move."""

    def __init__(self, board: np.ndarray) -> None:
        self.board = board
        self.legal = board == 0
        self.end = -1.0 if won(board) else None if self.legal.any() else 0.0
        self.N, self.W, self.P = np.zeros(9), np.zeros(9), np.zeros(9)
        self.children: dict[int, Node] = {}

    def after(self, move: int) -> Node:
        if move not in self.children:
            board = -self.board
            board[move] = -1
            self.children[move] = Node(board)
        return self.children[move]

    def choice(self) -> int:
        """The move of the greatest upper bound of its value (PUCT)."""
        bound = EXPLORES * self.P * np.sqrt(self.N.sum() + 1) / (1 + self.N)
        return int(np.where(self.legal, self.W / np.maximum(self.N, 1) + bound, -np.inf).argmax())


def planes(boards: np.ndarray) -> np.ndarray:
    """f32 [N, 3, 3, 3]: whose stones are where, and nobody's."""
    return np.stack([boards == who for who in (1, -1, 0)], 1).reshape(-1, 3, 3, 3).astype("f")


def expand(model: Model, nodes: list[Node]) -> np.ndarray:
    """Gives nodes the network's P; their values, exact where the game is over."""
    boards = np.stack([node.board for node in nodes])
    found = model(state=planes(boards), legal=boards == 0)
    for node, p in zip(nodes, found["p"], strict=True):
        node.P = p
    return np.array([v if n.end is None else n.end for n, v in zip(nodes, found["v"], strict=True)])


def search(
    model: Model, roots: list[Node], count: int, rng: np.random.Generator | None = None
) -> np.ndarray:
    """How often each move was visited, as shares [N, 9]; with noise at the root in self-play."""
    expand(model, roots)
    for root in roots if rng else ():
        noise = rng.dirichlet(np.ones(9)) * root.legal
        root.P = (1 - NOISE) * root.P + NOISE * noise / noise.sum()
    for _ in range(count):
        paths, leaves = [], []
        for root in roots:
            node, path = root, []
            while node.end is None and (not path or node.P.any()):
                move = node.choice()
                path.append((node, move))
                node = node.after(move)
            paths.append(path)
            leaves.append(node)
        for path, value in zip(paths, expand(model, leaves), strict=True):
            for node, move in reversed(path):
                value = -value
                node.N[move] += 1
                node.W[move] += value
    visits = np.stack([root.N for root in roots])
    return visits / visits.sum(axis=1, keepdims=True)


def games(model: Model, rng: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray, float]]:
    """Boards, shares of visits, and how the game ended for who was to move."""
    roots, told = [Node(np.zeros(9, int)) for _ in range(GAMES)], []
    histories: list[list[tuple[np.ndarray, np.ndarray]]] = [[] for _ in roots]
    while roots:
        shares = search(model, roots, SEARCHES, rng)
        going = []
        for root, pi, history in zip(roots, shares, histories, strict=True):
            history.append((root.board, pi))
            following = Node(root.after(int(rng.choice(9, p=pi))).board)
            going.append(following)
            if following.end is not None:
                z = following.end
                for board, visited in reversed(history):
                    z = -z
                    told.append((board, visited, z))
        left = [i for i, node in enumerate(going) if node.end is None]
        roots, histories = [going[i] for i in left], [histories[i] for i in left]
    return told


def against_all(model: Model) -> tuple[int, int, int]:
    """Ends of games won, drawn and lost, of all that it may come to."""
    results = {1: 0, 0: 0, -1: 0}
    for begins in (True, False):
        ours, nodes = begins, [Node(np.zeros(9, int))]
        while nodes:
            moves = replies(model, nodes) if ours else [np.flatnonzero(n.legal) for n in nodes]
            after = [
                n.after(int(move)) for n, all_ in zip(nodes, moves, strict=True) for move in all_
            ]
            different = list({node.board.tobytes(): node for node in after}.values())
            for node in different:
                if node.end is not None:
                    results[int(-node.end) * (1 if ours else -1)] += 1
            ours, nodes = not ours, [node for node in different if node.end is None]
    return results[1], results[0], results[-1]


def replies(model: Model, nodes: list[Node]) -> np.ndarray:
    """The most visited move from each position: i64 [N, 1]."""
    shares = search(model, [Node(node.board) for node in nodes], THINKS)
    return shares.argmax(axis=1, keepdims=True)


def main() -> None:
    rng = np.random.default_rng(0)
    model = nncomp.load("models/alphazero.nn", blocks=1, width=16, board=3, planes=3, passes=0)
    step = model.training_step()
    told: list[tuple[np.ndarray, np.ndarray, float]] = []
    for number in range(ROUNDS):
        told = [*told, *games(model, rng)][-4000:]
        board, pi, z = (np.stack(part) for part in zip(*told, strict=True))
        for _ in range(EPOCHS * len(told) // BATCH):
            drawn = rng.integers(0, len(told), BATCH)
            found = step(
                state=planes(board[drawn]),
                legal=board[drawn] == 0,
                pi=pi[drawn].astype(np.float32),
                z=z[drawn].astype(np.float32),
            )
        print(f"round {number + 1} of {ROUNDS}, {len(told)} positions, loss {found['loss']:.3f}")
    won_, drawn_, lost = against_all(model)
    print(f"won {won_}, drawn {drawn_}, lost {lost} of the ends that its games may have")


if __name__ == "__main__":
    main()
