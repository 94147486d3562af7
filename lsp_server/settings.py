"""One typed tree of settings.

Three layers, later ones win: the defaults below, the user's own file (`config.toml` in
`config_dir()`), and what the editor sends (`initializationOptions`,
`workspace/didChangeConfiguration`). A wrong value is named in a message and its default is used.

An editor may pass on what a checked-out repository put into its settings, so nothing from there may
show a private file to the model, send code to another machine, or have a model downloaded: privacy
is only tightened; an `engine.url` from the editor must be on loopback; the API key comes only from
the environment or the user's own file, and goes only to the URL in that file; a model that the
editor chooses is used only when it is installed.
"""

from __future__ import annotations

import ipaddress
import operator
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar

import attrs
import cattrs
import platformdirs

API_KEY_VARIABLE = "CODER_LSP_API_KEY"
CONFIG_VARIABLE = "CODER_LSP_CONFIG"

T = TypeVar("T")


def _setting(default: T, doc: str, **bounds: float) -> T:
    """A settings field: its default, a description, and bounds by the keywords of JSON Schema."""
    field: T = attrs.field(default=default, metadata={"doc": doc, "bounds": bounds})
    return field


def _names(doc: str) -> list[str]:
    """A settings field that is a list of names or patterns, empty at first."""
    field: list[str] = attrs.field(factory=list, metadata={"doc": doc, "bounds": {}})
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
        None,
        f"Bearer token for engine.url, from the user's config.toml or {API_KEY_VARIABLE} only; not "
        "taken from an editor.",
    )
    remote_model: str | None = _setting(
        None, "Name of the model as engine.url knows it; its own default when not set."
    )
    device: Literal["auto", "cpu", "cuda"] = _setting("auto", "Where the local model runs.")
    download: bool = _setting(
        True,
        "Whether a model that is not installed is fetched. What an editor's settings choose never "
        "is, and an editor can only switch this off.",
    )
    threads: int | None = _setting(
        None, "CPU threads of the model server; all cores but one when not set.", minimum=1
    )
    kv_slots: int = _setting(4, "How many prompts' KV caches are kept for reuse.", minimum=1)
    kv_megabytes: int = _setting(
        2048, "Most memory for kept KV caches, in MiB; one prompt's is always kept.", minimum=1
    )
    idle_minutes: float = _setting(
        30.0, "Minutes without a request before the model is unloaded.", exclusiveMinimum=0
    )
    timeout_seconds: float = _setting(10.0, "Longest a completion may take.", exclusiveMinimum=0)


@attrs.frozen
class PromptSettings:
    """How much of what goes into the prompt, in tokens."""

    prefix_tokens: int = _setting(1024, "Most tokens of text before the cursor.", minimum=1)
    suffix_tokens: int = _setting(256, "Most tokens of text after the cursor.", minimum=0)
    cross_file_tokens: int = _setting(512, "Most tokens of other files.", minimum=0)
    order: Literal["auto", "psm", "spm", "line", "left"] = _setting(
        "auto",
        "Order of the parts; auto chooses by model and cursor, as measured; left: only what stands "
        "before the cursor, without fill-in-the-middle (to compare).",
    )


@attrs.frozen
class CompletionSettings:
    """What is suggested, and through which requests."""

    eagerness: Literal["eager", "normal", "on-demand"] = _setting(
        "normal",
        "When the model is asked: at every request of the editor; after a pause that follows how "
        "fast you type; or only when you ask for a suggestion.",
    )
    max_tokens: int = _setting(96, "Most tokens generated for one suggestion.", minimum=1)
    max_lines: int = _setting(8, "Most lines of one suggestion.", minimum=1)
    min_confidence: float = _setting(
        0.0,
        "Least probability that the model gives its tokens on average.",
        minimum=0,
        maximum=1,
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
        "Whether the idle model reads the open file ahead, begins before the editor asks, and "
        "prepares what follows a suggestion; off saves energy.",
    )
    completion_list: Literal["auto", "always", "never"] = _setting(
        "auto",
        "Whether textDocument/completion offers suggestions; auto: only to clients without inline "
        "completion. A change to always takes effect with the next start.",
    )


@attrs.frozen
class ContextSettings:
    """What of the workspace is shown to the model while other files are edited."""

    enabled: bool = _setting(
        True,
        "Whether other files of the workspace are shown to the model. Where the user switched it "
        "off, an editor cannot switch it on.",
    )
    deadline_ms: int = _setting(
        40,
        "Longest that choosing cross-file context may hold up a request, in milliseconds.",
        minimum=1,
    )
    exclude: list[str] = _names(
        "Files left out beside those that git ignores: patterns as in .gitignore, from the "
        "workspace's root."
    )
    max_file_bytes: int = _setting(1_000_000, "Larger files are left out.", minimum=1)


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
        "Patterns as in .gitignore that the built-in list does not apply to, from the user's "
        "config.toml only; not taken from an editor."
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
        "Name from `coder-lsp models list`, a hub id, or a local directory or GGUF file; chosen by "
        "the hardware when not set. From an editor only names are taken, and only of models that "
        "are installed (`coder-lsp models pull NAME`).",
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


@attrs.frozen
class Setting:
    """One setting: its dotted name, annotation, default, and bounds by JSON Schema's keywords."""

    name: str
    type: Any
    default: Any
    doc: str
    bounds: Mapping[str, float]


@cache
def reference() -> dict[str, Setting]:
    """Every setting by its dotted name, in the order of the documentation."""
    return {setting.name: setting for setting in _settings_of(Settings)}


