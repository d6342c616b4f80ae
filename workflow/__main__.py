"""Start a module as a command, with this folder as the only root of imports of ours.

python -s workflow judge.check --help
"""

import importlib
import subprocess
import sys

from train.end_with_run import end_with_run

if len(sys.argv) < 2:
    sys.exit("usage: python -s workflow ROOM.MODULE [OPTION ...], such as judge.check --help")
name = sys.argv[0] = sys.argv.pop(1)
end_with_run()
try:
    importlib.import_module(name).main()
except (OSError, ValueError, subprocess.CalledProcessError) as error:  # the message says which
    sys.exit(f"{name}: {error}")
