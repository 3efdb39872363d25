"""`verify` names the pass and the rule of every fault that is put into them, and finds none in the
passes as they are."""

from __future__ import annotations

import pytest

from nncomp.driver.verifying import backends
from nncomp.equivalence.checking import check_passes
from nncomp.equivalence.compare import difference
from nncomp.passes.manager import pipeline
from tests.passes.broken import (
    batch_norm,
    control,
    expands,
    formulas,
    fusions,
    nans,
    no_ops,
    recurrent,
)
from tests.passes.broken.fault import Fault

MODULES = (no_ops, expands, fusions, batch_norm, recurrent, control, formulas, nans)
FAULTS = tuple(fault for module in MODULES for fault in module.FAULTS)


def test_there_are_enough() -> None:
    assert len(FAULTS) >= 30
    assert len({fault.what for fault in FAULTS}) == len(FAULTS)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.what)
def test_named(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    graph, passes = fault.graph(), pipeline(fault.level)
    whole = check_passes(graph, passes, backends())
    assert whole.equal, whole.fault
    for owner, name, wrong in fault.patches:
        monkeypatch.setattr(owner, name, wrong)
    found = check_passes(graph, passes, backends()).fault
    assert found is not None
    assert (found.pass_name, found.rule) == (fault.pass_name, fault.rule)
    assert found.piece is not None
    assert found.piece.size <= fault.most < len(graph.nodes)
    if found.after is None:  # the pass does not even leave a valid graph
        return
    before, after = (
        backends().numpy(piece.graph, piece.feed, None) for piece in (found.piece, found.after)
    )
    assert difference(after, before, exact=True).size > 0
