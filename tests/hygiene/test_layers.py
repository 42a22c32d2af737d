"""The folders are the pipeline: imports run one way. The contracts are in pyproject.toml."""

import subprocess
import sys

from tests.support.surroundings import CHECKOUT

CHECK = (
    "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
)


def test_imports_run_one_way() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CHECK], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout
