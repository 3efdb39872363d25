"""A deep Q-network learns to balance a pole on a cart (Barto, Sutton, Anderson, 1983).

    python examples/cartpole.py

It counts as solved where the pole stays up for 195 of 200 steps on average.
"""

from __future__ import annotations

import numpy as np

import nncomp

CARTS, STEPS, BATCH, LIMIT = 16, 4000, 128, 200
GOAL = 197
GAMMA, FOLLOW, RATE = 0.99, 0.03, 2e-3
GRAVITY, CART, POLE, HALF, FORCE, TAU = 9.8, 1.0, 0.1, 0.5, 10.0, 0.02


def moved(state: np.ndarray, action: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The states [N, 4] after a push to the left (0) or right (1), and which of them fell.

    A state is position, velocity, angle from upright in radians, angular velocity.
    """
    x, v, angle, spin = state.T
    force = np.where(action == 1, FORCE, -FORCE)
    sin, cos, mass = np.sin(angle), np.cos(angle), CART + POLE
    push = (force + POLE * HALF * spin**2 * sin) / mass
    turn = (GRAVITY * sin - cos * push) / (HALF * (4 / 3 - POLE * cos**2 / mass))
    speed = push - POLE * HALF * turn * cos / mass
    after = np.stack([x + TAU * v, v + TAU * speed, angle + TAU * spin, spin + TAU * turn], 1)
    return after, (np.abs(after[:, 0]) > 2.4) | (np.abs(after[:, 2]) > np.radians(12))


def fresh(rng: np.random.Generator, count: int) -> np.ndarray:
    """Where a game begins: at rest, but for a trifle."""
    return rng.uniform(-0.05, 0.05, (count, 4))


def anywhere(rng: np.random.Generator, count: int) -> np.ndarray:
    """Where learning begins, so that it sees the ends of the track from the start."""
    return rng.uniform(-1, 1, (count, 4)) * [2.0, 1.0, 0.15, 1.0]


def best(model: nncomp.Model, state: np.ndarray) -> np.ndarray:
    return np.asarray(model(state=state.astype(np.float32))["Q"].argmax(axis=1))


def train(model: nncomp.Model, rng: np.random.Generator) -> None:
    step = model.training_step()
    state, age = anywhere(rng, CARTS), np.zeros(CARTS, int)
    before, after = np.zeros((2, STEPS, CARTS, 4), np.float32)
    pushed, ended = np.zeros((STEPS, CARTS), np.int64), np.zeros((STEPS, CARTS), np.float32)
    for number in range(STEPS):
        explores = rng.uniform(size=CARTS) < max(0.05, 1 - number / 1000)
        action = np.where(explores, rng.integers(0, 2, CARTS), best(model, state))
        following, fell = moved(state, action)
        before[number], pushed[number] = state, action
        after[number], ended[number] = following, fell
        age += 1
        over = fell | (age >= LIMIT)
        state = np.where(over[:, None], anywhere(rng, CARTS), following)
        age[over] = 0
        drawn = rng.integers(0, number + 1, BATCH), rng.integers(0, CARTS, BATCH)
        step(
            state=before[drawn],
            action=pushed[drawn],
            reward=np.ones(BATCH, np.float32),
            next_state=after[drawn],
            end=ended[drawn],
            lr=RATE * (1 - number / STEPS),
        )
        if number % 250 == 249:
            print(f"{number + 1} batches, {(steps := held(model, rng)):.1f} steps", flush=True)
            if steps > GOAL:
                break


def held(model: nncomp.Model, rng: np.random.Generator) -> float:
    """For how many steps the pole stays up when nothing is tried out: the mean of 100 games."""
    state, up, steps = fresh(rng, 100), np.ones(100, bool), np.zeros(100)
    for _ in range(LIMIT):
        state, fell = moved(state, best(model, state))
        up &= ~fell
        steps += up
    return float(steps.mean())


def main() -> None:
    rng = np.random.default_rng(0)
    model = nncomp.load("models/dqn.nn", "SmallDQN", gamma=GAMMA, follow=FOLLOW)
    train(model, rng)
    print(f"steps {held(model, rng):.1f} of {LIMIT}, the mean of 100 new games")


if __name__ == "__main__":
    main()
