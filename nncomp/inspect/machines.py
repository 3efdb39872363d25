"""Machines by their peaks, for estimates by the roofline model (Williams et al., 2009)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from nncomp.errors import did_you_mean, error

_WHERE = "NVIDIA data sheet"


@dataclass(frozen=True)
class Machine:
    """flops: of float32 in a second at most, without tensor cores; bandwidth: bytes of memory in a
    second; source: who says so"""

    name: str
    flops: float
    bandwidth: float
    source: str = ""

    @property
    def ridge(self) -> float:
        """Operations per byte above which it computes as fast as it can."""
        return self.flops / self.bandwidth

    def seconds(self, flops: float, moved: float) -> float:
        """The least time for so many operations and bytes, which overlap."""
        return max(flops / self.flops, moved / self.bandwidth)


MACHINES = {
    machine.name: machine
    for machine in (
        Machine("v100", 15.7e12, 900e9, f"{_WHERE}, V100 SXM2, 2020"),
        Machine("t4", 8.1e12, 320e9, f"{_WHERE}, T4, 2019"),
        Machine("a100", 19.5e12, 2039e9, f"{_WHERE}, A100 80GB SXM, 2022"),
        Machine("l4", 30.3e12, 300e9, f"{_WHERE}, L4, 2023"),
        Machine("h100", 67e12, 3350e9, f"{_WHERE}, H100 SXM, 2023"),
        Machine("h200", 67e12, 4800e9, f"{_WHERE}, H200 SXM, 2024"),
        Machine("rtx4090", 82.6e12, 1008e9, "NVIDIA Ada architecture white paper, 2022"),
        Machine("m1", 2.6e12, 68.25e9, "Apple, M1: 8-core GPU and unified memory, 2020"),
    )
}
_FORM = "flops=1e12,bandwidth=5e10"
_PREFIXES = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15}


def machine_of(text: str) -> Machine:
    """A machine by its name, or `flops=19.5T,bandwidth=2039G`.

    Raises CompileError NN0103 for a name that is not listed, NN0005 for what is no such number.
    """
    if "=" not in text:
        if text not in MACHINES:
            raise error(
                "NN0103",
                f"there is no machine `{text}`; there are {', '.join(MACHINES)}",
                help=did_you_mean(text, MACHINES) or f"describe it: --machine {_FORM}",
            )
        return MACHINES[text]
    given = dict(part.partition("=")[::2] for part in text.split(","))
    if set(given) != {"flops", "bandwidth"}:
        raise error("NN0103", f"a machine is `{_FORM}`, not `{text}`")
    return Machine(text, _number(given["flops"]), _number(given["bandwidth"]))


def _number(text: str) -> float:
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]*)?(?:e\+?[0-9]{1,2})?)([kMGTP]?)", text.strip())
    value = float(found[1]) * _PREFIXES[found[2]] if found else 0.0
    if not value:
        raise error("NN0005", f"expected a number such as 19.5T or 5e10, not `{text}`")
    return value
