"""Trims what a model wrote to what fits the file. Pure: text in, text out; newlines are `\\n`.

Each rule is one function of a module here. A rule only ever cuts; what it leaves is the start of
the model's text, but for white space that lines start with.
"""

from lsp_server.completion.postprocess.indentation import after_withheld
from lsp_server.completion.postprocess.pipeline import fit

__all__ = ["after_withheld", "fit"]
