"""Whether a graph computes the same before and after each pass, and which rewrite is at fault.

Backends are handed in (`Backends`), so that nothing here knows one.
"""
