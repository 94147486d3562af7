from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import attrs
import pytest

from lsp_server import settings
from lsp_server.context.privacy import Privacy
from lsp_server.settings import Settings, is_loopback, load

LOOPBACK = "http://127.0.0.1:8080"
ELSEWHERE = "https://models.example/v1"


@pytest.fixture(autouse=True)
def user_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The path of a user's own settings file, which is not there yet; no key is set."""
    path = tmp_path / "config.toml"
    monkeypatch.setenv("CODER_LSP_CONFIG", str(path))
    monkeypatch.delenv("CODER_LSP_API_KEY", raising=False)
    return path


# Layers and forms.


def test_without_anything_the_defaults_hold() -> None:
    assert load() == (Settings(), [])


def test_the_editor_comes_before_the_users_file_before_the_defaults(user_file: Path) -> None:
    user_file.write_text("log_level = 'debug'\n[completion]\nmax_tokens = 10\nmax_lines = 3\n")
    loaded, problems = load({"completion": {"max_tokens": 20}})
    assert (loaded.completion.max_tokens, loaded.completion.max_lines) == (20, 3)
    assert (loaded.log_level, loaded.prompt) == ("debug", Settings().prompt)
    assert problems == []


@pytest.mark.parametrize(
    "tree",
    [
        {"engine": {"device": "cpu", "threads": 2}},
        {"engine.device": "cpu", "engine.threads": 2},
        {"engine": {"device": "cpu"}, "engine.threads": 2},
    ],
)
def test_groups_may_be_nested_or_dotted(tree: dict[str, Any]) -> None:
    loaded, problems = load(tree)
    assert (loaded.engine.device, loaded.engine.threads) == ("cpu", 2)
    assert problems == []


def test_the_users_file_may_be_dotted_too(user_file: Path) -> None:
    user_file.write_text('engine.device = "cpu"\n"engine.threads" = 2\n')
    loaded, problems = load()
    assert (loaded.engine.device, loaded.engine.threads, problems) == ("cpu", 2, [])


def test_whole_numbers_may_come_as_floats_and_the_other_way_about() -> None:
    loaded, problems = load({"completion.max_tokens": 20.0, "engine.idle_minutes": 5})
    assert problems == []
    assert repr(loaded.completion.max_tokens) == "20"
    assert repr(loaded.engine.idle_minutes) == "5.0"


def test_without_the_variable_the_file_is_in_the_config_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CODER_LSP_CONFIG", "")
    assert settings.config_file() == settings.config_dir() / "config.toml"


# Wrong values.


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("model", 7, "str | None"),
        ("log_level", "loud", "Literal['debug', 'info', 'warning', 'error']"),
        ("log_level", ["info"], "Literal['debug', 'info', 'warning', 'error']"),
        ("engine.url", 7, "http:// or https://"),
        ("engine.device", "tpu", "Literal['auto', 'cpu', 'cuda']"),
        ("engine.threads", 0, "int | None of at least 1"),
        ("engine.threads", True, "int | None of at least 1"),
        ("engine.kv_slots", "4", "int of at least 1"),
        ("engine.kv_slots", 1.5, "int of at least 1"),
        ("engine.kv_megabytes", 0, "int of at least 1"),
        ("engine.download", 1, "bool"),
        ("engine.idle_minutes", float("nan"), "float above 0"),
        ("engine.timeout_seconds", -1, "float above 0"),
        ("prompt.prefix_tokens", 0, "int of at least 1"),
        ("prompt.suffix_tokens", -1, "int of at least 0"),
        ("prompt.cross_file_tokens", None, "int of at least 0"),
        ("prompt.order", "PSM", "Literal['auto', 'psm', 'spm'"),
        ("completion.max_tokens", {}, "int of at least 1"),
        ("completion.min_confidence", 1.5, "float of at least 0 and of at most 1"),
        ("completion.completion_list", True, "Literal['auto', 'always', 'never']"),
    ],
)
def test_a_wrong_value_is_named_with_its_default(name: str, value: Any, expected: str) -> None:
    loaded, problems = load({name: value})
    assert loaded == Settings()
    (problem,) = problems
    assert problem.startswith(f"the editor's settings: {name} is {value!r}, expected {expected}")
    default = settings.reference()[name].default
    assert problem.endswith(f"it is ignored (the default is {default!r}).")


