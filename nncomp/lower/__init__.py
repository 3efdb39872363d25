"""Lowering: from syntax trees to graphs."""
