"""The reference backend: an interpreter in NumPy, the answer that all others are held to."""
