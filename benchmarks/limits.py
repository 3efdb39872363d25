"""What inputs that ask for too much cost: the code that answers, processor seconds, megabytes.

    python benchmarks/limits.py [--whole] [--only TEXT]

Each runs `nncomp` in a process of its own, after it has started; with `--whole` from its start to
its end, by the clock. The first row is a good program.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.bad_inputs import CASES, GOOD
from tests.refusals import Case, Outcome, Runner


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", metavar="TEXT", help="cases with this in their name")
    parser.add_argument("--whole", action="store_true", help="measure whole processes")
    args = parser.parse_args()
    good = Case("a good program", "", GOOD)
    if args.whole:
        measured(good, whole=True)  # fills the caches
    print(f"{'input':70} {'code':8} {'seconds':>8} {'MB':>6}")
    for case in (good, *CASES):
        if args.only not in case.name:
            continue
        outcome = measured(case, whole=args.whole)
        found = re.search(r"error\[(NN\d+)\]", outcome.report)
        code = found[1] if found else f"exit {outcome.status}"
        print(
            f"{case.name:70} {code:8} {outcome.seconds:8.2f} {outcome.megabytes:6.0f}", flush=True
        )


def measured(case: Case, *, whole: bool) -> Outcome:
    with tempfile.TemporaryDirectory() as folder, Runner(whole=whole) as runner:
        (Path(folder) / "case").mkdir()
        return runner.run(case, Path(folder) / "case")


if __name__ == "__main__":
    main()
