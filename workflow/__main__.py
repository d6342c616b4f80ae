"""Start a module as a command: one in a room of this folder, or in page/ beside the folder.

python -s workflow judge.check --help
"""

import atexit
import importlib
import os
import subprocess
import sys
from pathlib import Path

from train.end_with_run import end_with_run

if len(sys.argv) < 2:
    sys.exit("usage: python -s workflow ROOM.MODULE [OPTION ...], such as judge.check --help")
sys.path.append(str(Path(__file__).resolve().parents[1]))
name = sys.argv[0] = sys.argv.pop(1)
end_with_run()
try:
    importlib.import_module(name).main()
    atexit._run_exitfuncs()
    print(end="", flush=True)
    print(end="", flush=True, file=sys.stderr)
except (OSError, ValueError, subprocess.CalledProcessError) as error:  # the message says which
    sys.exit(f"{name}: {error}")
# Speed: Python would take its modules apart, a fifth of a second with a framework. The system takes
# back the memory of a process at once.
os._exit(0)
