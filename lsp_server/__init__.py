"""Fill-in-the-middle code completion for every editor that speaks LSP."""

__version__ = "0.1.0"
