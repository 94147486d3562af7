"""One typed tree of settings.

Three layers, later ones win: the defaults below, the user's own file (`config.toml` in
`config_dir()`), and what the editor sends (`initializationOptions`,
`workspace/didChangeConfiguration`). A wrong value is named in a message and its default is used.

An editor may pass on what a checked-out repository put into its settings, so nothing from there may
show a private file to the model or send code to another machine: privacy is only tightened, an
`engine.url` from the editor must be on loopback, and the API key comes only from the environment or
the user's own file, and goes only to the URL in that file.
"""

from __future__ import annotations

import ipaddress
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

import attrs
import cattrs
import platformdirs

API_KEY_VARIABLE = "CODER_LSP_API_KEY"
CONFIG_VARIABLE = "CODER_LSP_CONFIG"

T = TypeVar("T")


def _setting(default: T, doc: str) -> T:
    """A settings field: its default, and one sentence for the documentation."""
    field: T = attrs.field(default=default, metadata={"doc": doc})
    return field


def _names(doc: str) -> list[str]:
    """A settings field that is a list of names or patterns, empty at first."""
    field: list[str] = attrs.field(factory=list, metadata={"doc": doc})
    return field


@attrs.frozen
class EngineSettings:
    """Where inference runs and how."""

    url: str | None = _setting(
        None,
        "Base URL of a server with /v1/completions to use instead of the local model server. From "
        "an editor only loopback addresses are taken; name others in the user's config.toml.",
    )
    api_key: str | None = _setting(
        None, f"Bearer token for engine.url (config.toml or {API_KEY_VARIABLE} only)."
    )
    remote_model: str | None = _setting(
        None, "Name of the model as engine.url knows it; its own default when not set."
    )
    device: Literal["auto", "cpu", "cuda"] = _setting("auto", "Where the local model runs.")
    threads: int | None = _setting(
        None, "CPU threads of the model server; all cores but one when not set."
    )
    kv_slots: int = _setting(4, "How many prompts' KV caches are kept for reuse.")
    idle_minutes: float = _setting(30.0, "Minutes without a request before the model is unloaded.")
    timeout_seconds: float = _setting(10.0, "Longest a completion may take.")


@attrs.frozen
class PromptSettings:
    """How much of what goes into the prompt, in tokens."""

    prefix_tokens: int = _setting(1024, "Most tokens of text before the cursor.")
    suffix_tokens: int = _setting(256, "Most tokens of text after the cursor.")
    cross_file_tokens: int = _setting(512, "Most tokens of other files.")
    order: Literal["auto", "psm", "spm"] = _setting(
        "auto", "Order of the parts; auto chooses by model and cursor, as measured."
    )


@attrs.frozen
class CompletionSettings:
    """What is suggested, and through which requests."""

    eagerness: Literal["eager", "normal", "on-demand"] = _setting(
        "normal",
        "When the model is asked: at every request of the editor; after a pause that follows how "
        "fast you type; or only when you ask for a suggestion.",
    )
    max_tokens: int = _setting(96, "Most tokens generated for one suggestion.")
    max_lines: int = _setting(8, "Most lines of one suggestion.")
    min_confidence: float = _setting(
        0.0, "Least probability that the model gives its tokens on average, from 0 to 1."
    )
    before_text: bool = _setting(
        False, "Whether something is suggested before text that follows on the cursor's line."
    )
    in_comments: bool = _setting(True, "Whether something is suggested in comments.")
    in_strings: bool = _setting(True, "Whether something is suggested in strings.")
    disabled_languages: list[str] = _names(
        "Language ids, such as `markdown`, that get no suggestions."
    )
    reuse: bool = _setting(
        True,
        "Whether what was generated is used again as typing goes on; without, every request asks "
        "the model anew (to compare).",
    )
    prefetch: bool = _setting(
        True,
        "Whether the idle model reads the open file ahead, and prepares what follows a suggestion; "
        "off saves energy.",
    )
    completion_list: Literal["auto", "always", "never"] = _setting(
        "auto",
        "Whether textDocument/completion offers suggestions; auto: only to clients without inline "
        "completion. A change to always takes effect with the next start.",
    )


@attrs.frozen
class ContextSettings:
    """What of the workspace is shown to the model while other files are edited."""

    enabled: bool = _setting(True, "Whether other files of the workspace are shown to the model.")
    deadline_ms: int = _setting(
        40, "Longest that choosing cross-file context may hold up a request."
    )
    exclude: list[str] = _names(
        "Files left out beside those that git ignores: patterns as in .gitignore, from the "
        "workspace's root."
    )
    max_file_bytes: int = _setting(1_000_000, "Larger files are left out.")


