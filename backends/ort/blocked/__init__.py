"""The target `onnxruntime-cpu`: graphs in the layout that onnxruntime's own CPU kernels like best.

`operators` declares those kernels, `layout` decides which values live in that layout, the other
modules hold the formulas, and `processor` knows the size of a block on this machine.
"""
