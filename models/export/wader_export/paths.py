"""Where things lie: the repository's folders, and the cache for everything that is not committed."""

import os
from pathlib import Path

EXPORT_DIR = Path(__file__).resolve().parents[1]
MODELS_DIR = EXPORT_DIR.parent
REPOSITORY = MODELS_DIR.parent
MODEL_DIR = MODELS_DIR / "wader-small"


def cache_dir(*parts: str) -> Path:
    """The cache folder (``WADER_CACHE``, else ``$XDG_CACHE_HOME/wader``, else ``~/.cache/wader``)."""
    root = os.environ.get("WADER_CACHE")
    if root is None:
        root = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "wader"
    path = Path(root).joinpath(*parts)
    path.mkdir(parents=True, exist_ok=True)
    return path
