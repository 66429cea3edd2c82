"""Nothing heavy is imported before it is needed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import JobMaker

_CHECK = """
import sys
{body}
heavy = sorted({{"torch", "transformers", "unsloth", "trl", "peft", "datasets", "numpy"}} & set(sys.modules))
sys.exit(f"imported: {{heavy}}" if heavy else 0)
"""


def run(body: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", _CHECK.format(body=body)], capture_output=True, text=True, check=False, timeout=60)


def test_importing_the_package_and_its_command_line_is_light() -> None:
    result = run("import osler_trainer, osler_trainer.cli, osler_trainer.train, osler_trainer.backends.unsloth")
    assert result.returncode == 0, result.stderr


def test_help_is_light() -> None:
    result = run("from osler_trainer.cli import main\ntry:\n    main(['--help'])\nexcept SystemExit:\n    pass")
    assert result.returncode == 0, result.stderr
    assert "import-gguf" in result.stdout


def test_a_dry_run_is_light(make_job: JobMaker) -> None:
    job: Path = make_job(dryRun=True, trainer={"maxSteps": 2})
    result = run(f"from osler_trainer.cli import main\nassert main(['train', {str(job)!r}]) == 0")
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("arguments", [[], ["train"], ["nonsense"]])
def test_wrong_usage_exits_with_2(arguments: list[str]) -> None:
    result = subprocess.run([sys.executable, "-m", "osler_trainer", *arguments], capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode == 2
    assert result.stdout == ""
