"""Symbolic dims: integer polynomials with floor division, modulo, min and max, in normal form.

A dim is a Python `int` or a `Dim`; arithmetic on dims gives an `int` wherever the answer is one,
so that `isinstance(d, int)` says whether a dim is known. Two dims compare as equal, unequal or
unknown (`equal`). A dim name is an object: two `Symbol`s of one name are two dims.
"""

from nncomp.dims.bounds import Bounds as Bounds
from nncomp.dims.bounds import bounds as bounds
from nncomp.dims.bounds import equal as equal
from nncomp.dims.bounds import equal_shapes as equal_shapes
from nncomp.dims.bounds import undecided as undecided
from nncomp.dims.functions import floordiv as floordiv
from nncomp.dims.functions import maximum as maximum
from nncomp.dims.functions import minimum as minimum
from nncomp.dims.functions import mod as mod
from nncomp.dims.functions import substitute as substitute
from nncomp.dims.polynomial import MAX_SIZE as MAX_SIZE
from nncomp.dims.polynomial import Atom as Atom
from nncomp.dims.polynomial import Dim as Dim
from nncomp.dims.polynomial import DimLike as DimLike
from nncomp.dims.polynomial import Function as Function
from nncomp.dims.polynomial import Monomial as Monomial
from nncomp.dims.polynomial import Symbol as Symbol
from nncomp.dims.polynomial import new_dim as new_dim
from nncomp.dims.polynomial import product as product
from nncomp.dims.polynomial import symbols_in as symbols_in