@attrs.frozen
class PrivacySettings:
    """Which files are nobody's business, beside the built-in list (`coder-lsp doctor` shows it)."""

    never: list[str] = _names(
        "Patterns as in .gitignore: neither completed nor shown to the model."
    )
    not_shared: list[str] = _names(
        "Patterns as in .gitignore: completed, but not shown to the model while other files are "
        "edited."
    )
    fine: list[str] = _names(
        "Patterns as in .gitignore that the built-in list does not apply to (config.toml only)."
    )


@attrs.frozen
class StatisticsSettings:
    """What is counted of your use of suggestions; it stays on this machine."""

    enabled: bool = _setting(
        True, "Whether shown and accepted suggestions are counted (`coder-lsp stats`)."
    )


@attrs.frozen
class Settings:
    """Everything that can be set."""

    model: str | None = _setting(
        None,
        "Name from `coder-lsp models list`, a hub id, or a local directory; chosen by the hardware "
        "when not set.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = _setting(
        "info", "How much the log file says. File text is never logged."
    )
    engine: EngineSettings = attrs.field(factory=EngineSettings)
    prompt: PromptSettings = attrs.field(factory=PromptSettings)
    completion: CompletionSettings = attrs.field(factory=CompletionSettings)
    context: ContextSettings = attrs.field(factory=ContextSettings)
    privacy: PrivacySettings = attrs.field(factory=PrivacySettings)
    statistics: StatisticsSettings = attrs.field(factory=StatisticsSettings)


_POSITIVE = {
    "engine.threads",
    "engine.kv_slots",
    "engine.idle_minutes",
    "engine.timeout_seconds",
    "prompt.prefix_tokens",
    "completion.max_tokens",
    "completion.max_lines",
    "context.deadline_ms",
    "context.max_file_bytes",
}
_NOT_NEGATIVE = {
    "prompt.suffix_tokens",
    "prompt.cross_file_tokens",
    "completion.min_confidence",
}
_converter = cattrs.Converter(forbid_extra_keys=False)


def config_dir() -> Path:
    """The folder of the user's own `config.toml`."""
    return Path(platformdirs.user_config_dir("coder-lsp", appauthor=False))


def config_file() -> Path:
    """The user's own settings file; the environment variable CODER_LSP_CONFIG overrides it."""
    return Path(os.environ.get(CONFIG_VARIABLE) or config_dir() / "config.toml")


def load(editor: Mapping[str, Any] | None = None) -> tuple[Settings, list[str]]:
    """Settings from the user's file and from what the editor sent, and what was wrong in them.

    Never raises for wrong content: each problem is one sentence that names the setting, and its
    default is used.
    """
    problems: list[str] = []
    user = _checked(_read_user_file(problems), str(config_file()), problems)
    key = os.environ.get(API_KEY_VARIABLE, "").strip()
    if key:
        user["engine.api_key"] = key
    sent = _checked(editor or {}, "the editor's settings", problems)
    refused = {name: sent.pop(name) for name in list(sent) if not _allowed(name, sent[name])}
    problems += [_REFUSED[n].format(value=v, file=config_file()) for n, v in refused.items()]
    flat = {**user, **sent}
    for name in _ADDED_UP:  # a repository may tighten what the user set, not loosen it: the last
        flat[name] = [*sent.get(name, ()), *user.get(name, ())]  # pattern that fits wins
    url = flat.get("engine.url")
    if url != user.get("engine.url") and flat.pop("engine.api_key", None) and url:
        problems.append(
            f"the API key is not sent to engine.url {url!r}, since that comes from the editor: "
            f"name it in {config_file()}."
        )
    return _build(flat), problems


_ADDED_UP = ("privacy.never", "privacy.not_shared")
_REFUSED = {
    "engine.url": "engine.url {value!r} is not on this machine, so it is not taken from an editor: "
    "name it in {file}.",
    "engine.api_key": f"engine.api_key is not taken from an editor: set {API_KEY_VARIABLE} "
    "or name it in {file}.",
    "privacy.fine": "privacy.fine is not taken from an editor: name it in {file}.",
}

# So narrow that no two readers of URLs can differ about the host: no user name, no backslash.
_URL = re.compile(
    r"https?://(?P<host>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:[0-9]{1,5})?(/[^\s?#\\]*)?",
    re.IGNORECASE | re.ASCII,
)


def _allowed(name: str, value: Any) -> bool:
    """Whether an editor, and through it a repository, may set this."""
    if name in ("engine.api_key", "privacy.fine"):
        return False
    return name != "engine.url" or value is None or is_loopback(value)


def is_loopback(url: str) -> bool:
    """Whether a URL's host is this machine, without asking any resolver."""
    match = _URL.fullmatch(url)
    host = match["host"].strip("[]").lower() if match else ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _read_user_file(problems: list[str]) -> Mapping[str, Any]:
    try:
        return _parse_toml(config_file().read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        problems.append(f"{config_file()} cannot be read and is left out: {error}")
        return {}


def _parse_toml(text: str) -> dict[str, Any]:
    if sys.version_info >= (3, 11):  # here, since most users have no such file
        import tomllib
    else:
        import tomli as tomllib
    tree: dict[str, Any] = tomllib.loads(text)
    return tree


def _fields(cls: type) -> dict[str, attrs.Attribute[Any]]:
    attrs.resolve_types(cls)
    return {field.name: field for field in attrs.fields(cls)}


def _flatten(tree: Mapping[str, Any], problems: list[str], source: str) -> dict[str, Any]:
    """`{"engine": {"url": x}}` and `{"engine.url": x}` alike, as dotted names to values."""
    flat: dict[str, Any] = {}
    if not isinstance(tree, Mapping):
        problems.append(f"{source}: expected an object of settings, not {tree!r}.")
        return flat
    groups = {name for name, field in _fields(Settings).items() if attrs.has(field.type or object)}
    for name, value in tree.items():
        if name in groups and isinstance(value, Mapping):
            flat.update({f"{name}.{inner}": each for inner, each in value.items()})
        else:
            flat[name] = value
    return flat


def _field_of(name: str) -> attrs.Attribute[Any] | None:
    *group, leaf = name.split(".")
    fields = _fields(Settings)
    for part in group:
        field = fields.get(part)
        if field is None or not attrs.has(field.type or object):
            return None
        fields = _fields(field.type or object)
    field = fields.get(leaf)
    return None if field is None or attrs.has(field.type or object) else field


def _checked(tree: Mapping[str, Any], source: str, problems: list[str]) -> dict[str, Any]:
    """The settings that fit, by dotted name; each of the others is named in `problems`."""
    fitting: dict[str, Any] = {}
    for name, value in _flatten(tree, problems, source).items():
        field = _field_of(name)
        if field is None:
            problems.append(f"{source}: there is no setting {name!r}; it is ignored.")
        elif _fits(name, field.type, value):
            fitting[name] = _converter.structure(value, field.type or object)
        else:
            problems.append(
                f"{source}: {name} is {value!r}, expected {_describe(name, field.type)}; "
                f"it is ignored (the default is {_default(field)!r})."
            )
    return fitting


def _describe(name: str, annotation: Any) -> str:
    if name == "engine.url":
        return "http:// or https://, a host, and no user name"
    plain = isinstance(annotation, type)
    expected = annotation.__name__ if plain else str(annotation).replace("typing.", "")
    if name in _POSITIVE:
        return f"{expected} above 0"
    return f"{expected} of at least 0" if name in _NOT_NEGATIVE else expected


def _fits(name: str, annotation: Any, value: Any) -> bool:
    """Strict: cattrs would turn "7" into 7 and 1 into True, and hide the mistake."""
    try:
        if _converter.structure(value, annotation) != value:
            return False
    except Exception:
        return False
    if isinstance(value, bool) and annotation is not bool:
        return False
    if name == "engine.url" and value is not None and not _URL.fullmatch(value):
        return False
    if name in _POSITIVE and value is not None and not value > 0:
        return False
    return not (name in _NOT_NEGATIVE and value < 0)


def _build(flat: Mapping[str, Any]) -> Settings:
    settings = Settings()
    for name, value in flat.items():
        *group, leaf = name.split(".")
        if group:
            inner = attrs.evolve(getattr(settings, group[0]), **{leaf: value})
            settings = attrs.evolve(settings, **{group[0]: inner})
        else:
            settings = attrs.evolve(settings, **{leaf: value})
    return settings


def reference() -> list[tuple[str, str, str]]:
    """Every setting's dotted name, default and description, in order, for the documentation."""
    rows: list[tuple[str, str, str]] = []
    for name, field in _fields(Settings).items():
        if attrs.has(field.type or object):
            inner = _fields(field.type or object).items()
            rows += [(f"{name}.{leaf}", *_documented(each)) for leaf, each in inner]
        else:
            rows.append((name, *_documented(field)))
    return rows


def _documented(field: attrs.Attribute[Any]) -> tuple[str, str]:
    default = _default(field)
    shown = (
        ""
        if default is None or default == []
        else str(default).lower()
        if isinstance(default, bool)
        else str(default)
    )
    doc = str(field.metadata["doc"])
    if get_origin(field.type) is Literal:
        doc += f" One of {', '.join(get_args(field.type))}."
    return shown, doc


def _default(field: attrs.Attribute[Any]) -> Any:
    return [] if isinstance(field.default, attrs.Factory) else field.default  # type: ignore[arg-type]
