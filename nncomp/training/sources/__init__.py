"""Where data comes from: array files, tables, folders of images, bundled sets, and tasks that are
made by a rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from nncomp.errors import error
from nncomp.training.sources.array_files import read_archive, read_array_files
from nncomp.training.sources.bundled import BUNDLED, read_bundled
from nncomp.training.sources.derived import karate
from nncomp.training.sources.generated import read_generated
from nncomp.training.sources.pictures import IMAGES, read_pictures
from nncomp.training.sources.source import Reading, Source, assembled, listing, part_of
from nncomp.training.sources.table import TABLES, read_table
from nncomp.types import TensorType

ARCHIVES = (".npz", ".safetensors")


def read_data(
    specs: str | Sequence[str],
    inputs: Mapping[str, TensorType] | None = None,
    reading: Reading = Reading(),  # noqa: B008 - frozen
) -> Source:
    """One of `sklearn:NAME`, `networkx:karate`, `generated:NAME`, an .npz, .safetensors, .csv or
    .tsv file, a folder of .npy files, or of images; or several .npy files, each `FILE.npy` or
    `NAME=FILE.npy`.

    inputs: what the data is for: the size of images, the target of a table
    Raises CompileError NN0001, NN0002, NN0501.
    """
    specs = [specs] if isinstance(specs, str) else list(specs)
    inputs = inputs or {}
    if reading != Reading() and not any(Path(spec).suffix.lower() in TABLES for spec in specs):
        option, value = reading.given
        raise error(
            "NN0501",
            f"`{option} {value}` is for the columns of a table, {', '.join(specs)} is none",
        )
    if specs and all(spec.endswith(".npy") for spec in specs):
        return read_array_files(specs)
    if len(specs) != 1:
        raise error(
            "NN0501",
            f"several sources of data must be .npy files, these are {', '.join(specs) or 'none'}",
            help="for example `--data image=x.npy --data label=y.npy`",
        )
    (spec,) = specs
    kind, colon, name = spec.partition(":")
    if colon and kind == "sklearn":
        return read_bundled(name, inputs)
    if colon and kind == "generated":
        return read_generated(name)
    if spec == "networkx:karate":
        return karate()
    path = Path(spec)
    if path.is_dir():
        return _read_folder(path, inputs)
    suffix = path.suffix.lower()
    if suffix in ARCHIVES:
        return read_archive(spec)
    if suffix in TABLES:
        return read_table(spec, inputs, reading)
    bundled = f"did you mean `sklearn:{spec}`?" if spec in BUNDLED else None
    raise error(
        "NN0501",
        f"`{spec}` is no data: neither sklearn:NAME nor generated:NAME, nor a folder, nor an "
        f"{', '.join((*ARCHIVES, '.npy', *TABLES))} file",
        help=bundled or "for example `--data sklearn:digits` or `--data samples.npz`",
    )


def _read_folder(folder: Path, inputs: Mapping[str, TensorType]) -> Source:
    """Arrays or classes of images; either may stand in the sub-folders train, val and test."""
    inside = listing(folder)
    found = {path: part_of(path.name) for path in inside if path.is_dir()}
    folders = {part: path for path, part in found.items() if part}
    if "train" not in folders:
        folders = {"train": folder}
    beginnings = listing(folders["train"])
    if any(path.suffix == ".npy" for path in beginnings):
        files = [
            f"{path.stem}{'' if len(folders) == 1 else f'_{part}'}={path}"
            for part, place in folders.items()
            for path in listing(place)
            if path.suffix == ".npy"
        ]
        return read_array_files(files, str(folder))
    if any(path.is_dir() for path in beginnings):
        return read_pictures(folder, folders, inputs)
    if any(path.suffix.lower() in IMAGES for path in beginnings):
        raise error(
            "NN0501",
            f"the images in {folders['train']} have no classes",
            help="put the images of each class into a folder of its own, named as the class",
        )
    raise error("NN0501", f"{folder} holds neither .npy files nor folders of images")


__all__ = ["Reading", "Source", "assembled", "read_data"]
