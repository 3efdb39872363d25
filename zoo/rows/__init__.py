"""The rows, a file for each family."""
