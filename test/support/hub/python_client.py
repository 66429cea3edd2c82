"""Drives a Hub (HF_ENDPOINT) with Python's official client and prints what it saw as one JSON object."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

from huggingface_hub import HfApi, ModelCard, hf_hub_download, snapshot_download
from huggingface_hub.errors import HfHubHTTPError


def failure(work: Callable[[], object]) -> str:
    """Class and status of the client's own exception."""
    try:
        work()
    except HfHubHTTPError as error:
        return f"{type(error).__name__} {error.response.status_code}"
    return "none"


def bad_card(api: HfApi) -> str:
    """What comes of a card that the Hub refuses."""
    try:
        api.upload_file(repo_id="ann/tiny", path_in_repo="README.md", path_or_fileobj=b"---\nlicense: my own\n---\n")
    except ValueError as error:
        return type(error).__name__
    return "none"


def main(folder: Path, cache: Path) -> None:
    """All of it, in the order in which a user would."""
    api = HfApi(token="hf_ann")
    seen: dict[str, object] = {}
    seen["me"] = api.whoami()["name"]
    seen["url"] = str(api.create_repo("ann/tiny", private=True))
    seen["again"] = failure(lambda: api.create_repo("ann/tiny", private=True))
    api.create_repo("ann/tiny", private=True, exist_ok=True)
    commit = api.upload_folder(repo_id="ann/tiny", folder_path=folder, commit_message="all of it")
    info = api.repo_info("ann/tiny")
    seen["private"] = info.private
    seen["head"] = info.sha == commit.oid
    seen["files"] = sorted(api.list_repo_files("ann/tiny"))
    seen["tree"] = sorted(
        (entry.path, entry.size, entry.lfs is not None)
        for entry in api.list_repo_tree("ann/tiny", recursive=True)
        if hasattr(entry, "size")
    )
    one = hf_hub_download("ann/tiny", "sub/big.gguf", token="hf_ann", cache_dir=cache)
    seen["same"] = Path(one).read_bytes() == (folder / "sub/big.gguf").read_bytes()
    api.upload_file(repo_id="ann/tiny", path_in_repo="later.txt", path_or_fileobj=b"later")
    snapshot = Path(snapshot_download("ann/tiny", revision=commit.oid, token="hf_ann", cache_dir=cache))
    seen["snapshot"] = sorted(file.relative_to(snapshot).as_posix() for file in snapshot.rglob("*") if file.is_file())
    seen["folder"] = snapshot.name == commit.oid
    api.create_branch("ann/tiny", branch="trial", revision=commit.oid)
    api.create_tag("ann/tiny", tag="v1", revision=commit.oid)
    refs = api.list_repo_refs("ann/tiny")
    seen["refs"] = sorted(ref.name for ref in [*refs.branches, *refs.tags])
    seen["titles"] = [entry.title for entry in api.list_repo_commits("ann/tiny")]
    api.delete_file("later.txt", "ann/tiny")
    seen["deleted"] = api.file_exists("ann/tiny", "later.txt")
    seen["card"] = ModelCard.load("ann/tiny", token="hf_ann").data.to_dict()
    seen["badCard"] = bad_card(api)
    seen["moved"] = failure(lambda: api.upload_file(repo_id="ann/tiny", path_in_repo="x", path_or_fileobj=b"x", parent_commit=commit.oid))
    seen["wrongToken"] = failure(lambda: HfApi(token="hf_nobody").repo_info("ann/tiny"))
    seen["reader"] = failure(lambda: HfApi(token="hf_reader").create_repo("ben/tiny"))
    seen["hidden"] = failure(lambda: HfApi(token="hf_reader").repo_info("ann/tiny"))
    seen["missing"] = failure(lambda: api.repo_info("ann/none"))
    seen["noRevision"] = failure(lambda: api.repo_info("ann/tiny", revision="none"))
    seen["noFile"] = failure(lambda: hf_hub_download("ann/tiny", "none", token="hf_ann", cache_dir=cache))
    seen["gated"] = failure(lambda: hf_hub_download("meta/gated", "config.json", token="hf_ann", cache_dir=cache))
    seen["gatedNoToken"] = failure(lambda: hf_hub_download("meta/gated", "config.json", token=False, cache_dir=cache))
    api.delete_repo("ann/tiny")
    seen["gone"] = api.repo_exists("ann/tiny")
    print(json.dumps(seen))


main(Path(sys.argv[1]), Path(sys.argv[2]))
