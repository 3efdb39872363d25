"""What differs between two models: `models.compare` matches their nodes and gives a `Diff`.

`form` is a graph as it is compared, `symbols` says which size is which. `signs` numbers nodes by
what stands before and behind them, `matching` and `alignment` find which node is which,
`comparison` says what changed at each, `tensors` compares numbers, `text` writes it all.
"""
