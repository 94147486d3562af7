"""FIM templates per model family, as data.

An order is a sequence of control tokens (strings) and slots. Each template's `source` says where
its form is documented. SPM for families that were trained on both orders is that of
arXiv 2207.14255 as trained ("variant 2"): prefix token, suffix token, suffix, middle token, prefix.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from itertools import chain

from lsp_server.prompt.tokenizer import Tokenizer
from lsp_server.prompt.types import Order


class Slot(Enum):
    """A place in a template that is filled with encoded text."""

    PREFIX = "the current file before the cursor"
    SUFFIX = "the current file after the cursor"
    LINE = "the cursor's line before the cursor, where the middle begins with it"
    SNIPPETS = "the repository form's start and its snippets; empty without snippets"
    HEADER = "the current file's path in the repository form; empty without snippets"
    REPOSITORY = "the repository's name, by the form's repository_line"
    PATH = "a file's path, by the form's path_line"
    TEXT = "a snippet's text, ending with a line end"


PREFIX, SUFFIX, LINE, SNIPPETS = Slot.PREFIX, Slot.SUFFIX, Slot.LINE, Slot.SNIPPETS
HEADER = Slot.HEADER
REPOSITORY, PATH, TEXT = Slot.REPOSITORY, Slot.PATH, Slot.TEXT
Parts = tuple["str | Slot", ...]
LEFT: Parts = (SNIPPETS, HEADER, PREFIX)
"""The order `left`, which every family can take."""


@dataclass(frozen=True, slots=True)
class RepositoryForm:
    """How cross-file snippets and the current file's path are written."""

    snippet: Parts
    header: Parts
    start: Parts = ()
    path_line: str = "{}\n"
    repository_line: str = "{}\n"


@dataclass(frozen=True, slots=True)
class Template:
    """How one family of models is prompted.

    `psm` and `spm` are the orders it can take (None: it was not trained on that one). The order to
    use is `healed` where the engine heals the token at the cursor and no text follows on its line,
    and else, by where the cursor stands, `at_line_start` or `within_line`. In the order `line` a
    key adds to the prompt's end alone, as in `spm`, while in `psm` all of the suffix moves. `stop`
    are tokens that end a completion; those that a tokenizer lacks are ignored. `leading_space`: the
    family's reference code lets sentencepiece put a space before the prefix (never before the
    suffix). `marks` are further tokens by which `recognise` tells it from families with the same
    FIM tokens.
    """

    name: str
    source: str
    repository: RepositoryForm
    stop: tuple[str, ...]
    psm: Parts | None = None
    spm: Parts | None = None
    at_line_start: Order = "psm"
    within_line: Order = "psm"
    healed: Order = "line"
    bos: str | None = None
    leading_space: bool = False
    marks: tuple[str, ...] = ()

    @property
    def orders(self) -> tuple[Order, ...]:
        """The orders in which this family can fill in the middle."""
        orders: tuple[Order, ...] = ("psm", "spm", "line")
        return tuple(order for order in orders if self._sequence(order) is not None)

    def order_for(self, at_line_start: bool, is_healed: bool) -> Order:
        """The order to use. `at_line_start`: only blanks stand before the cursor on its line;
        `is_healed`: nothing stands after it there, the text before it ends where a token does, and
        what is missing of it is what the completion has to begin with
        (`boundary.split_before_piece`)."""
        if is_healed:
            return self.healed
        return self.at_line_start if at_line_start else self.within_line

    def sequence(self, order: Order) -> Parts:
        """The parts in an order. Raises ValueError for one that the family cannot take."""
        sequence = self._sequence(order)
        if sequence is None:
            raise ValueError(f"{self.name} was not trained on {order}, only {self.orders}")
        return sequence

    def _sequence(self, order: Order) -> Parts | None:
        line = (*self.psm, LINE) if self.psm else None
        return {"psm": self.psm, "spm": self.spm, "line": line, "left": LEFT}[order]

    @property
    def control_tokens(self) -> tuple[str, ...]:
        """Every control token that a prompt of this family may contain."""
        form = self.repository
        sequences = (self.psm or (), self.spm or (), form.start, form.snippet, form.header)
        tokens = [part for part in chain(*sequences) if isinstance(part, str)]
        return tuple(dict.fromkeys([*([self.bos] if self.bos else []), *tokens]))


class NoTemplateError(Exception):
    """A model cannot fill in the middle, or not with the template asked for."""


