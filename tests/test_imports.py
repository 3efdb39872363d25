"""Imports go one way, and starting the command loads nothing heavy."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# Each part may import itself and those named; parts on one line do not import one another.
FOUNDATION = [
    "codes",
    "collector",
    "limits",
    "records",
    "source",
    "errors",
    "files",
    "dims",
    "types",
]
LAYERS: dict[str, list[str]] = {
    "ir": FOUNDATION,
    "renaming": FOUNDATION,
    "misfits": FOUNDATION,
    "weights": [*FOUNDATION, "ir", "renaming", "misfits"],
    "ops": [*FOUNDATION, "ir"],
    "syntax": [*FOUNDATION, "grammar"],
    "highlight": [*FOUNDATION, "ops", "syntax"],
    "decompile": [*FOUNDATION, "ir", "ops", "syntax"],
    "autodiff": [*FOUNDATION, "ir", "ops"],
    "lower": [*FOUNDATION, "ir", "ops", "syntax", "std"],
    "onnx_import": [*FOUNDATION, "ir", "ops"],
    "passes": [*FOUNDATION, "ir", "ops", "autodiff"],
    "equivalence": [*FOUNDATION, "ir", "ops", "passes"],
    "deployment": [*FOUNDATION, "ir", "ops", "passes"],
    "inspect": [*FOUNDATION, "ir", "ops", "passes"],
    "training": [*FOUNDATION, "ir", "ops", "weights"],
    "backends": [*FOUNDATION, "ir", "ops"],
    "grammar": [],
    "std": [],
}
MAY_IMPORT = {
    "codes": [],
    "collector": [],
    "explanations": [],
    "limits": [],
    "records": [],
    "source": ["records"],
    "errors": ["codes", "source"],
    "files": ["errors", "source"],
    "dims": ["errors"],
    "types": ["dims"],
    **LAYERS,
    "driver": [*FOUNDATION, *LAYERS],
    "lsp": [*FOUNDATION, *LAYERS, "driver"],
    "cli": [*FOUNDATION, *LAYERS, "explanations", "driver", "lsp", "(package)"],
    "__main__": ["cli"],
    "__init__": ["driver", "errors", "weights"],
}
MODULES = [
    *sorted((ROOT / "nncomp").rglob("*.py")),
    *sorted((ROOT / "backends").rglob("*.py")),
    *sorted((ROOT / "grammar").rglob("*.py")),
]


def part_of(path: Path) -> str:
    relative = path.relative_to(ROOT)
    parts = relative.parts[1:] if relative.parts[0] == "nncomp" else relative.parts
    return parts[0].removesuffix(".py")


def imported_parts(path: Path) -> set[str]:
    """Parts of nncomp that a module imports, those for type checking left out."""
    tree = ast.parse(path.read_text())
    checking = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    names: list[str] = []
    for node in ast.walk(tree):
        if id(node) in checking:
            continue
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively"
            if node.module == "nncomp":
                names += [f"nncomp.{alias.name}" for alias in node.names]
            else:
                names.append(node.module or "")
    inside = [name.split(".") for name in names if name.split(".")[0] == "nncomp"]
    return {name[1] if len(name) > 1 else "(package)" for name in inside}


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_go_one_way(path: Path) -> None:
    part = part_of(path)
    assert imported_parts(path) <= {part, *MAY_IMPORT[part]}


@pytest.mark.parametrize("command", [["--help"], ["build", "--help"], ["--version"]])
def test_help_loads_nothing_heavy(command: list[str]) -> None:
    code = (
        "import sys\nfrom nncomp.cli import main\n"
        f"try: main({command!r})\nexcept SystemExit: pass\n"
        "print(sorted({'numpy', 'onnx', 'onnxruntime', 'lark', 'rich', 'networkx', 'matplotlib'}"
        " & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_importing_the_package_loads_nothing() -> None:
    code = "import sys, nncomp; print([m for m in sys.modules if m.startswith('nncomp.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("model", ["lenet5", "gpt"])
def test_check_needs_no_onnx(model: str) -> None:
    code = (
        "import sys\nfrom nncomp.cli import main\n"
        f"assert main(['check', 'models/{model}.nn']) == 0\n"
        "print(sorted({'onnx', 'onnxruntime', 'google.protobuf'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.splitlines()[-1] == "[]"
