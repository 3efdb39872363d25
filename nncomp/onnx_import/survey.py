"""What a model says at its beginning: the operator sets that it is of, the names that are read."""

from __future__ import annotations

import onnx

from nncomp.errors import error


def opsets_of(model: onnx.ModelProto) -> dict[str, int]:
    """The versions of the model's operator sets, by domain. CompileError NN0804, NN0805."""
    found = {"" if o.domain == "ai.onnx" else o.domain: o.version for o in model.opset_import}
    imports = [*model.opset_import, *(o for f in model.functions for o in f.opset_import)]
    newest = onnx.defs.onnx_opset_version()
    for version in (o.version for o in imports if o.domain in ("", "ai.onnx")):
        if version < 1:
            raise error("NN0805", f"there is no opset {version}")
        if version > newest:
            raise error(
                "NN0804",
                f"the model is of opset {version}, newer than {newest}",
                help="a newer `onnx` package may know it",
            )
    return found


def names_read(model: onnx.ModelProto) -> set[str]:
    """Every name that some node reads, or that is a result of a graph or function."""
    read = {info.name for info in model.graph.output}
    pending = [*model.graph.node]
    for function in model.functions:
        pending += function.node
        read.update(function.output)
    while pending:
        node = pending.pop()
        read.update(node.input)
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                pending += graph.node
                read.update(info.name for info in graph.output)
    return read


def readers_of(graph: onnx.GraphProto) -> dict[str, int]:
    """How many nodes of the graph itself read each of its initialisers."""
    found = {tensor.name: 0 for tensor in graph.initializer}
    for node in graph.node:
        for name in {*node.input} & found.keys():
            found[name] += 1
    return found
