"""A file that is refused, as a case of a test: how it is written, and a process that tries it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

HEAD = "model M {\n  input x: f32[N, 8]\n"


@dataclass(frozen=True)
class Case:
    """text: of model.nn; files: others beside it, None for a folder; arguments: the command."""

    name: str
    codes: str
    text: str | bytes | None
    arguments: str = "check model.nn"
    files: Mapping[str, bytes | None] = field(default_factory=dict)


def body(statements: str, before: str = "") -> str:
    return f"{before}{HEAD}{statements}\n  output y\n}}\n"


def chain(first: str, step: Callable[[int], str], last: str, before: str = "") -> str:
    """A statement, forty that depend on the one before, and `y`."""
    steps = [first, *(step(i) for i in range(40)), f"y = {last}"]
    return body("\n".join(f"  {line}" for line in steps), before)


def doubling(declaration: Callable[[int], str], first: str, use: str) -> str:
    """Forty declarations that use the one before twice."""
    lines = [first, *(declaration(i) for i in range(40))]
    return body(f"  y = {use}", "\n".join(lines) + "\n")


def nested(opening: str, inner: str, closing: str, times: int = 40) -> str:
    return opening * times + inner + closing * times


@dataclass(frozen=True)
class Outcome:
    """seconds: of the processor, of a whole process by the clock; megabytes: the most it held"""

    status: int
    report: str
    seconds: float
    megabytes: float


_SERVER = """
import json, os, resource, sys, threading, time
whole = sys.argv[1:] == ["whole"]
if whole:
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # what is installed is compiled
else:
    from nncomp.cli import main
    import nncomp.driver.building, nncomp.driver.checking  # once, for all
for line in sys.stdin:
    folder, arguments, seconds = json.loads(line)
    start = time.perf_counter()
    child = os.fork()
    if not child:
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        os.chdir(folder)
        os.dup2(os.open(folder + ".report", os.O_WRONLY | os.O_CREAT), 2)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if whole:
            os.execv(sys.executable, [sys.executable, "-m", "nncomp", *arguments])
        status = main(arguments)
        sys.stderr.flush()
        os._exit(status)
    timer = threading.Timer(10 * seconds, os.kill, (child, 9))
    timer.start()
    _, status, used = os.wait4(child, 0)
    clock = time.perf_counter() - start
    timer.cancel()
    spent = clock if whole else used.ru_utime + used.ru_stime
    print(json.dumps([os.waitstatus_to_exitcode(status), spent, used.ru_maxrss / 1024]), flush=True)
"""


class Runner:
    """Runs commands of nncomp, each in a process of its own that is forked from one that has
    loaded the compiler; `whole`: from its start to its end, and seconds are those of the clock. A
    process that takes so many seconds of the processor, or ten times as long, is killed."""

    def __init__(self, timeout: int = 60, *, whole: bool = False) -> None:
        self._timeout = timeout
        self._server = subprocess.Popen(
            [sys.executable, "-c", _SERVER, *(["whole"] if whole else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.communicate()

    def run(self, case: Case, folder: Path) -> Outcome:
        """Writes the files into the folder, and runs the command there."""
        for name, content in {"model.nn": case.text, **case.files}.items():
            if content is not None:
                data = content.encode() if isinstance(content, str) else content
                (folder / name).write_bytes(data)
            elif name in case.files:
                (folder / name).mkdir()
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        question = [str(folder), case.arguments.split(), self._timeout]
        print(json.dumps(question), file=self._server.stdin, flush=True)
        status, seconds, megabytes = json.loads(self._server.stdout.readline())
        report = Path(f"{folder}.report").read_text()
        return Outcome(status, report, seconds, megabytes)
