"""Programs that come with a python-fido2 of their distribution read what the key says of itself, and use it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

# Each folder has one version, with everything it needs.
FOLDERS = [Path(folder) for folder in os.environ.get("OLDER_FIDO2", "").split(os.pathsep) if folder]


@pytest.mark.skipif(not FOLDERS, reason="OLDER_FIDO2 names no folders; cargo xtask interop does")
@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
@pytest.mark.parametrize("arguments", [[], ["--post-quantum"]], ids=["usual", "post-quantum"])
def test_an_older_client_uses_the_key(new_key, folder, arguments):
    key = new_key(arguments=arguments)
    program = Path(__file__).parent / "older_client.py"
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    subprocess.run([sys.executable, program, key.address], env=environment, check=True, timeout=60)
