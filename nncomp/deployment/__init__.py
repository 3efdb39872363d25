"""Models in less precision than they were written in: float16, and what that costs."""
