"""A finished dataset to the Hugging Face Hub: its Parquet export, card and Croissant file, in one commit.

The client is huggingface_hub's `HfApi`; token and endpoint are as it finds them (`hf auth login`, HF_TOKEN,
HF_ENDPOINT). Nothing is sent before the export has been counted; a dry run says what would go.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zero_engine.errors import InputError, OutputError
from zero_engine.write.export import export_dataset
from zero_engine.write.place import takes_store

if TYPE_CHECKING:
    from huggingface_hub import HfApi

KEPT_HERE = ("export.json", "left_out.jsonl")
"""Files of an export that are no part of the dataset."""


@dataclass(frozen=True, slots=True)
class Push:
    """What goes, and where it went."""

    repo: str
    private: bool
    files: dict[str, int]
    """Name -> bytes."""
    rows: int
    url: str | None = None
    """The commit; None where nothing was sent."""

    def as_dict(self) -> dict[str, Any]:
        size = sum(self.files.values())
        return {"repo": self.repo, "private": self.private, "rows": self.rows, "bytes": size, "files": self.files,
                "url": self.url}  # fmt: skip


@takes_store()
def push_dataset(
    out: str | Path,
    repo: str,
    *,
    private: bool = False,
    dry_run: bool = False,
    api: "HfApi | None" = None,
    say: Callable[[str], None] = lambda text: None,
) -> Push:
    """Export to Parquet, make the repository if it is not there, and commit; with `dry_run` only say what would go.

    Raises InputError for a name that is no `owner/name`, OutputError where the dataset is not finished or the hub
    refuses.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(repo)
    except HFValidationError:
        raise InputError(
            f"{repo}: no name of a repository. Give owner/name: letters, digits, - _ and dots."
        ) from None
    if repo.count("/") != 1:
        raise InputError(f"{repo}: has no owner. Give owner/name.")
    with tempfile.TemporaryDirectory(prefix="zero-engine-push-", dir=Path(out).resolve().parent) as folder:
        staged = Path(folder) / "parquet"
        facts = export_dataset(out, "parquet", staged, say=say)
        for name in KEPT_HERE:
            (staged / name).unlink(missing_ok=True)
        paths = sorted(path for path in staged.rglob("*") if path.is_file())
        files = {path.relative_to(staged).as_posix(): path.stat().st_size for path in paths}
        if dry_run:
            return Push(repo, private, files, facts["rows"])
        client = api or HfApi()
        try:
            client.create_repo(repo, repo_type="dataset", private=private, exist_ok=True)
            done = client.upload_folder(
                repo_id=repo,
                repo_type="dataset",
                folder_path=str(staged),
                commit_message=f"{facts['rows']} rows",
                delete_patterns=["data/*", "candidates/*"],
            )
        except (
            Exception
        ) as error:  # the client has its own errors, and those of the library it speaks through
            reason = " ".join(str(error).split())[:200]
            raise OutputError(
                f"{repo}: the hub refused, or cannot be reached ({type(error).__name__}: {reason}). "
                "Log in with `hf auth login`, or see to the network."
            ) from error
        return Push(repo, private, files, facts["rows"], str(done))
