"""A hub on loopback that speaks as much of the protocol as the real client needs."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

REVISION = "5" * 40


@dataclass
class FakeHub:
    """Files by repository and name; `requests` are the methods and paths that were asked for.

    A file named in `stall_after` stops after so many bytes, until `go_on` is set.
    """

    url: str = ""
    repositories: dict[str, dict[str, bytes]] = field(default_factory=dict)
    gated: set[str] = field(default_factory=set)
    stated_digests: dict[str, str] = field(default_factory=dict)
    stall_after: dict[str, int] = field(default_factory=dict)
    go_on: threading.Event = field(default_factory=threading.Event)
    requests: list[str] = field(default_factory=list)

    def digest(self, name: str, content: bytes) -> str:
        """What the hub states: the sha256 of weights, the git blob's sha1 of small files."""
        if name in self.stated_digests:
            return self.stated_digests[name]
        if name.endswith((".safetensors", ".gguf", ".bin")):
            return hashlib.sha256(content).hexdigest()
        return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()

    def info(self, repo: str) -> dict[str, object]:
        """The answer of the API for a repository."""
        siblings = []
        for name, content in self.repositories[repo].items():
            digest = self.digest(name, content)
            sibling: dict[str, object] = {"rfilename": name, "size": len(content)}
            if len(digest) == 64:
                sibling["lfs"] = {"sha256": digest, "size": len(content), "pointerSize": 134}
            sibling["blobId"] = digest[:40]
            siblings.append(sibling)
        return {"id": repo, "sha": REVISION, "siblings": siblings}


@contextmanager
def serve() -> Iterator[FakeHub]:
    """A hub that runs until the block ends."""
    hub = FakeHub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            path = unquote(urlsplit(self.path).path)
            hub.requests.append(f"{self.command} {path} {self.headers.get('Range') or ''}".strip())
            if path.startswith("/api/models/"):
                repo = "/".join(path.split("/")[3:5])
                plain = len(path.split("/")) == 5
                if repo not in hub.repositories or not plain:
                    self.answer(404, b"{}", {"X-Error-Code": "RepoNotFound"})
                else:
                    self.answer(200, json.dumps(hub.info(repo)).encode())
                return
            org, name, _, _, file = path.strip("/").split("/", 4)
            repo = f"{org}/{name}"
            content = hub.repositories.get(repo, {}).get(file)
            if repo in hub.gated:
                self.answer(403, b"{}", {"X-Error-Code": "GatedRepo"})
            elif content is None:
                self.answer(404, b"{}", {"X-Error-Code": "EntryNotFound"})
            else:
                self.send_file(file, content)

        def send_file(self, name: str, content: bytes) -> None:
            headers = {"ETag": f'"{hub.digest(name, content)}"', "X-Repo-Commit": REVISION}
            wanted = self.headers.get("Range")
            start = int(wanted.removeprefix("bytes=").split("-")[0]) if wanted else 0
            if wanted:
                headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            self.answer(206 if wanted else 200, content[start:], headers, hub.stall_after.get(name))

        def answer(
            self,
            status: int,
            body: bytes,
            headers: dict[str, str] | None = None,
            most: int | None = None,
        ) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            for key, value in (headers or {}).items():
                self.send_header(key, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body[:most])
                if most is not None and most < len(body):
                    hub.go_on.wait(60)
                    self.close_connection = True

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.go_on.set()
        server.shutdown()
        server.server_close()
        thread.join()
