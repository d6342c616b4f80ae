"""Files that later rules read: written whole or not at all, and named where they are not whole.

Python 3.7, numpy.
"""

import contextlib
import hashlib
import json
import os
import zipfile
import zlib

import numpy

# Holds a file for each file that was written here: its name, size, time and SHA-256.
SUMS = ".snakemake/sums"


@contextlib.contextmanager
def whole_file(path, binary=False):
    """Open a file to write; it has its name only once all of it is on the disk.

    Until then it stands beside, as `.NAME.PROCESS.part`, and it is removed if something fails.
    Where Snakemake works, deploy/whole.py gets to know the file.
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
        note(partial, str(path))
        os.replace(partial, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(partial)
        raise


def note(written, path):
    """Note what stands in the file `written`, which is about to be called `path`."""
    if os.path.isdir(os.path.dirname(SUMS)) and not os.path.isabs(path):
        os.makedirs(SUMS, exist_ok=True)
        name = hashlib.sha256(path.encode()).hexdigest()[:32]
        partial = os.path.join(SUMS, "{}.{}.part".format(name, os.getpid()))
        with open(partial, "w") as stream:
            json.dump([path, *describe(written), hash_file(written)], stream)
        os.replace(partial, os.path.join(SUMS, name + ".json"))


def describe(path):
    """Return [size in bytes, time of change in ns] of a file."""
    status = os.stat(path)
    return [status.st_size, status.st_mtime_ns]


def hash_file(path):
    """Return a file's SHA-256, as hexadecimal digits; the file is never in memory as a whole."""
    sha256 = hashlib.sha256()
    with open(path, "rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            sha256.update(block)
    return sha256.hexdigest()


def bytes_of(arrays):
    """Return the float32 bytes (little-endian, C order) of arrays, in order."""
    return b"".join(numpy.ascontiguousarray(array, dtype="<f4").tobytes() for array in arrays)


def sha256_of(arrays):
    """Return the SHA-256 of the bytes of arrays, as hexadecimal digits."""
    return hashlib.sha256(bytes_of(arrays)).hexdigest()


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
