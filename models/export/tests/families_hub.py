"""A small hub over HTTP: what `huggingface_hub` asks of one, with a connection that breaks on demand.

As on the real one, anybody may see what files a gated repository has, and only the files are kept back.
"""

import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "c0ffee00" * 5


class Hub(ThreadingHTTPServer):
    """Serves folders as repositories. `breaks[file]` bytes of a file are sent, once, before the connection breaks."""

    daemon_threads = True

    def __init__(self, repositories: dict[str, Path], gated: tuple[str, ...] = ()):
        super().__init__(("127.0.0.1", 0), Handler)
        self.repositories, self.gated = repositories, gated
        self.breaks: dict[str, int] = {}
        self.ranges: list[tuple[str, str]] = []  # what was asked for from the middle
        self.asked: list[str] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def files(self) -> set[str]:
        """The files that were asked for."""
        return {path.rpartition("/")[2] for path in self.asked if "/resolve/" in path}


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    server: Hub

    def log_message(self, *_) -> None:
        pass

    def do_HEAD(self) -> None:
        self.answer(False)

    def do_GET(self) -> None:
        self.answer(True)

    def answer(self, body: bool) -> None:
        path = self.path.partition("?")[0]
        self.server.asked.append(path)
        if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/(.+))?", path):
            return self.information(match[1])
        if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)/tree/(.+)", path):
            return self.tree(match[1])
        if match := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            return self.file(match[1], match[3], body)
        return self.refuse(404, "EntryNotFound")

    def refuse(self, status: int, code: str) -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def folder(self, name: str) -> Path | None:
        if name not in self.server.repositories:
            self.refuse(404, "RepoNotFound")
            return None
        return self.server.repositories[name]

    def information(self, name: str) -> None:
        if folder := self.folder(name):
            files = sorted(str(f.relative_to(folder)) for f in folder.rglob("*") if f.is_file())
            self.json({"id": name, "sha": COMMIT, "siblings": [{"rfilename": file} for file in files]})

    def tree(self, name: str) -> None:
        if folder := self.folder(name):
            files = [f for f in sorted(folder.rglob("*")) if f.is_file()]
            self.json(
                [
                    {"type": "file", "path": str(f.relative_to(folder)), "size": f.stat().st_size, "oid": tag(f)}
                    for f in files
                ]
            )

    def json(self, document) -> None:
        content = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def file(self, name: str, file: str, body: bool) -> None:
        folder = self.folder(name)
        if folder is None:
            return
        if name in self.server.gated and not self.headers.get("Authorization"):
            return self.refuse(401, "GatedRepo")
        path = folder / file
        if not path.is_file():
            return self.refuse(404, "EntryNotFound")
        content, start = path.read_bytes(), 0
        if body and (asked := self.headers.get("Range")):
            start = int(re.match(r"bytes=(\d+)-", asked)[1])
            self.server.ranges.append((file, asked))
        self.send_response(206 if start else 200)
        self.send_header("ETag", f'"{tag(path)}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Accept-Ranges", "bytes")
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        if not body:
            return
        limit = self.server.breaks.pop(file, None)
        self.wfile.write(content[start:] if limit is None else content[start : start + limit])
        if limit is not None:
            self.wfile.flush()
            self.close_connection = True
            self.connection.shutdown(2)


def tag(file: Path) -> str:
    """What names a file's content."""
    return hashlib.sha1(file.read_bytes()).hexdigest()
