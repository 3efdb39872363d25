"""`verify` names the pass and the rule of every fault that is put into them, and finds none in the
passes as they are. Every rule has such a fault."""

from __future__ import annotations

import pytest

from nncomp.driver.verifying import backends
from nncomp.equivalence.checking import check_passes
from nncomp.equivalence.compare import difference
from nncomp.passes.manager import LEVELS, TRAINING
from nncomp.passes.rewrite import RulePass
from tests.passes.broken import (
    attention,
    batch_norm,
    batch_norm_weights,
    bodies,
    control,
    convolutions,
    expands,
    formulas,
    nans,
    no_ops,
    products,
    recurrent,
    shapes,
)
from tests.passes.broken.fault import Fault

MODULES = (
    *(no_ops, shapes, expands, batch_norm, batch_norm_weights, convolutions, products),
    *(formulas, attention, recurrent, control, bodies, nans),
)
FAULTS = tuple(fault for module in MODULES for fault in module.FAULTS)
PASSES = {pass_ for passes in (*LEVELS.values(), TRAINING) for pass_ in passes}


def test_there_are_enough() -> None:
    assert len(FAULTS) >= 30
    assert len({fault.what for fault in FAULTS}) == len(FAULTS)


def test_every_rule_has_one() -> None:
    """A rule that several passes have, which is one class then, needs one in one of them."""
    assert {fault.rule for fault in FAULTS} == {name for p in PASSES for name in p.rule_names}
    kinds = {(r.name, type(r)) for p in PASSES if isinstance(p, RulePass) for r in p.rules}
    assert len(kinds) == len({name for name, _ in kinds})


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.what)
def test_named(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    graph, passes = fault.graph(), fault.passes
    whole = check_passes(graph, passes, backends())
    assert whole.equal, whole.fault
    for owner, name, wrong in fault.patches:
        monkeypatch.setattr(owner, name, wrong)
    found = check_passes(graph, passes, backends()).fault
    assert found is not None
    assert found.pass_name == fault.pass_name
    assert fault.rule in found.rule.split(", ")  # several, where one rewrite counts as them
    assert found.piece is not None
    assert found.piece.size <= fault.most < len(graph.nodes)
    if found.after is None:  # the pass does not even leave a valid graph
        return
    before, after = (
        backends().numpy(piece.graph, piece.feed, None) for piece in (found.piece, found.after)
    )
    assert difference(after, before, exact=True).size > 0
