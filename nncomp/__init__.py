"""nncomp: a declarative graph compiler for neural networks."""
