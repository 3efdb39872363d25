"""Graphs as `.nn` that a person would read: what `nncomp import` writes."""
