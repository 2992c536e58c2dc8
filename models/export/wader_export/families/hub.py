"""Checkpoints by name from a hub: resumed where a download broke off, pinned to the commit that the name meant.

`huggingface_hub` does the work: `HF_ENDPOINT` names another hub, `HF_TOKEN` lets in to what is gated, `HF_HOME` holds
the files. The name is resolved to a commit first and everything is fetched from that commit, so that no file can be of
another version than the rest.
"""

from pathlib import Path

from .checkpoint import CheckpointError
from .sources import Place

WEIGHTS = ["*.safetensors", "*.safetensors.index.json"]
OLD_WEIGHTS = ["*.bin", "*.bin.index.json", "*.pt"]
ATTEMPTS = 5


def fetch(name: str, patterns: list[str], revision: str | None = None, licence: str | None = None) -> Place:
    """A folder, or the files of a hub name that fit the patterns; weights are safetensors where there are any."""
    if Path(name).is_dir():
        return Place(Path(name), name, None, licence)
    if name.count("/") != 1 or name.startswith((".", "/", "~")):
        raise CheckpointError(f"`{name}` is neither a folder nor a name such as `owner/model`")
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError

    try:
        found = HfApi().model_info(name, revision=revision)
        files = [one.rfilename for one in found.siblings or []]
        weights = WEIGHTS if any(file.endswith(".safetensors") for file in files) else OLD_WEIGHTS
        wanted = [p for part in patterns for p in (weights if part == "weights" else [part])]
        folder = _patiently(lambda: snapshot_download(name, revision=found.sha, allow_patterns=wanted))
    except GatedRepoError as error:
        raise CheckpointError(f"{name} is gated: accept its terms on its page and set HF_TOKEN ({error})") from error
    except RepositoryNotFoundError as error:
        raise CheckpointError(f"the hub has no model `{name}`, or HF_TOKEN does not open it ({error})") from error
    except HfHubHTTPError as error:
        raise CheckpointError(f"{name} cannot be fetched ({error}); start again, it goes on there") from error
    return Place(Path(folder), name, found.sha, licence)


def _patiently(download):
    """Tries again after a broken connection; each try goes on where the last stopped."""
    import httpx2

    for left in reversed(range(ATTEMPTS)):
        try:
            return download()
        except (httpx2.TransportError, OSError) as error:
            if not left:
                raise CheckpointError(f"the connection broke {ATTEMPTS} times ({error}); start again later") from error
            print(f"the connection broke ({error}); going on")
    return None
