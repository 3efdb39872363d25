"""ONNX models as graphs: `reading.read_model` opens a file, `importer.import_model` makes a graph.

The graph speaks ONNX, so that an import is nearly the identity. What differs is taken care of
here: operators of older operator sets get their present form (`upgrade`), model-local functions
are put in where they are called (`functions`), subgraphs become closed bodies (`control`),
sequences and optional values exist while importing only (`containers`). Files from strangers are
safe to read (`reading`, `external`, `tensors`).
"""
