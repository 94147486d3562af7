"""Levels of privacy."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lsp_server.context import privacy
from lsp_server.context.privacy import Level, Privacy, holds_private_key

KEY_HEADS = ("", "RSA ", "EC ", "DSA ", "OPENSSH ", "ENCRYPTED ")


def begin(kind: str, rest: str = "") -> str:
    """Put together here, so that this file is no secret itself."""
    return "-----" + f"BEGIN {kind}PRIVATE KEY{rest}-----"


def example_of(glob: str) -> str:
    """A path that a built-in pattern matches."""
    return glob.replace("**", "some/where").replace("*", "x").replace("[._-]", ".")


@pytest.mark.parametrize("glob", [each for each in privacy.NEVER if not each.startswith("!")])
def test_every_built_in_pattern_for_never(glob: str) -> None:
    name = example_of(glob)
    for path in (name, f"deep/in/{name}", name.upper(), f"a\\b\\{name}".replace("/", "\\")):
        assert Privacy().level(path) == "never", path
        assert Privacy().level("elsewhere", f"/home/u/{path}") == "never", path


@pytest.mark.parametrize("glob", privacy.NOT_SHARED)
def test_every_built_in_pattern_for_not_shared(glob: str) -> None:
    assert Privacy().level(f"a/{example_of(glob)}") == "not-shared"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (".env", "never"),
        (".env.production", "never"),
        (".env.local.bak", "never"),
        (".env~", "never"),
        (".env ", "never"),
        ("id_rsa.pub", "never"),
        ("server.pem.orig", "never"),
        ("Credentials.JSON", "never"),
        (".aws/config", "never"),
        (".ssh/known_hosts", "never"),
        (".docker/config.json", "never"),
        ("config/secrets.yml", "never"),
        ("infra/prod.tfvars", "never"),
        (".env.example", "not-shared"),
        (".env.production.sample", "not-shared"),
        (".aws/.env.example", "never"),
        ("app.log", "not-shared"),
        ("credentials.py", "fine"),
        ("src/credentials/provider.ts", "fine"),
        ("secrets.py", "fine"),
        ("environment.yml", "fine"),
        ("env.py", "fine"),
        ("keys.py", "fine"),
        ("docker/config.json", "fine"),
        ("schema.sql", "fine"),
        ("", "fine"),
        ("odd\udcffname.py", "fine"),
        ("odd\nname.py", "fine"),
        ("odd\ud800name.py", "fine"),
    ],
)
def test_levels(path: str, expected: Level) -> None:
    assert Privacy().level(path) == expected


def test_users_patterns_tighten() -> None:
    rules = Privacy(never=["clients/", "*.secret.py"], not_shared=["/drafts/**", "a.env"])
    assert rules.level("x/clients/deep/a.py") == "never"
    assert rules.level("x/A.Secret.py") == "never"
    assert rules.level("drafts/a.py") == "not-shared"
    assert rules.level("x/drafts/a.py") == "fine"
    assert rules.level("a.env") == "never"
    assert rules.level("b.py") == "fine"


def test_users_patterns_may_be_places_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/u")
    monkeypatch.setenv("USERPROFILE", "/home/u")
    rules = Privacy(never=["~/paid/client/**", "/srv/private/**"])
    assert rules.level("a.py", "/home/u/paid/client/a.py") == "never"
    assert rules.level("a.py", "/srv/private/x/a.py") == "never"
    assert rules.level("a.py", "/home/u/paid/mine/a.py") == "fine"


def test_users_patterns_may_name_copies_and_use_backslashes() -> None:
    rules = Privacy(never=["*.bak", "private\\notes.md"])
    assert rules.level("a.bak") == "never"
    assert rules.level("private/notes.md") == "never"


def test_fine_loosens_what_is_built_in_but_not_what_the_user_tightened() -> None:
    rules = Privacy(never=["b.pem"], not_shared=["c.pem"], fine=["tests/**/*.pem", "[bc].pem"])
    assert rules.level("tests/data/a.pem", text=begin("")) == "fine"
    assert rules.level("a.pem") == "never"
    assert rules.level("b.pem") == "never"
    assert rules.level("c.pem") == "not-shared"


@pytest.mark.parametrize("kind", KEY_HEADS)
def test_a_private_key_is_found_in_any_file(kind: str) -> None:
    text = f'KEY = """{begin(kind)}\nMIIE'
    assert holds_private_key(text)
    assert Privacy().level("settings.py", text=text) == "never"


