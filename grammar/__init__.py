"""The grammar of `.nn`: `nn.lark`, the one description of the language's syntax."""
