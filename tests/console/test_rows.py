"""Rows are made without a screen."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("subject", ["agents", "alerts", "overview", "routing"])
def test_rows_need_no_textual(subject: str) -> None:
    code = (
        f"import sys, fleet_tui.console.views.{subject}.rows; "
        "print({'textual', 'rich'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