def test_what_is_a_private_key() -> None:
    assert holds_private_key(begin("PGP ", " BLOCK"))
    assert not holds_private_key("-----BEGIN PUBLIC KEY-----")
    assert not holds_private_key("-----BEGIN CERTIFICATE-----")
    assert not holds_private_key(Path(privacy.__file__).read_text(encoding="utf-8"))


@pytest.mark.skipif(os.name != "posix", reason="needs links")
def test_a_link_has_the_level_of_what_it_leads_to(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "src").mkdir(parents=True)
    (tmp_path / ".ssh").mkdir()
    (root / "notes.txt").symlink_to(tmp_path / ".env")
    (root / "src" / "keys").symlink_to(tmp_path / ".ssh")
    (root / ".env").symlink_to(tmp_path / "harmless")
    rules = Privacy()
    assert rules.level_of_file(root / "notes.txt", root) == "never"
    assert rules.level_of_file(root / "src" / "keys" / "config", root) == "never"
    assert rules.level_of_file(root / ".env", root) == "never"
    assert rules.level_of_file(root / "src" / "a.py", root) == "fine"


@pytest.mark.skipif(os.name != "posix", reason="needs links")
def test_users_patterns_hold_in_a_root_that_is_a_link(tmp_path: Path) -> None:
    (tmp_path / "real" / "inner").mkdir(parents=True)
    (tmp_path / "root").symlink_to(tmp_path / "real")
    (tmp_path / "root" / "link.py").symlink_to(tmp_path / "real" / "inner" / "a.py")
    rules = Privacy(never=["/inner/**"])
    assert rules.level_of_file(tmp_path / "root" / "inner" / "a.py", tmp_path / "root") == "never"
    assert rules.level_of_file(tmp_path / "root" / "link.py", tmp_path / "root") == "never"
    assert rules.level_of_file(tmp_path / "root" / "b.py", tmp_path / "root") == "fine"


def test_a_file_without_a_root_or_a_disk(tmp_path: Path) -> None:
    assert Privacy().level_of_file(tmp_path / "gone" / ".env") == "never"
    assert Privacy().level_of_file(tmp_path / "gone" / "a.py") == "fine"
    assert Privacy().level_of_file(tmp_path / "nul\0" / ".env", tmp_path) == "never"


@pytest.mark.parametrize("glob", [each for each in privacy.NEVER if not each.startswith("!")])
def test_each_built_in_rule_can_be_named(glob: str, tmp_path: Path) -> None:
    file = tmp_path / example_of(glob)
    rule = Privacy().why_never(file, tmp_path)
    assert Privacy().level_of_file(file, tmp_path) == "never"
    assert rule in privacy.NEVER
    assert privacy._patterns([rule]).covers(privacy._encode(str(file)))


def test_the_rule_that_makes_a_file_private(tmp_path: Path) -> None:
    rules = Privacy(never=["internal/**", "/home/u/*.py"])
    key = begin("RSA ")
    assert rules.why_never(tmp_path / "internal" / "a.py", tmp_path) == (
        "internal/** in privacy.never"
    )
    assert rules.why_never(Path("/home/u/a.py")) == "/home/u/*.py in privacy.never"
    assert rules.why_never(tmp_path / ".env.bak", tmp_path) == ".env"
    assert rules.why_never(tmp_path / "a.py", tmp_path, key) == "a private key in its text"
    assert rules.why_never(tmp_path / "a.py", tmp_path, "x = 1") == ""
    assert rules.why_never(tmp_path / "app.log", tmp_path) == ""
    assert Privacy(fine=["*.pem"]).why_never(tmp_path / "a.pem", tmp_path) == ""


@pytest.mark.skipif(os.name != "posix", reason="needs links")
def test_the_rule_that_makes_a_link_private(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").symlink_to(tmp_path / ".env")
    assert Privacy().why_never(tmp_path / "notes.txt", tmp_path) == ".env"


def test_the_rules_are_described() -> None:
    described = Privacy(never=["mine"], fine=["tests/*.pem"]).describe()
    assert described[0] == ("never", "mine")
    assert ("fine", "tests/*.pem") in described
    assert ("never", ".env") in described
    assert ("not-shared", "*.log") in described
    assert not any(rule.startswith("!") for _, rule in described)
