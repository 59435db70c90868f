"""A small Hugging Face hub on this machine: folders served as repositories, and trouble on demand.

It speaks what `HfApi.dataset_info`, `load_dataset` and `from_pretrained` ask: revisions, trees, files.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
NEXT_COMMIT = "fedcba9876543210fedcba9876543210fedcba98"
_API = re.compile(r"/api/(datasets|models)/([^/]+/[^/]+)(?:/(revision|tree|paths-info)/([^/]+)(?:/(.*))?)?$")
_FILE = re.compile(r"/(datasets/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)$")


class StubHub:
    """Repositories by (kind, id), the commit at their head, and what goes wrong.

    Attributes:
        refusals: answers by repository id, in order: (status, X-Error-Code, other headers); None hangs.
        asked: how often each path was asked for.
    """

    def __init__(self) -> None:
        self.repositories: dict[tuple[str, str], Path] = {}
        self.head: dict[str, str] = {}
        self.refusals: dict[str, list[tuple[int, str, dict[str, str]] | None]] = {}
        self.files_refused: dict[str, tuple[int, str]] = {}
        self.asked: Counter[str] = Counter()
        self.closing = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"

    def serve(self, kind: str, name: str, folder: Path) -> None:
        self.repositories[kind, name] = folder
        self.head[name] = COMMIT

    @contextmanager
    def running(self) -> Iterator[StubHub]:
        thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        thread.start()
        try:
            yield self
        finally:
            self.closing.set()
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    def environment(self, home: Path) -> dict[str, str]:
        """Variables under which a process sees this hub and an empty cache."""
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("HF_", "TRANSFORMERS_"))
        }
        return {
            **kept,
            "HF_ENDPOINT": self.endpoint,
            "HF_HOME": str(home),
            "HF_HUB_DOWNLOAD_TIMEOUT": "1",
            "HF_HUB_ETAG_TIMEOUT": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_XET": "1",
            "HF_UPDATE_DOWNLOAD_COUNTS": "0",
        }


class _Handler(BaseHTTPRequestHandler):
    """Answers for a hub; each hub has a handler class of its own."""

    hub: StubHub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = unquote(urlsplit(self.path).path)
        self.hub.asked[path] += 1
        if found := _API.match(path):
            kind, name = found[1], found[2]
        elif found := _FILE.match(path):
            kind, name = "datasets" if found[1] else "models", found[2]
        else:
            return self._refuse(404, "EntryNotFound")
        refusals = self.hub.refusals.get(name)
        if refusals:
            refusal = refusals.pop(0)
            if refusal is None:
                self.hub.closing.wait(30)
                return None
            return self._refuse(refusal[0], refusal[1], **refusal[2])
        if (kind, name) not in self.hub.repositories:
            return self._refuse(401, "RepoNotFound")
        folder = self.hub.repositories[kind, name]
        if path.startswith("/api/"):
            return self._api(folder, found, body)
        if name in self.hub.files_refused:
            return self._refuse(*self.hub.files_refused[name])
        return self._file(folder / found[4], name, found[3])

    def _api(self, folder: Path, found: re.Match[str], body: bytes) -> None:
        name, what, revision, below = found[2], found[3], found[4], found[5] or ""
        commit = self._commit(name, revision or "main")
        if commit is None:
            return self._refuse(404, "RevisionNotFound")
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        if what == "tree":
            entries = [_entry(path, folder) for path in files]
            kept = [each for each in entries if not below or str(each["path"]).startswith(f"{below}/")]
            deep = parse_qs(urlsplit(self.path).query).get("recursive", ["false"])[0].lower() == "true"
            return self._json(_level(kept, below, deep))
        if what == "paths-info":
            asked = json.loads(body)["paths"] if body.startswith(b"{") else parse_qs(body.decode())["paths"]
            return self._json([each for each in _everything(files, folder) if each["path"] in asked])
        siblings = [{"rfilename": path.relative_to(folder).as_posix()} for path in files]
        return self._json({"id": name, "sha": commit, "siblings": siblings, "tags": [], "private": False})

    def _commit(self, name: str, revision: str) -> str | None:
        return {"main": self.hub.head[name], COMMIT: COMMIT, NEXT_COMMIT: NEXT_COMMIT}.get(revision)

    def _file(self, path: Path, name: str, revision: str) -> None:
        commit = self._commit(name, revision)
        if commit is None:
            return self._refuse(404, "RevisionNotFound")
        if not path.is_file():
            return self._refuse(404, "EntryNotFound", **{"X-Repo-Commit": commit})
        content = path.read_bytes()
        headers = {"X-Repo-Commit": commit, "ETag": f'"{hashlib.sha1(content).hexdigest()}"'}
        return self._send(200, content, headers)

    def _refuse(self, status: int, code: str, **headers: str) -> None:
        self._send(status, b"{}", {"X-Error-Code": code, **headers})

    def _json(self, document: object) -> None:
        self._send(200, json.dumps(document).encode(), {"Content-Type": "application/json"})

    def _send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def _handler(hub: StubHub) -> type[_Handler]:
    return type("Handler", (_Handler,), {"hub": hub})


def _entry(path: Path, folder: Path) -> dict[str, object]:
    content = path.read_bytes()
    name = path.relative_to(folder).as_posix()
    return {"type": "file", "path": name, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}


def _directories(names: list[str]) -> list[dict[str, object]]:
    parents = {str(parent) for name in names for parent in Path(name).parents if str(parent) != "."}
    return [
        {"type": "directory", "path": each, "size": 0, "oid": hashlib.sha1(each.encode()).hexdigest()}
        for each in sorted(parents)
    ]


def _everything(files: list[Path], folder: Path) -> list[dict[str, object]]:
    entries = [_entry(path, folder) for path in files]
    return [*entries, *_directories([str(each["path"]) for each in entries])]


def _level(entries: list[dict[str, object]], below: str, deep: bool) -> list[dict[str, object]]:
    """A tree's entries: all, or only those right below a folder."""
    every = [*entries, *_directories([str(each["path"]) for each in entries])]
    start = f"{below}/" if below else ""
    inside = [each for each in every if str(each["path"]).startswith(start) and each["path"] != below]
    return inside if deep else [each for each in inside if "/" not in str(each["path"])[len(start) :]]
