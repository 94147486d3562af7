"""What is nobody's business: files that never reach an index or a prompt, and files that are
completed themselves but not shown when others are.

A file has the strictest level that any rule gives it: the built-in patterns below, what its text
holds, and the user's own patterns. Patterns are in .gitignore's syntax, letters match in either
case, and backslashes are slashes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Literal

from lsp_server.context.patterns import Patterns

Level = Literal["never", "not-shared", "fine"]
"""`never`: neither read into an index or a prompt nor completed; `not-shared`: completed, but never
context for another file; `fine`: both."""

_DATA = (
    *(".json", ".yaml", ".yml", ".toml", ".ini", ".cfg", ".conf", ".config", ".properties"),
    *(".xml", ".csv", ".txt", ".env", ".enc", ".db"),
)
_EXAMPLES = tuple(
    name
    for word in ("example", "sample", "template", "dist", "defaults")
    for name in (f".env[._-]{word}", f".env.*.{word}", f"{word}.env", f".envrc.{word}")
)

NEVER = (
    # environments; what is made to be copied and filled in comes back with a "!"
    *(".env", ".env.*", "*.env", ".envrc", ".envrc.*", ".env-*", ".env_*"),
    *(f"!{name}" for name in _EXAMPLES),
    # keys and certificates
    *("*.pem", "*.key", "*.p8", "*.p12", "*.pfx", "*.pk8", "*.jks", "*.keystore", "*.bks", "*.ppk"),
    *("*.gpg", "*.pgp", "*private*.asc", "*secret*.asc", "*.agekey", "*.mobileprovision"),
    *("id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*"),
    # passwords and tokens; programs named so (credentials.py) are programs
    *(".netrc", "_netrc", ".npmrc", ".pypirc", ".htpasswd", ".pgpass", ".my.cnf", ".s3cfg"),
    *(".boto", ".git-credentials", ".dockercfg", ".vault-token", ".vault_pass*", ".terraformrc"),
    *("*.kdb", "*.kdbx", "*.ovpn", "kubeconfig", "*.kubeconfig", "credentials", ".credentials"),
    *(f"{name}{ending}" for name in ("*credentials*", "secrets*", "*secrets") for ending in _DATA),
    *(f"{name}{ending}" for name in ("secret", "kubeconfig") for ending in _DATA),
    *("service-account*.json", "service_account*.json", "client_secret*.json"),
    *("*.tfvars", "*.tfvars.json", "*.tfstate", "*.tfstate.*"),
    # folders of tools that keep them
    *("**/.ssh/**", "**/.aws/**", "**/.azure/**", "**/.gnupg/**", "**/.kube/**"),
    *("**/.password-store/**", "**/.docker/config.json", "**/.config/gcloud/**"),
    *("**/.config/gh/hosts.yml", "**/.cargo/credentials*", "**/.gem/credentials"),
)
NOT_SHARED = (
    *_EXAMPLES,
    *("*.log", "*.har", "*.eml", "*.mbox", ".*_history"),
    *("*.csv", "*.tsv", "*.dump", "*dump*.sql", "*backup*.sql", "*.ipynb"),
)

PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----")

# copies that editors and people leave beside a file, and what Windows drops from names
_COPY = re.compile(rb"(?:[~#. ]|\.(?:bak|orig|old|save|tmp|sw[a-p]|copy))+$")
_STRICTEST_FIRST: tuple[Level, ...] = ("never", "not-shared", "fine")


def holds_private_key(text: str) -> bool:
    """Whether a private key stands in a text, whatever its file is called."""
    return PRIVATE_KEY.search(text) is not None


class Privacy:
    """The rules in force: the built-in ones, tightened by `never` and `not_shared`. Only `fine`,
    which may come from nowhere but the user's own settings file, makes one of them not apply.

    Patterns count from the workspace's root; one that begins with `/` or `~` may also be a place on
    this machine.
    """

    def __init__(
        self,
        never: Iterable[str] = (),
        not_shared: Iterable[str] = (),
        fine: Iterable[str] = (),
    ) -> None:
        self._globs: dict[Level, tuple[str, ...]] = {
            "never": tuple(never),
            "not-shared": tuple(not_shared),
            "fine": tuple(fine),
        }
        self._users = {
            level: _patterns(map(os.path.expanduser, globs))
            for level, globs in self._globs.items()
            if globs
        }

    def level(self, path: str, absolute: str = "", text: str = "") -> Level:
        """The level of a file by its path from its workspace's root, if it has one, and its
        absolute path. Nothing is read; links are `level_of_file`'s matter."""
        encoded = [_encode(each) for each in (path, absolute) if each]
        users = _strictest(
            level
            for level, patterns in self._users.items()
            if any(patterns.covers(each) for each in encoded)
        )
        if users == "never" or self._loosened(encoded):
            return users
        if text and holds_private_key(text):
            return "never"
        return _strictest((users, _built_in(_encode(absolute or path))))

    def level_of_file(self, file: Path, root: Path | None = None, text: str = "") -> Level:
        """The level of a file by its absolute path, in a workspace's root or not: the stricter of
        its own and that of the file it is a link to. Need not exist."""
        own = self.level(_inside(file, root), str(file), text)
        real = _real(file)
        if real == file:
            return own
        inside = _inside(real, _real(root) if root else None)
        return _strictest((own, self.level(inside, str(real), text)))

    def why_never(self, file: Path, root: Path | None = None, text: str = "") -> str:
        """The rule that makes a file of the level `never`, for people to read; empty for a file of
        another level. As `level_of_file`."""
        if self.level_of_file(file, root, text) != "never":
            return ""
        real = _real(file)
        places = ((file, root), (real, _real(root) if root else None))
        rules = (self._rule(_inside(each, above), str(each), text) for each, above in places)
        return next(filter(None, rules), "")

    def describe(self) -> list[tuple[Level, str]]:
        """Every rule, for people to read: level and pattern, the user's own first."""
        rules: list[tuple[Level, str]] = [
            (level, glob) for level, globs in self._globs.items() for glob in globs
        ]
        never = [glob for glob in NEVER if not glob.startswith("!")]
        never.append("any text with a private key in it (-----BEGIN ... PRIVATE KEY-----)")
        rules += [("never", rule) for rule in never]
        return rules + [("not-shared", rule) for rule in NOT_SHARED]

    def _rule(self, path: str, absolute: str, text: str) -> str:
        """Of a file by its paths, the first rule for `never` that fits, if any."""
        encoded = [_encode(each) for each in (path, absolute) if each]
        for glob in self._globs["never"]:
            pattern = _patterns(map(os.path.expanduser, [glob]))
            if any(pattern.covers(each) for each in encoded):
                return f"{glob} in privacy.never"
        if text and holds_private_key(text):
            return "a private key in its text"
        return _built_in_rule(_encode(absolute))

    def _loosened(self, paths: Iterable[bytes]) -> bool:
        fine = self._users.get("fine")
        return fine is not None and any(fine.covers(path) for path in paths)


