"""Where the time of the engine goes: matrix products, other kernels, executor, Python.

    . .driver/bin/activate && python benchmarks/profile_engine.py [FOLDER ...]

Trains 2,000 seeds of the question's protocol with BN, warm, on one core, and samples the process
with Linux' perf. A FOLDER has another state of the repository (git worktree add), to compare with.
"""

import os
import re
import subprocess
import sys
import tempfile

from study_engine import ROOT, SEEDS, pythons

STEPS, TRAININGS = 60, 4
# Which of the functions that perf names count for what, by (library, name), the first that fits.
PARTS = {
    "matrix products": r"\[JIT\]|gemm|gebp|Contraction|mkldnn|MatMul",
    "Python": r"libpython|\.cpython-|_multiarray_umath|mtrand",
    "other kernels": r"Eigen|functor|HandleCopies|mem(cpy|move|set)",
    "executor, memory": r"",
}
INSIDE = """
import sys, time
sys.path[:0] = [sys.argv[1] + "/workflow", sys.argv[1]]
from page import engine

def train():
    engine.train_seeds(engine.TrainSettings(variant="bn"), range(int(sys.argv[2])))

train()
print("warm", flush=True)
input()
begin = time.process_time()
for _ in range(int(sys.argv[3])):
    train()
print(time.process_time() - begin, flush=True)
"""


def profile(python, folder):
    """Return (microseconds of CPU per network and step, {part: its share in percent})."""
    command = ["perf", "record", "--quiet", "--event", "cpu-clock", "--freq", "1000"]
    with tempfile.TemporaryDirectory() as place:
        arguments = [python, "-s", "-c", INSIDE, folder, SEEDS, TRAININGS]
        engine = subprocess.Popen(
            list(map(str, arguments)),
            **dict.fromkeys(("stdin", "stdout"), subprocess.PIPE),
            stderr=subprocess.DEVNULL,
            text=True,
        )
        engine.stdout.readline()
        control, answers = os.pipe(), os.pipe()
        command += ["--delay=-1", f"--control=fd:{control[0]},{answers[1]}"]
        command += ["--output", f"{place}/samples", "--pid", str(engine.pid)]
        sampler = subprocess.Popen(command, pass_fds=(control[0], answers[1]))
        os.write(control[1], b"enable\n")
        os.read(answers[0], 5)  # perf has begun
        print("", file=engine.stdin, flush=True)
        seconds = float(engine.stdout.readline())
        engine.communicate()
        sampler.wait()
        report = ["perf", "report", "--input", f"{place}/samples", "--stdio", "--quiet"]
        report += ["--sort", "dso,symbol", "--field-separator", "|"]
        listed = subprocess.run(report, stdout=subprocess.PIPE, text=True, check=True).stdout
    shares = dict.fromkeys(PARTS, 0.0)
    for line in filter(None, listed.splitlines()):
        share, name = line.split("|", 1)
        part = next(part for part, pattern in PARTS.items() if re.search(pattern, name))
        shares[part] += float(share.strip(" %"))
    return 1e6 * seconds / (TRAININGS * SEEDS * STEPS), shares


def main():
    """Print a line for each release and folder."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    print(f"load before: {os.getloadavg()[0]:.2f}; microseconds of CPU per network and step")
    for python in pythons():
        for folder in [*sys.argv[1:], ROOT]:
            spent, shares = profile(python, folder)
            parts = (f"{part} {spent * share / 100:.1f}" for part, share in shares.items())
            release = next(
                python.parents[1].glob("lib/*/site-packages/tensorflow-*.dist-info")
            ).stem
            print(f"{release}, {folder}: {spent:.1f}: {', '.join(parts)}")


if __name__ == "__main__":
    main()
