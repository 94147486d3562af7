"""Fetched packages are only trusted as far as the archive's signature reaches."""

from __future__ import annotations

import socket
import struct
import subprocess
from pathlib import Path
from threading import Thread

import pytest

from . import install

INDEX: install.Index = {
    "editor": {"Pre-Depends": "loader", "Depends": "libc6 (>= 2.4), old | lua:any (= 5.1), awk"},
    "loader": {},
    "libc6": {"Depends": "loader"},
    "lua": {"Depends": "editor"},
    "mawk": {"Provides": "awk, posix-awk (= 1)"},
    "unrelated": {},
}


def test_closure_follows_alternatives_providers_and_circles() -> None:
    assert install.closure(["editor"], INDEX) == ["editor", "libc6", "loader", "lua", "mawk"]


def test_what_is_left_out_brings_nothing_along() -> None:
    assert install.closure(["editor"], INDEX, ["lua", "libc6"]) == ["editor", "loader", "mawk"]


def test_fields_are_those_on_one_line() -> None:
    stanza = "Package: editor\nDescription: edits\n more: of it\nTag: a,\n b"
    expected = {"Package": "editor", "Description": "edits", "Tag": "a,"}
    assert install.fields(stanza) == expected


def test_a_package_with_another_hash_is_refused(tmp_path: Path) -> None:
    package = tmp_path / "package.deb"
    package.write_bytes(b"other bytes")
    with pytest.raises(ValueError, match="not what the signed index says"):
        install.fetch(package.as_uri(), "0" * 64)


def test_what_cannot_be_fetched_is_not_available(tmp_path: Path) -> None:
    with pytest.raises(install.NotAvailable, match="nothing"):
        install.fetch((tmp_path / "nothing").as_uri())


@pytest.mark.parametrize("is_reset", [False, True])
def test_what_breaks_off_is_not_available(is_reset: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def break_off() -> None:
            connection, _ = server.accept()
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")
            if is_reset:
                no_linger = struct.pack("ii", 1, 0)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, no_linger)
            connection.close()

        Thread(target=break_off, daemon=True).start()
        with pytest.raises(install.NotAvailable, match="/package"):
            install.fetch(f"http://127.0.0.1:{server.getsockname()[1]}/package")


def test_an_unsigned_index_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        install.tool("gpgv")
    except install.NotAvailable as reason:
        pytest.skip(str(reason))
    unsigned = f" {'0' * 64} 1 main/binary-amd64/Packages.xz\n".encode()
    monkeypatch.setattr(install, "signed_release", lambda: ("file:///nowhere", unsigned))
    with pytest.raises(subprocess.CalledProcessError):
        install.package_index()


def test_an_older_or_broken_neovim_is_not_taken(tmp_path: Path) -> None:
    older = tmp_path / "nvim"
    older.write_text("#!/bin/sh\necho 'NVIM v0.9.5'\n")
    older.chmod(0o755)
    assert install.version_of(older) == (0, 9, 5) < install.NEOVIM.version
    assert install.version_of(tmp_path / "missing") == ()
