"""What editors ask about a text, and the server that answers them (`nncomp lsp`).

All but `server` and `convert` know nothing of the protocol: characters and syntax trees in, texts
and spans out.
"""