def test_each_wrong_value_is_named_and_the_right_ones_are_taken(user_file: Path) -> None:
    user_file.write_text("[completion]\nmax_tokens = 'many'\nmax_lines = 3\n")
    loaded, problems = load({"completion.max_lines": 0, "prompt.order": "spm"})
    assert (loaded.completion, loaded.prompt.order) == (
        attrs.evolve(Settings().completion, max_lines=3),
        "spm",
    )
    assert [problem.split(":")[0] for problem in problems] == [
        str(user_file),
        "the editor's settings",
    ]


@pytest.mark.parametrize(
    ("tree", "name"),
    [
        ({"modle": "x"}, "modle"),
        ({"engine": {"colour": 1}}, "engine.colour"),
        ({"engine.colour": 1}, "engine.colour"),
        ({"colours.engine": 1}, "colours.engine"),
        ({"engine.url.host": "x"}, "engine.url.host"),
        ({"engine": LOOPBACK}, "engine"),
        ({"": 1}, ""),
    ],
)
def test_unknown_names_are_named(tree: dict[str, Any], name: str) -> None:
    loaded, problems = load(tree)
    assert loaded == Settings()
    assert problems == [f"the editor's settings: there is no setting {name!r}; it is ignored."]


@pytest.mark.parametrize("sent", [["model"], "model", 7])
def test_what_is_no_object_is_named(sent: Any) -> None:
    loaded, problems = load(sent)
    assert loaded == Settings()
    assert problems == [f"the editor's settings: expected an object of settings, not {sent!r}."]


@pytest.mark.parametrize("content", [b"model = ", b"[engine\n", b"\xff\xfe", b"a = 1\na = 2\n"])
def test_a_broken_file_is_named_and_left_out(user_file: Path, content: bytes) -> None:
    user_file.write_bytes(content)
    loaded, problems = load({"log_level": "debug"})
    assert loaded == Settings(log_level="debug")
    (problem,) = problems
    assert problem.startswith(f"{user_file} cannot be read and is left out: ")


def test_a_folder_in_the_files_place_is_named(user_file: Path) -> None:
    user_file.mkdir()
    loaded, problems = load()
    assert loaded == Settings()
    assert [problem.split(" cannot")[0] for problem in problems] == [str(user_file)]


# What an editor may not set.


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8080",
        "http://127.1.2.3/v1",
        "http://[::1]:8080/v1/",
        "http://localhost",
        "HTTPS://LocalHost:443/v1",
    ],
)
def test_an_editor_may_name_this_machine(url: str) -> None:
    assert is_loopback(url)
    loaded, problems = load({"engine": {"url": url}})
    assert (loaded.engine.url, problems) == (url, [])


@pytest.mark.parametrize(
    "url",
    [
        "https://models.example/v1",
        "http://127.0.0.1.evil.example",
        "http://localhost.evil.example",
        "http://evil.example/127.0.0.1",
        "http://evil.example/@127.0.0.1",
        "http://0.0.0.0:8080",
        "http://192.168.1.7:8080",
        "http://[2001:db8::1]:8080",
        "http://[::ffff:192.0.2.1]",
        "http://2130706433",
        "http://0x7f.1",
    ],
)
def test_an_editor_may_not_name_another_machine(user_file: Path, url: str) -> None:
    assert not is_loopback(url)
    loaded, (problem,) = load({"engine.url": url})
    assert loaded.engine.url is None
    assert repr(url) in problem


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1@evil.example",
        "http://evil.example@127.0.0.1",
        "http://127.0.0.1:80@evil.example/",
        "http://evil.example\\@127.0.0.1/",
        "http://evil.example#@127.0.0.1/",
        "http://evil.example?@127.0.0.1/",
        "http://127.0.0.1\t.evil.example",
        "http://127.0.0.1/go?to=evil.example",
        " http://127.0.0.1",
        "http://127.0.0.1\n",
        "file:///etc/passwd",
        "unix:///run/engine.sock",
        "ftp://127.0.0.1",
        "//127.0.0.1",
        "127.0.0.1:8080",
        "localhost:8080",
        "http://",
        "http:///v1",
        "http://[::1",
        "http://127.0.0.1:port",
        "",
    ],
)
def test_nobody_may_name_what_is_no_plain_http_url(user_file: Path, url: str) -> None:
    assert not is_loopback(url)
    loaded, (problem,) = load({"engine.url": url})
    assert loaded == Settings()
    assert f"engine.url is {url!r}, expected http:// or https://" in problem
    user_file.write_text(f"engine.url = '''{url}'''\n")
    loaded, (problem,) = load()
    assert loaded == Settings()
    assert problem.startswith(f"{user_file}: engine.url is ")