def recognise(tokenizer: Tokenizer) -> Template:
    """The template that a tokenizer's control tokens fit, the most specific one first.

    Raises NoTemplateError when none does. Tokens only tell that the vocabulary has the form, not
    that the model was trained on it: Qwen2.5 and Qwen3 share Qwen2.5-Coder's tokens.
    """
    for template in TEMPLATES.values():
        marked = all(tokenizer.control_id(mark) is not None for mark in template.marks)
        if marked and not missing_tokens(template, tokenizer):
            return template
    wanted = sorted({token for each in TEMPLATES.values() for token in each.control_tokens})
    raise NoTemplateError(
        "This model cannot be used for completion: its vocabulary has no complete set of "
        f"fill-in-the-middle tokens (looked for {', '.join(wanted)}). Choose a model that was "
        "trained to fill in the middle, often named 'base' or 'coder'; `coder-lsp models list` "
        "shows some."
    )


def missing_tokens(template: Template, tokenizer: Tokenizer) -> tuple[str, ...]:
    """What a template needs and a tokenizer lacks; empty when they fit."""
    return tuple(t for t in template.control_tokens if tokenizer.control_id(t) is None)


# For families without repository tokens: the path as a comment line, at the start of the prefix.
_COMMENTS = RepositoryForm(snippet=(PATH, TEXT), header=(PATH,), path_line="# {}\n")

_PIPE_FIM = ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|fim_pad|>")
_PLAIN_FIM = ("<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<fim_pad>")
_STARCODER_STOP = ("<|endoftext|>", "<file_sep>", "<repo_name>", "<filename>", "<reponame>")
_SEED_FIM = ("<[fim-prefix]>", "<[fim-suffix]>", "<[fim-middle]>")

_DEEPSEEK = Template(
    name="deepseek-coder",
    source="github.com/deepseek-ai/DeepSeek-Coder README, Code Insertion and Repository Level Code "
    "Completion; PSM only: arXiv 2401.14196 section 3.1.2",
    repository=RepositoryForm(snippet=(PATH, TEXT), header=(PATH,), path_line="#{}\n"),
    bos="<｜begin▁of▁sentence｜>",
    psm=("<｜fim▁begin｜>", SNIPPETS, HEADER, PREFIX, "<｜fim▁hole｜>", SUFFIX, "<｜fim▁end｜>"),
    stop=(
        "<｜end▁of▁sentence｜>",
        "<|EOT|>",
        "<｜begin▁of▁sentence｜>",
        "<｜fim▁begin｜>",
        "<｜fim▁hole｜>",
        "<｜fim▁end｜>",
    ),
)

