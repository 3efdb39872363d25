"""Which operators have a gradient, and why the others have none."""

from __future__ import annotations

import pytest

from nncomp.autodiff.control import CONTROL
from nncomp.autodiff.reverse import gradients
from nncomp.dims import new_dim
from nncomp.errors import CompileError
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Value
from nncomp.ir.op import Gradients, NoGradientError, Op, Vjp
from nncomp.ops import REGISTRY
from nncomp.ops.activation import Tanh
from nncomp.ops.elementwise import Mul
from nncomp.ops.elementwise_math import Exp
from nncomp.ops.reduction import ReduceSum
from nncomp.types import DType, TensorType
from tests.autodiff.support import Net, check_gradients, randoms
from tests.ops.checks import all_samples

SAMPLES = all_samples()

# Results of integers or bools: there is nothing to differentiate.
DISCRETE = """
    And Or Xor Not Equal Greater GreaterOrEqual Less LessOrEqual IsNaN IsInf
    BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor ArgMax ArgMin Shape Size
    QuantizeLinear MatMulInteger ConvInteger QLinearMatMul QLinearConv
"""
CONTAINERS = """
    SequenceEmpty SequenceConstruct SequenceInsert SequenceErase SequenceAt SequenceLength
    ConcatFromSequence SplitToSequence Optional OptionalHasElement OptionalGetElement
"""
# Floating results without a gradient, and why.
WITHOUT = {
    "Constant": "has no operands",
    "Dims": "has no operands",
    "ConstantOfShape": "depends on a shape alone",
    "Range": "takes integers or constants: no other range has a size that is known",
    "Random": "depends on a seed, a step and a shape",
    "EyeLike": "depends on a shape alone",
    **dict.fromkeys(("HannWindow", "HammingWindow", "BlackmanWindow"), "depends on a size alone"),
    **dict.fromkeys(("RandomNormal", "RandomUniform"), "has no operands"),
    **dict.fromkeys(("RandomNormalLike", "RandomUniformLike"), "depends on a shape alone"),
    **dict.fromkeys(("Bernoulli", "Multinomial"), "draws whole numbers"),
    **dict.fromkeys(("NonZero", "NonMaxSuppression"), "gives places"),
    "BitCast": "takes bits, which have no slope",
    "DynamicQuantizeLinear": "gives integers, and a scale that is taken as given",
    "MelWeightMatrix": "is a table: it would be differentiated by frequencies in Hz",
    "Hardmax": "is piecewise constant: the gradient is zero",
    "Floor": "is piecewise constant: the gradient is zero",
    "Ceil": "is piecewise constant: the gradient is zero",
    "Round": "is piecewise constant: the gradient is zero",
    "Sign": "is piecewise constant: the gradient is zero",
    **dict.fromkeys(("Binarizer", "LabelEncoder", "TreeEnsemble"), "is piecewise constant"),
    **dict.fromkeys(("StringConcat", "StringNormalizer", "StringSplit"), "gives texts"),
    **dict.fromkeys(("RegexFullMatch", "TfIdfVectorizer", "ImageDecoder"), "takes texts or bytes"),
    **dict.fromkeys(CONTAINERS.split(), "no gradient goes through sequences and optional values"),
    "StopGradient": "cuts the gradient",
    "Grad": "is replaced by the gradients themselves before anything differentiates it",
    "Jvp": "is replaced by the derivative itself before anything differentiates it",
    "Loop": "only where the number of runs is known: it is a Scan then",
}
MINIMUM = 144  # operators with a gradient; may only grow
MINIMUM_STANDARD = 134  # those of ONNX's default domain


def differentiable(op: type[Op]) -> bool:
    """Whether it has a rule, or a decomposition to go through."""
    return op.has_vjp() or op in CONTROL or op.has_decomposition()


def test_every_operator_has_a_gradient_or_a_reason() -> None:
    discrete = set(DISCRETE.split())
    assert discrete.isdisjoint(WITHOUT)
    assert set(WITHOUT) | discrete <= set(REGISTRY)
    for name, op in REGISTRY.items():
        assert differentiable(op) or name in WITHOUT, f"{name}: neither a gradient nor a reason"


@pytest.mark.parametrize("name", sorted(set(REGISTRY) - set(WITHOUT)))
def test_what_has_a_gradient_shows_it(name: str) -> None:
    """Of each operator with floating results some sample has a gradient that is not zero; of
    the discrete ones none has floating results."""
    own = [s for s in SAMPLES if s.op.name == name]
    assert own, f"{name} has no sample"
    if name in DISCRETE.split():
        assert not any(_flows(s) for s in own)
    else:
        assert type(own[0].op) in CONTROL or any(s.wrt and _flows(s) for s in own)


def _flows(sample: object) -> bool:
    from tests.ops.sample import Sample, case

    assert isinstance(sample, Sample)
    c = case(sample.in_double(), symbolic=True)
    outputs = [v for v in c.node.outputs if v.type.dtype.is_float]
    wrt = [v for v in c.values if v is not None and v.type.dtype.is_float]
    for y in outputs:
        dy = c.add_input(y.type, _NOTHING)
        if any(g is not None for g in gradients(c.builder, y, wrt, dy)):
            return True
    return False


_NOTHING = randoms((1,))[0]  # is not read: gradients are only built


def test_how_many() -> None:
    names = set(REGISTRY) - set(WITHOUT) - set(DISCRETE.split())
    assert len(names) >= MINIMUM, f"{len(names)} operators"
    standard = [name for name in names if REGISTRY[name].domain == ""]
    assert len(standard) >= MINIMUM_STANDARD, f"{len(standard)} of ONNX's"


def test_a_rule_that_gives_up_leaves_it_to_the_decomposition() -> None:
    class Cautious(Tanh):
        """tanh, of which the rule knows nothing."""

        def vjp(self, at: Vjp) -> Gradients:
            raise NoGradientError("not here")

        def decompose(self, b: Builder, x: Value) -> Value:
            return b(Tanh(), x)

    net = Net()
    x = net.input(new_dim("N"), 3)
    y = net(Mul(), net(Cautious(), net(Exp(), x)), x)
    check_gradients(net, net(ReduceSum(keepdims=0), y), randoms((2, 3)))


def test_a_rule_that_gives_up_without_one_says_why() -> None:
    class Odd(Op):
        signature = "X -> Y"
        domain = "nncomp"

        def infer(self, x: TensorType) -> TensorType:
            return x

        def vjp(self, at: Vjp) -> Gradients:
            raise NoGradientError("not on Sundays")

    b = Builder()
    x = Value(TensorType(DType.F64, (3,)), "x")
    y = b(Odd(), x)
    with pytest.raises(CompileError, match=r"NN0401.*not on Sundays"):
        gradients(b, b(ReduceSum(keepdims=0), y), [x])