@cache
def groups() -> dict[str, str]:
    """The groups of settings in order, each with what it is about."""
    fields = attrs.fields(attrs.resolve_types(Settings))
    return {field.name: str(group.__doc__) for field in fields if (group := _group(field))}


def _settings_of(cls: type, group: str = "") -> Iterator[Setting]:
    for field in attrs.fields(attrs.resolve_types(cls)):
        if inner := _group(field):
            yield from _settings_of(inner, f"{field.name}.")
        else:
            default = [] if isinstance(field.default, attrs.Factory) else field.default  # type: ignore[arg-type]
            yield Setting(f"{group}{field.name}", field.type, default, **field.metadata)


def _group(field: attrs.Attribute[Any]) -> type | None:
    """The class of a group of settings; None where the field is a setting itself."""
    return field.type if field.type is not None and attrs.has(field.type) else None


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
    user = {name: value for layer in _layers(problems).values() for name, value in layer.items()}
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
    if _what_is_fetched(flat) != _what_is_fetched(user):
        flat[_DOWNLOAD] = False
    for name in _ONLY_OFF:
        if not user.get(name, True):
            flat[name] = False
    return _build(flat), problems


def origins() -> dict[str, str]:
    """Where each of the user's own settings comes from, by dotted name; the others are defaults."""
    return {name: source for source, layer in _layers([]).items() for name in layer}


def _layers(problems: list[str]) -> dict[str, dict[str, Any]]:
    """What the user set, by where; later ones win."""
    file = str(config_file())
    key = os.environ.get(API_KEY_VARIABLE, "").strip()
    return {
        file: _checked(_read_user_file(problems), file, problems),
        API_KEY_VARIABLE: {"engine.api_key": key} if key else {},
    }


def _what_is_fetched(flat: Mapping[str, Any]) -> list[Any]:
    """The settings that say which model is fetched, and whether more of it than its tokenizer."""
    model, url = flat.get("model"), flat.get("engine.url")
    return [model, url, flat.get("engine.device", "auto") if model is None else None]


_ADDED_UP = ("privacy.never", "privacy.not_shared", "context.exclude")
_DOWNLOAD = "engine.download"
_ONLY_OFF = (_DOWNLOAD, "context.enabled")
"""What an editor may switch off, but not on where the user switched it off."""
NOT_FROM_EDITORS = ("engine.api_key", "privacy.fine")
"""Settings that are taken from the user's own side only, whatever their value."""
_REFUSED = {
    "model": "model {value!r} is no model's name, and a path is not taken from an editor: name it "
    "in {file}.",
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
_MODEL_NAME = re.compile(r"(?!.*\.gguf$)\w[\w.-]*(/\w[\w.-]*)?", re.ASCII)


def _allowed(name: str, value: Any) -> bool:
    """Whether an editor, and through it a repository, may set this."""
    if name in NOT_FROM_EDITORS:
        return False
    if name == "model" and value is not None:
        return _MODEL_NAME.fullmatch(value) is not None
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


def _flatten(tree: Mapping[str, Any], problems: list[str], source: str) -> dict[str, Any]:
    """`{"engine": {"url": x}}` and `{"engine.url": x}` alike, as dotted names to values."""
    flat: dict[str, Any] = {}
    if not isinstance(tree, Mapping):
        problems.append(f"{source}: expected an object of settings, not {tree!r}.")
        return flat
    for name, value in tree.items():
        if name in groups() and isinstance(value, Mapping):
            flat.update({f"{name}.{inner}": each for inner, each in value.items()})
        else:
            flat[name] = value
    return flat


def _checked(tree: Mapping[str, Any], source: str, problems: list[str]) -> dict[str, Any]:
    """The settings that fit, by dotted name; each of the others is named in `problems`."""
    fitting: dict[str, Any] = {}
    for name, value in _flatten(tree, problems, source).items():
        setting = reference().get(name)
        if setting is None:
            problems.append(f"{source}: there is no setting {name!r}; it is ignored.")
        elif _fits(setting, value):
            fitting[name] = _converter.structure(value, setting.type)
        else:
            problems.append(
                f"{source}: {name} is {value!r}, expected {_describe(setting)}; "
                f"it is ignored (the default is {setting.default!r})."
            )
    return fitting


def _describe(setting: Setting) -> str:
    if setting.name == "engine.url":
        return "http:// or https://, a host, and no user name"
    plain = isinstance(setting.type, type)
    expected = setting.type.__name__ if plain else str(setting.type).replace("typing.", "")
    bounds = [f"{_BOUNDS[keyword][0]} {bound}" for keyword, bound in setting.bounds.items()]
    return f"{expected} {' and '.join(bounds)}".rstrip()


_BOUNDS: dict[str, tuple[str, Callable[[float, float], bool]]] = {
    "minimum": ("of at least", operator.ge),
    "exclusiveMinimum": ("above", operator.gt),
    "maximum": ("of at most", operator.le),
}


def _fits(setting: Setting, value: Any) -> bool:
    """Strict: cattrs would turn "7" into 7 and 1 into True, and hide the mistake."""
    try:
        if _converter.structure(value, setting.type) != value:
            return False
    except Exception:
        return False
    if isinstance(value, bool) is not (setting.type is bool):
        return False
    if setting.name == "engine.url" and value is not None and not _URL.fullmatch(value):
        return False
    return value is None or all(
        _BOUNDS[keyword][1](value, bound) for keyword, bound in setting.bounds.items()
    )


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
