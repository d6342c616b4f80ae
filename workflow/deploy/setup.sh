#!/bin/sh
# Set-up, first step: find a Python that can do the rest (setup.py), or say what to install.
# A shell script, because there is no Python file that every Python can read.
unset PYTHONDONTWRITEBYTECODE PYTHONHOME
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
# Where no folder for caches can be had, uv would end.
cache="${XDG_CACHE_HOME:-${HOME:-/nowhere}/.cache}"
{ mkdir -p "$cache" && [ -w "$cache" ]; } 2>/dev/null ||
    export XDG_CACHE_HOME="${here%/workflow/deploy}/.driver/cache" \
        UV_PYTHON_INSTALL_DIR="${here%/workflow/deploy}/.driver/python"
ask='
import sys
print("%d.%d.%d" % sys.version_info[:3])
if sys.version_info < (3, 11):
    sys.exit(3)
try:
    import ensurepip, venv
except ImportError:
    sys.exit(4)
'
old='' bare=''
for python in "$here/../../.driver/bin/python" \
    python3 python3.14 python3.13 python3.12 python3.11 python; do
    version=$("$python" -c "$ask" 2>/dev/null)
    case $? in
        0) exec "$python" -s "$here/.." deploy.setup "$@" ;;
        3) old=${old:-"$python is $version"} ;;
        4) bare=${bare:-$version} ;;
        # Any other: there is no such command, or one that does not start, such as the shims that
        # pyenv leaves for versions not switched on.
    esac
done

if [ -n "$bare" ]; then
    echo "set-up: Python $bare lacks its venv module; install it (on Debian and Ubuntu:" \
        "apt-get install python${bare%.*}-venv)." >&2
else
    echo "set-up: Python 3.11 or newer is needed, and ${old:-there is no python3 on PATH};" \
        "install one (for instance: apt-get install python3.11 python3.11-venv)." >&2
fi
exit 1
