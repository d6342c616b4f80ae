"""Files that later rules read: written whole or not at all, and named where they are not whole.

Python 3.7, numpy.
"""

import contextlib
import os
import zipfile
import zlib

import numpy


@contextlib.contextmanager
def whole_file(path, binary=False):
    """Open a file to write; it has its name only once all of it is on the disk.

    Until then it stands beside, as `.NAME.PROCESS.part`, and it is removed if something fails.
    """
    folder, name = os.path.split(os.path.abspath(path))
    os.makedirs(folder, exist_ok=True)
    partial = os.path.join(folder, ".{}.{}.part".format(name, os.getpid()))
    text = {} if binary else {"encoding": "utf-8", "newline": ""}
    try:
        with open(partial, "wb" if binary else "w", **text) as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(partial, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(partial)
        raise


@contextlib.contextmanager
def open_arrays(path):
    """Open an NPZ file. Raises ValueError, naming the file, for one that is not whole."""
    try:
        with numpy.load(path) as arrays:
            yield arrays
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, ValueError) as error:
        raise ValueError(
            "{}: no whole chunk ({}); {}".format(path, error, make_again(path))
        ) from None


def make_again(path):
    """Return how to make a file of the workflow again, for the end of a sentence."""
    return "make it again: snakemake --use-conda --cores 2 --forcerun {0} -- {0}".format(path)
