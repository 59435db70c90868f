"""A bucket to test with: moto's S3 server in a process of its own, spoken to over HTTP as a real one is."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from xtr.storage.workplace import Workplace, workplace

BUCKET = "xtr-tests"


@contextlib.contextmanager
def s3_server(log: Path) -> Iterator[dict[str, str]]:
    """Run the server and give the environment that leads to it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with log.open("w") as out:
        server = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], stdout=out, stderr=out
        )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(address, server, log)
        yield {
            "AWS_ENDPOINT_URL": address,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
    finally:
        server.kill()
        server.wait()


def _wait_for(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 120
    while True:
        assert server.poll() is None and time.monotonic() < deadline, log.read_text()
        with contextlib.suppress(urllib.error.URLError, ConnectionError), urllib.request.urlopen(address):
            return
        time.sleep(0.1)


@dataclass(frozen=True)
class Place:
    """A storage root, seen from as many machines as a test likes: each has a cache of its own."""

    root: str
    machines: Path

    def on(self, machine: str = "one") -> Workplace:
        """The root as one machine sees it."""
        return workplace(self.root, cache=str(self.machines / machine))

    @property
    def is_bucket(self) -> bool:
        return "://" in self.root

    def names(self, folder: str) -> set[str]:
        """What lies in a folder of the store."""
        return self.on().store.names(folder)

    def harm(self, name: str, change: Callable[[bytes], bytes | None]) -> None:
        """Change the bytes that the store holds under a name, behind its back; None removes them."""
        bucket = self.on().bucket
        if bucket is None:
            path = Path(self.root) / name
            content = change(path.read_bytes())
            path.unlink() if content is None else path.write_bytes(content)
            return
        path_there = f"{bucket.prefix}/{name}"
        content = change(bucket.fs.cat_file(path_there))
        bucket.fs.rm_file(path_there) if content is None else bucket.fs.pipe_file(path_there, content)


def a_place(kind: str, folder: Path) -> Place:
    """An empty root: a folder, or a prefix of its own in the bucket."""
    root = str(folder / "root") if kind == "folder" else f"s3://{BUCKET}/{uuid.uuid4().hex}"
    return Place(root, folder / "machines")
