"""Colours for `.nn` texts: a lexer for Pygments, and a grammar for editors that take TextMate's."""
