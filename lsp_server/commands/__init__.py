"""What the commands of `coder-lsp` do, one module each."""
