"""A base that cannot be fetched: why, and what to do, with a Hub that answers as the real one does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from conftest import PACKAGE, JobMaker

pytest.importorskip("huggingface_hub", reason="fetching needs requirements-cpu.txt")

TOKEN = "hf_planted0123456789planted"

_FETCH = """
import sys
from osler_trainer.base_model import find_base
from osler_trainer.errors import TrainerError
from osler_trainer.job import read_job
from pathlib import Path
try:
    find_base(read_job(Path(sys.argv[1])), with_weights=False)
except TrainerError as error:
    print(error.reason, error.exit_code, error.message, error.next_step, sep="\\n")
"""


@contextmanager
def hub(status: int, code: str | None) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"error": f"asked with {self.headers.get('Authorization')}"}).encode()
            self.send_response(status)
            if code is not None:
                self.send_header("X-Error-Code", code)
            self.send_header("X-Error-Message", f"asked with {self.headers.get('Authorization')}")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815 - the name that http.server calls

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()


def fetch(job: Path, cache: Path, endpoint: str, token: str | None, **environment: str) -> tuple[list[str], str]:
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
    variables |= {"HF_HOME": str(cache), "HF_ENDPOINT": endpoint, "PYTHONPATH": str(PACKAGE.parent)} | environment
    if token is not None:
        variables["HF_TOKEN"] = token
    result = subprocess.run(
        [sys.executable, "-c", _FETCH, str(job)], capture_output=True, text=True, check=True, timeout=120, env=variables
    )
    return result.stdout.splitlines(), result.stdout + result.stderr


@pytest.mark.parametrize(
    ("status", "code", "token", "said", "advised"),
    [
        (401, None, None, "no repository of the Hub, or a private one: there is no token", "set HF_TOKEN"),
        (401, None, TOKEN, "refused the token", "make a new read token"),
        (401, "RepoNotFound", None, "no repository of the Hub, or a private one", "check the name"),
        (
            403,
            "GatedRepo",
            TOKEN,
            "is gated: the Hub does not give it to this account",
            "accept its conditions at https://huggingface.co/a/b",
        ),
        (401, "GatedRepo", None, "is gated: the Hub does not give it to a request without a token", "HF_TOKEN"),
        (404, "RepoNotFound", TOKEN, "no repository of the Hub", "check the name"),
        (404, "RevisionNotFound", TOKEN, 'has no revision "abc"', "base.revision"),
        (503, None, TOKEN, "status 503", "try again later"),
    ],
)
def test_each_refusal_of_the_hub_says_what_to_do(
    make_job: JobMaker, tmp_path: Path, status: int, code: str | None, token: str | None, said: str, advised: str
) -> None:
    job = make_job(basePath="a/b", base={"revision": "abc"})
    with hub(status, code) as endpoint:
        told, everything = fetch(job, tmp_path / "cache", endpoint, token)
    assert told[:2] == ["prerequisite", "3"]
    assert said in told[2]
    assert '"a/b"' in told[2]
    assert advised in told[3]
    assert TOKEN not in everything


def test_without_a_network_it_says_so(make_job: JobMaker, tmp_path: Path) -> None:
    job = make_job(basePath="a/b")
    for environment in ({}, {"HF_HUB_OFFLINE": "1"}):
        told, _ = fetch(job, tmp_path / "cache", "http://127.0.0.1:9", TOKEN, **environment)
        assert told[:2] == ["prerequisite", "3"]
        assert "the Hub cannot be reached" in told[2]
        assert "point basePath at a local folder" in told[3]
