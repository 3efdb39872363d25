"""The members of the second table, by family."""

from __future__ import annotations

from zoo.members import Member
from zoo.methods.functions import ACTIVATIONS, LOSSES
from zoo.methods.initialisers import INITIALISERS
from zoo.methods.optimisers import OPTIMISERS
from zoo.methods.regularisers import REGULARISERS
from zoo.methods.running import DIFFERENTIATION, SCALE, SEARCHES

FAMILIES: dict[str, tuple[Member, ...]] = {
    "Optimisers": OPTIMISERS,
    "Initial values": INITIALISERS,
    "Regularisers": REGULARISERS,
    "Activations": ACTIVATIONS,
    "Losses": LOSSES,
    "Differentiation": DIFFERENTIATION,
    "Search": SEARCHES,
    "Scale": SCALE,
}