def _patterns(globs: Iterable[str]) -> Patterns:
    lines = (glob.replace("\\", "/") for glob in globs)
    return Patterns("\n".join(lines).encode("utf-8", "surrogatepass"), ignore_case=True)


_NEVER = _patterns(NEVER)
_NOT_SHARED = _patterns(NOT_SHARED)


@lru_cache(4096)
def _built_in(path: bytes) -> Level:
    path = _COPY.sub(b"", path)
    if _NEVER.verdict(path, is_folder=False):
        return "never"
    return "not-shared" if _NOT_SHARED.verdict(path, is_folder=False) else "fine"


@lru_cache(256)
def _built_in_rule(path: bytes) -> str:
    path = _COPY.sub(b"", path)
    if _built_in(path) != "never":
        return ""
    globs = (glob for glob in NEVER if not glob.startswith("!"))
    return next((each for each in globs if _patterns([each]).verdict(path, is_folder=False)), "")


def _encode(path: str) -> bytes:
    return path.replace("\\", "/").removeprefix("/").encode("utf-8", "surrogatepass")


def _strictest(levels: Iterable[Level]) -> Level:
    return min(levels, key=_STRICTEST_FIRST.index, default="fine")


def _real(path: Path) -> Path:
    try:
        return Path(os.path.realpath(path))
    except ValueError:  # a path that no file can have
        return path


def _inside(file: Path, root: Path | None) -> str:
    return str(file.relative_to(root)) if root and file.is_relative_to(root) else ""
