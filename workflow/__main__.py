"""Start a module as a command, with this folder as the only root of imports of ours.

python -s workflow judge.check --help
"""

import runpy
import sys

if len(sys.argv) < 2:
    sys.exit("usage: python -s workflow ROOM.MODULE [OPTION ...], such as judge.check --help")
sys.argv.pop(0)
module = sys.argv[0]
try:
    runpy.run_module(module, run_name="__main__", alter_sys=True)
except (OSError, ValueError) as error:  # a file or a value; the message says which
    sys.exit(f"{module}: {error}")