def test_the_user_may_name_any_machine(user_file: Path) -> None:
    user_file.write_text(f"[engine]\nurl = '{ELSEWHERE}'\napi_key = 'secret'\n")
    loaded, problems = load()
    assert (loaded.engine.url, loaded.engine.api_key, problems) == (ELSEWHERE, "secret", [])


def test_what_an_editor_may_not_set_stays_as_the_user_set_it(user_file: Path) -> None:
    user_file.write_text(f"[engine]\nurl = '{ELSEWHERE}'\napi_key = 'secret'\n")
    loaded, problems = load({"engine": {"url": "https://evil.example", "api_key": "theirs"}})
    assert (loaded.engine.url, loaded.engine.api_key) == (ELSEWHERE, "secret")
    assert len(problems) == 2
    assert all(str(user_file) in problem for problem in problems)
    assert "theirs" not in "".join(problems)
    assert "secret" not in "".join(problems)


# The key.


def test_the_key_of_the_environment_comes_first(
    user_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user_file.write_text(f"[engine]\nurl = '{ELSEWHERE}'\napi_key = 'file'\n")
    monkeypatch.setenv("CODER_LSP_API_KEY", " environment\n")
    assert load()[0].engine.api_key == "environment"
    monkeypatch.setenv("CODER_LSP_API_KEY", "")
    assert load()[0].engine.api_key == "file"


@pytest.fixture(params=["environment", "file"])
def key(request: pytest.FixtureRequest, user_file: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A key, set in the environment or the user's file, whose text ends within [engine]."""
    user_file.write_text("[engine]\n")
    if request.param == "environment":
        monkeypatch.setenv("CODER_LSP_API_KEY", "secret")
    else:
        user_file.write_text("[engine]\napi_key = 'secret'\n")
    return "secret"


@pytest.mark.parametrize("of_user", [None, ELSEWHERE, "http://127.0.0.1:9090"])
def test_the_key_does_not_go_to_a_url_of_the_editors(
    user_file: Path, key: str, of_user: str | None
) -> None:
    if of_user:
        user_file.write_text(user_file.read_text() + f"url = '{of_user}'\n")
    loaded, (problem,) = load({"engine.url": LOOPBACK})
    assert (loaded.engine.url, loaded.engine.api_key) == (LOOPBACK, None)
    assert repr(LOOPBACK) in problem
    assert str(user_file) in problem
    assert key not in problem


def test_the_key_goes_to_the_url_that_the_users_file_names_too(user_file: Path, key: str) -> None:
    user_file.write_text(user_file.read_text() + f"url = '{LOOPBACK}'\n")
    loaded, problems = load({"engine.url": LOOPBACK})
    assert (loaded.engine.url, loaded.engine.api_key, problems) == (LOOPBACK, key, [])


def test_an_editor_may_go_back_to_the_local_model_server(user_file: Path, key: str) -> None:
    user_file.write_text(user_file.read_text() + f"url = '{ELSEWHERE}'\n")
    loaded, problems = load({"engine.url": None})
    assert (loaded.engine.url, loaded.engine.api_key, problems) == (None, None, [])


# What is fetched.


@pytest.mark.parametrize(
    "sent", [{"model": "a"}, {"model": None}, {"engine.url": LOOPBACK}, {"engine.url": None}]
)
def test_what_the_editor_chooses_is_not_fetched(user_file: Path, sent: dict[str, Any]) -> None:
    user_file.write_text(f"model = 'mine'\n[engine]\nurl = '{ELSEWHERE}'\n")
    loaded, problems = load(sent)
    assert (loaded.engine.download, problems) == (False, [])


def test_a_device_of_the_editors_leads_to_no_other_download(user_file: Path) -> None:
    assert not load({"engine.device": "cpu"})[0].engine.download  # as if there were no GPU
    user_file.write_text("model = 'mine'\n")
    assert load({"engine.device": "cpu"})[0].engine.download


@pytest.mark.parametrize(
    "sent", [{}, {"model": "mine"}, {"engine.device": "auto"}, {"prompt.prefix_tokens": 7}]
)
def test_what_the_user_chooses_is_fetched(user_file: Path, sent: dict[str, Any]) -> None:
    user_file.write_text("model = 'mine'\n")
    assert load(sent)[0].engine.download


@pytest.mark.parametrize(
    ("of_user", "sent", "allowed"),
    [(False, True, False), (False, None, False), (True, False, False), (True, True, True)],
)
def test_an_editor_can_only_switch_downloads_off(
    user_file: Path, of_user: bool, sent: bool | None, allowed: bool
) -> None:
    user_file.write_text(f"[engine]\ndownload = {str(of_user).lower()}\n")
    loaded, problems = load({} if sent is None else {"engine.download": sent})
    assert (loaded.engine.download, problems) == (allowed, [])


@pytest.mark.parametrize("model", ["qwen2.5-coder-0.5b", "owner/Some_model-1.5b", "a"])
def test_an_editor_may_name_a_model(model: str) -> None:
    loaded, problems = load({"model": model})
    assert (loaded.model, problems) == (model, [])


@pytest.mark.parametrize(
    "model",
    [
        *("/models/mine", "./mine", "../mine", "~/mine", ".", "mine.gguf", "a/mine.gguf"),
        *("C:\\models\\mine", "C:mine", "\\\\evil.example\\share", "//evil.example/share", "a/b/c"),
        *("", " ", "a b", "mine\n", "https://evil.example/mine"),
    ],
)
def test_a_path_is_taken_from_the_user_only(user_file: Path, model: str) -> None:
    user_file.write_text("model = 'mine'\n")
    loaded, (problem,) = load({"model": model})
    assert (loaded.model, loaded.engine.download) == ("mine", True)
    assert f"model {model!r} is no model's name" in problem
    assert str(user_file) in problem
    user_file.write_text(f"model = {json.dumps(model)}\n")
    assert load()[0].model == model


def test_where_settings_come_from(user_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings.origins() == {}
    monkeypatch.setenv("CODER_LSP_API_KEY", "secret")
    user_file.write_text("model = 'm'\nmodle = 'm'\n[engine]\napi_key = 'k'\nkv_slots = 0\n")
    assert settings.origins() == {"model": str(user_file), "engine.api_key": "CODER_LSP_API_KEY"}


# What is private.


def test_what_an_editor_adds_does_not_undo_a_pattern(user_file: Path) -> None:
    user_file.write_text("[privacy]\nnever = ['*.mine']\n")
    loaded, _ = load({"privacy": {"never": ["!*.mine", "*.theirs"]}})
    privacy = Privacy(loaded.privacy.never)
    assert [privacy.level(name) for name in ("a.mine", "a.theirs")] == ["never", "never"]


def test_an_editor_shows_the_model_no_more_files_than_the_user_does(user_file: Path) -> None:
    user_file.write_text("[context]\nenabled = false\nexclude = ['mine/']\n")
    loaded, _ = load({"context": {"enabled": True, "exclude": ["theirs/"]}})
    assert not loaded.context.enabled
    assert loaded.context.exclude == ["theirs/", "mine/"]
    user_file.write_text("")
    assert not load({"context": {"enabled": False}})[0].context.enabled
