"""The README's example runs as printed."""

import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def test_the_example_runs():
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert blocks
    assert len(blocks[0].strip().splitlines()) <= 20
    for block in blocks:
        ran = subprocess.run([sys.executable, "-W", "error", "-c", block], capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr
        assert "Hello, Bob" in ran.stdout
