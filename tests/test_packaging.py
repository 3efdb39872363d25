"""What is installed, from a wheel or editable, finds the grammar, the library and the backends."""

import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.resources import files
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TREES = ("nncomp", "grammar", "backends")
SUFFIXES = (".py", ".nn", ".lark", ".md", ".js", ".css", ".html", ".txt")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from a copy, so that the tree stays as it is."""
    copy = tmp_path_factory.mktemp("tree")
    for name in (*TREES, "pyproject.toml", "README.md", "LICENSE"):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, copy / name)
    code = "import setuptools.build_meta as b; b.build_wheel('dist')"
    built = subprocess.run([sys.executable, "-c", code], cwd=copy, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    (found,) = (copy / "dist").glob("*.whl")
    return found


def test_the_wheel_holds_every_file(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    expected = set()
    for tree in TREES:
        for path in (ROOT / tree).rglob("*"):
            if path.suffix in SUFFIXES or path.name == "py.typed":
                inside = path.relative_to(ROOT).as_posix()
                expected.add(inside if tree == "nncomp" else f"nncomp/{inside}")
    assert expected <= names


def test_the_wheel_works(wheel: Path, tmp_path: Path) -> None:
    """Lowering reads the grammar and the standard library; building reads the backends."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r})\n"
        "import nncomp, nncomp.grammar\n"
        "assert nncomp.grammar.__file__.startswith(sys.path[0]), nncomp.grammar.__file__\n"
        f"nncomp.load({str(ROOT / 'models/mlp.nn')!r}, widths=[8]).build('mlp.onnx')\n"
    )
    # -S: no site-packages hooks, so that the editable install stays out of the way
    paths = ":".join(p for p in sys.path if p.endswith("site-packages"))
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": paths, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "mlp.onnx").stat().st_size > 1000


def test_the_editable_install_finds_the_data() -> None:
    assert files("nncomp.grammar").joinpath("nn.lark").is_file()
    assert files("nncomp.std").joinpath("conv.nn").is_file()
    assert files("nncomp").joinpath("py.typed").is_file()


def test_all_packages_are_declared() -> None:
    """setuptools gets an explicit list; a new folder must be added to it."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"][
        "packages"
    ]
    there = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for tree in TREES
        for path in (ROOT / tree).rglob("__init__.py")
    }
    assert set(declared) == {n if n.startswith("nncomp") else f"nncomp.{n}" for n in there}
