"""Damaged models: bytes changed, cut out, cut off, and fields of the model set to odd values."""

from __future__ import annotations

import random
from typing import Any

import onnx
from google.protobuf.message import DecodeError

_NUMBERS = [0, 1, 2, 3, -1, -2, 5, 7, 63, 64, 2**31 - 1, -(2**31), 2**63 - 1, -(2**63)]
_FLOATS = [0.0, -1.0, 1e38, float("nan"), float("inf")]
_TEXTS = ["", "x", "y", "Add", "Relu", "Loop", "Resize", "Reshape", "ai.onnx", "N", "N*N"]


def mutant(data: bytes, rng: random.Random) -> bytes:
    """The bytes with one kind of damage."""
    kind = rng.randrange(5)
    broken = bytearray(data)
    if kind == 0:
        return data[: rng.randrange(len(data))]
    if kind == 1:
        for _ in range(rng.randrange(1, 6)):
            broken[rng.randrange(len(broken))] = rng.randrange(256)
    elif kind == 2:
        for _ in range(rng.randrange(1, 4)):
            broken[rng.randrange(len(broken))] ^= 1 << rng.randrange(8)
    elif kind == 3:
        start = rng.randrange(len(broken))
        del broken[start : start + rng.randrange(1, 30)]
    else:
        model = onnx.ModelProto()
        model.ParseFromString(data)
        _change(model, rng)
        return model.SerializeToString()
    return bytes(broken)


def _change(message: Any, rng: random.Random) -> None:
    """Sets about one field in sixteen to an odd value."""
    for field, value in message.ListFields():
        many = not isinstance(value, int | float | str | bytes) and not hasattr(value, "ListFields")
        if field.message_type is not None:
            for inner in value if many else [value]:
                _change(inner, rng)
        elif rng.random() < 1 / 16:
            choices: list[Any] = _NUMBERS
            if field.cpp_type in (field.CPPTYPE_FLOAT, field.CPPTYPE_DOUBLE):
                choices = _FLOATS
            elif field.cpp_type == field.CPPTYPE_STRING:
                choices = _TEXTS if field.type == field.TYPE_STRING else [b"", b"a", b"\xff" * 9]
            try:
                if many:
                    value[rng.randrange(len(value))] = rng.choice(choices)
                else:
                    setattr(message, field.name, rng.choice(choices))
            except (ValueError, TypeError, DecodeError):  # a number that the field cannot hold
                continue
