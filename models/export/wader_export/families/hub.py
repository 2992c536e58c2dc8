"""Checkpoints by name from a hub: resumed where a download broke off, pinned to the commit that the name meant.

`huggingface_hub` does the work: `HF_ENDPOINT` names another hub, `HF_TOKEN` lets in to what is gated, `HF_HOME` holds
the files. The name is resolved to a commit first and everything is fetched from that commit, so that no file can be of
another version than the rest. A file comes when it is first read: a checkpoint that is refused for its configuration
costs a few kB.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path

from .checkpoint import CheckpointError
from .sources import WEIGHTS, Place

NEW_WEIGHTS = ["*.safetensors", "*.safetensors.index.json"]
OLD_WEIGHTS = ["*.bin", "*.bin.index.json", "*.pt"]
FIRST = ["config.json", "README.md"]  # what tells the family and the licence
ATTEMPTS = 5


def fetch(name: str, revision: str | None = None) -> Place:
    """A folder, or a hub name, of whose files the first few are fetched and the others come when they are read."""
    if Path(name).is_dir():
        return Place(Path(name), name)
    if name.count("/") != 1 or name.startswith((".", "/", "~")):
        raise CheckpointError(f"`{name}` is neither a folder nor a name such as `owner/model`")
    from huggingface_hub import HfApi, snapshot_download

    with _told(name):
        found = _patiently(lambda: HfApi().model_info(name, revision=revision))
    offered = frozenset(one.rfilename for one in found.siblings or [])
    weights = NEW_WEIGHTS if any(file.endswith(".safetensors") for file in offered) else OLD_WEIGHTS

    def load(patterns: list[str]) -> str:
        """The files that fit; weights are safetensors where there are any."""
        wanted = [pattern for one in patterns for pattern in (weights if one == WEIGHTS else [one])]
        files = sorted(file for file in offered if any(fnmatch(file, pattern) for pattern in wanted))
        with _told(name):
            return _patiently(lambda: snapshot_download(name, revision=found.sha, allow_patterns=files))

    return Place(Path(load(FIRST)), name, found.sha, offered=offered, load=load)


@contextmanager
def _told(name: str) -> Iterator[None]:
    """What a hub refuses, with its remedy."""
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError

    try:
        yield
    except GatedRepoError as error:
        raise CheckpointError(f"{name} is gated: accept its terms on its page and set HF_TOKEN ({error})") from error
    except RepositoryNotFoundError as error:
        raise CheckpointError(f"the hub has no model `{name}`, or HF_TOKEN does not open it ({error})") from error
    except HfHubHTTPError as error:
        raise CheckpointError(f"{name} cannot be fetched ({error}); start again, it goes on there") from error


def _patiently(download: Callable):
    """Tries again after a broken connection; each try goes on where the last stopped. A refusal is no such thing."""
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError

    for left in reversed(range(ATTEMPTS)):
        try:
            return download()
        except (httpx2.TransportError, OSError) as error:
            if isinstance(error, HfHubHTTPError) and error.response.status_code < 500:
                raise
            if not left:
                raise CheckpointError(f"the connection broke {ATTEMPTS} times ({error}); start again later") from error
            print(f"the connection broke ({error}); going on")
    return None
