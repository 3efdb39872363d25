"""The 67 systems of models/: one table, and what proves each row.

`rows/` declares a row once: its file, the sizes at which it is compiled and compared, the published
figure that it reproduces, the mark that it reaches on data and the command that trains it there.
`python -m zoo` (`make zoo`) goes through the levels of all rows, the tests through the small ones,
and models/README.md is written from the same table.
"""
