#!/bin/sh
# Set-up, first step: find a Python that can do the rest (setup.py), or say what to install.
# A shell script, because no file of Python is read by every Python.
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)

old= bare=
for python in "$here/../../.driver/bin/python" \
    python3 python3.14 python3.13 python3.12 python3.11 python; do
    # A name may be there and not start: pyenv leaves such shims for versions not switched on.
    version=$("$python" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null) ||
        continue
    if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
        old=${old:-"$python is $version"}
    elif ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        bare=${bare:-$version}
    else
        exec "$python" -s "$here/setup.py" "$@"
    fi
done

if [ -n "$bare" ]; then
    short=${bare%.*}
    echo "set-up: Python $bare lacks its venv module; install it (on Debian and Ubuntu:" \
        "apt-get install python$short-venv)." >&2
else
    echo "set-up: Python 3.11 or newer is needed and ${old:-there is no python3 on PATH};" \
        "install one (for instance: apt-get install python3.11 python3.11-venv)." >&2
fi
exit 1