_FAMILIES = (
    Template(
        name="deepseek-coder-v2",
        source="github.com/deepseek-ai/DeepSeek-Coder-V2 README, Code Insertion; PSM only: "
        "arXiv 2406.11931 section 3.1; repository form as in v1",
        repository=_DEEPSEEK.repository,
        bos=_DEEPSEEK.bos,
        psm=_DEEPSEEK.psm,
        stop=_DEEPSEEK.stop,
        marks=("<｜User｜>",),
    ),
    _DEEPSEEK,
    Template(
        name="qwen2.5-coder",
        source="github.com/QwenLM/Qwen2.5-Coder examples/Qwen2.5-Coder-fim.py and "
        "Qwen2.5-Coder-repolevel-fim.py. SPM is not documented, but measured: for whole lines it "
        "is better at the start of a line, and at the end of one if the token at the cursor is "
        "healed; before text that follows on the line PSM is (benchmarks/README.md)",
        repository=RepositoryForm(
            start=("<|repo_name|>", REPOSITORY),
            snippet=("<|file_sep|>", PATH, TEXT),
            header=("<|file_sep|>", PATH),
        ),
        psm=(
            SNIPPETS,
            HEADER,
            "<|fim_prefix|>",
            PREFIX,
            "<|fim_suffix|>",
            SUFFIX,
            "<|fim_middle|>",
        ),
        spm=(
            SNIPPETS,
            HEADER,
            "<|fim_prefix|>",
            "<|fim_suffix|>",
            SUFFIX,
            "<|fim_middle|>",
            PREFIX,
        ),
        at_line_start="spm",
        within_line="psm",
        healed="spm",
        stop=(
            *("<|endoftext|>", "<|im_end|>", "<|im_start|>", "<|file_sep|>", "<|repo_name|>"),
            *_PIPE_FIM,
        ),
    ),
    Template(
        name="codegemma",
        source="ai.google.dev/gemma/docs/codegemma/prompt-structure; multi-file form: arXiv "
        "2406.11409 figure 2. Trained on SPM too, but how that is written is not documented",
        repository=RepositoryForm(snippet=(PATH, TEXT, "<|file_separator|>"), header=(PATH,)),
        bos="<bos>",
        psm=(
            SNIPPETS,
            HEADER,
            "<|fim_prefix|>",
            PREFIX,
            "<|fim_suffix|>",
            SUFFIX,
            "<|fim_middle|>",
        ),
        stop=("<|file_separator|>", "<eos>", "<end_of_turn>", *_PIPE_FIM),
    ),
    Template(
        name="plain-pipes",
        source="no family of its own: the PSM form that models with these tokens have in common",
        repository=_COMMENTS,
        psm=(
            "<|fim_prefix|>",
            SNIPPETS,
            HEADER,
            PREFIX,
            "<|fim_suffix|>",
            SUFFIX,
            "<|fim_middle|>",
        ),
        stop=("<|endoftext|>", "<|end_of_text|>", "<|im_end|>", *_PIPE_FIM),
    ),
    Template(
        name="starcoder2",
        source="arXiv 2402.19173 section 5.1 (repository-context FIM: the current file's path "
        "stands inside the prefix); both orders: github.com/bigcode-project/starcoder2 issue 21",
        repository=RepositoryForm(
            start=("<repo_name>", REPOSITORY, "<file_sep>"),
            snippet=(PATH, TEXT, "<file_sep>"),
            header=(PATH,),
            repository_line="{}",
        ),
        psm=(SNIPPETS, "<fim_prefix>", HEADER, PREFIX, "<fim_suffix>", SUFFIX, "<fim_middle>"),
        spm=(SNIPPETS, "<fim_prefix>", "<fim_suffix>", SUFFIX, "<fim_middle>", HEADER, PREFIX),
        stop=(*_STARCODER_STOP, *_PLAIN_FIM),
    ),
    Template(
        name="mellum",
        source="huggingface.co/JetBrains/Mellum-4b-base, Fill-in-the-middle with additional files "
        "as context; trained suffix first",
        repository=RepositoryForm(
            snippet=("<filename>", PATH, TEXT),
            header=("<filename>", PATH),
        ),
        spm=(SNIPPETS, HEADER, "<fim_suffix>", SUFFIX, "<fim_prefix>", PREFIX, "<fim_middle>"),
        at_line_start="spm",
        within_line="spm",
        healed="spm",
        stop=(*_STARCODER_STOP, *_PLAIN_FIM),
        marks=("<user>",),
    ),
    Template(
        name="granite-code",
        source="github.com/ibm-granite/granite-code-models issue 3 (as StarCoder's); the same form "
        "is StarCoder's and that of other models with these tokens",
        repository=_COMMENTS,
        psm=("<fim_prefix>", SNIPPETS, HEADER, PREFIX, "<fim_suffix>", SUFFIX, "<fim_middle>"),
        spm=("<fim_prefix>", "<fim_suffix>", SUFFIX, "<fim_middle>", SNIPPETS, HEADER, PREFIX),
        stop=(*_STARCODER_STOP, "<|end_of_text|>", *_PLAIN_FIM),
    ),
    Template(
        name="codellama",
        source="github.com/meta-llama/codellama llama/generation.py infilling_prompt_tokens; no "
        "repository form: issue 209 there",
        repository=_COMMENTS,
        bos="<s>",
        leading_space=True,
        psm=("▁<PRE>", SNIPPETS, HEADER, PREFIX, "▁<SUF>", SUFFIX, "▁<MID>"),
        spm=("▁<PRE>", "▁<SUF>", SUFFIX, "▁<MID>", SNIPPETS, HEADER, PREFIX),
        stop=("▁<EOT>", "</s>", "▁<PRE>", "▁<SUF>", "▁<MID>"),
    ),
    Template(
        name="codestral",
        source="github.com/mistralai/mistral-common src/mistral_common/tokens/tokenizers/"
        "instruct.py encode_fim",
        repository=_COMMENTS,
        bos="<s>",
        leading_space=True,
        spm=("[SUFFIX]", SUFFIX, "[PREFIX]", SNIPPETS, HEADER, PREFIX),
        at_line_start="spm",
        within_line="spm",
        healed="spm",
        stop=("</s>", "[SUFFIX]", "[PREFIX]", "[MIDDLE]"),
    ),
    Template(
        name="seed-coder",
        source="Seed-Coder technical report (arXiv 2506.03524), FIM training; no repository form",
        repository=_COMMENTS,
        spm=(
            "<[fim-suffix]>",
            SUFFIX,
            "<[fim-prefix]>",
            SNIPPETS,
            HEADER,
            PREFIX,
            "<[fim-middle]>",
        ),
        at_line_start="spm",
        within_line="spm",
        healed="spm",
        stop=("<[end▁of▁sentence]>", "<[begin▁of▁sentence]>", "<[SEP▁TOKEN]>", *_SEED_FIM),
    ),
)

TEMPLATES: dict[str, Template] = {template.name: template for template in _FAMILIES}
"""Templates by family name, the more specific before those whose tokens they contain."""
