"""A Slurm cluster of two nodes on this machine's loopback address, from Debian's packages.

The tests use it, and so can you, as root: `python tests/cluster/slurm.py` starts one, installs
the packages if they are missing, and stops it when you press Ctrl-C.

No systemd, no cgroups, and no network: the process that starts the cluster moves to namespaces
with nothing but a loopback address and an /etc/slurm of their own, and all that it starts is in
there; nothing else on the machine sees it. Each daemon is the first process of a process namespace,
so that the kernel ends everything a node has started, jobs included, when the daemon is killed; and
each is killed by the kernel when the process that started it ends, however that happens.
"""

import ctypes
import fcntl
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))  # when started by hand

from debian import Unavailable, install_packages
from waiting import HANGS, wait_until

PACKAGES = ("slurmctld", "slurmd", "slurm-client", "munge")
DAEMONS = ("slurmctld", "slurmd", "munged")
CONFIGURATION = Path("/etc/slurm/slurm.conf")  # inside a job nothing else is looked at
CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000  # mounts, network; linux/sched.h
SIOCSIFADDR, SIOCSIFFLAGS, IFF_UP = 0x8916, 0x8914, 1  # linux/sockios.h, linux/if.h
LIBC = ctypes.CDLL(None, use_errno=True)
OWN_NAMESPACE = ("unshare", "--pid", "--fork", "--kill-child=KILL", "--mount-proc")
DIES_WITH_PARENT = ("setpriv", "--pdeathsig", "KILL")
NODES = ("n1", "n2")
TEMPLATE = """\
ClusterName=loopback
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SlurmdParameters=config_overrides
MpiDefault=none
SwitchType=switch/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1,sched_min_interval=0
MinJobAge=3600
KillWait=2
MessageTimeout=5
SlurmdTimeout=10
ReturnToService=2
{nodes}
PartitionName=main Nodes=n[1-2] Default=YES MaxTime=UNLIMITED State=UP
"""


def install(packages=PACKAGES, programs=DAEMONS):
    """Install the packages if their programs are missing. Raises Unavailable."""
    if os.geteuid() != 0:
        raise Unavailable("only root can start a cluster on one machine")
    if subprocess.run(
        ["unshare", "--net", "--mount", *OWN_NAMESPACE, "true"], capture_output=True
    ).returncode:
        raise Unavailable("namespaces are not allowed here (unshare --net --mount --pid)")
    if all(map(shutil.which, programs)):
        return
    install_packages(*packages)


class Cluster:
    """Two nodes with eight cores each, a controller, and munge; to be used as a context manager.

    The machine may have fewer cores: most of the jobs only wait.
    """

    private = (CONFIGURATION.parent,)  # the folders of which it has its own, empty at first
    cancel, ask = "scancel", "squeue"  # the queue's commands

    def __init__(self):
        """Nothing is started yet."""
        self.folder = Path(tempfile.mkdtemp(prefix="cluster-"))
        self._daemons = {}
        self._outside = None

    def __enter__(self):
        """Start everything, and wait until it takes jobs."""
        try:
            self._outside = move_inside(self.private)
            self._start_all()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_exception):
        """Kill everything that was started, by process id, and move back outside."""
        for name in reversed(list(self._daemons)):
            self.kill(name)
        if self._outside is not None:
            move_back(*self._outside)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start_all(self):
        """Start everything, and wait until both nodes are idle."""
        self._configure()
        (self.folder / "munge.key").write_bytes(os.urandom(128))
        (self.folder / "munge.key").chmod(0o400)
        self._start_munge()
        self.start("controller")
        for node in NODES:
            self.start(node)
        self.wait_for_nodes()

    def _configure(self):
        """Write slurm.conf."""
        host = socket.gethostname().split(".")[0]
        nodes = "\n".join(
            f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=8"
            " RealMemory=16000 State=UNKNOWN"
            for port, node in enumerate(NODES, start=7001)
        )
        CONFIGURATION.write_text(TEMPLATE.format(nodes=nodes, host=host, folder=self.folder))
        for name in ("state", *(f"spool-{node}" for node in NODES)):
            (self.folder / name).mkdir()

    def _start_munge(self):
        """Start a munge of our own: its socket and key are in the cluster's folder."""
        files = {"socket": "socket", "key-file": "key", "pid-file": "pid", "log-file": "log"}
        options = [f"--{option}={self.folder}/munge.{end}" for option, end in files.items()]
        options.append(f"--seed-file={self.folder}/munge.seed")
        self._start("munge", "munged", "--foreground", "--force", *options)
        wait_until((self.folder / "munge.socket").exists, "munge to start")

    def start(self, name):
        """Start the controller or a node."""
        if name == "controller":
            self._start(name, "slurmctld", "-D")
        else:
            self._start(name, "slurmd", "-D", "-N", name)

    def _start(self, name, *command):
        with (self.folder / f"{name}.out").open("ab") as output:
            self._daemons[name] = subprocess.Popen(
                [*DIES_WITH_PARENT, *OWN_NAMESPACE, *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def kill(self, name, how=signal.SIGKILL):
        """Kill the controller or a node, with everything that runs on it."""
        process = self._daemons.pop(name, None)
        if process and process.poll() is None:
            os.kill(first_child(process), how)
            process.wait()

    def wait_for_nodes(self):
        """Wait until both nodes take jobs."""
        expected = sorted(NODES)
        command = ["sinfo", "--noheader", "--Node", "--states=idle,mixed,allocated"]
        wait_until(
            lambda: sorted(set(run(*command, "--format=%N").split())) == expected,
            "both nodes to take jobs",
        )


def first_child(process):
    """Return the id of what runs in a process namespace, or of the process if that has ended."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    return int((children.split() or [process.pid])[0])


def run(*command):
    """Return what a command prints, nothing if it fails."""
    return subprocess.run(command, capture_output=True, text=True, timeout=HANGS).stdout


def move_inside(private):
    """Move this thread, and what it will start, to an empty network and private, empty folders.

    Returns what `move_back` takes.
    """
    outside = [os.open(f"/proc/thread-self/ns/{kind}", os.O_RDONLY) for kind in ("net", "mnt")]
    check(LIBC.unshare(CLONE_NEWNET | CLONE_NEWNS))
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    for folder in private:
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], check=True)
    # A second loopback address: with 127.0.0.1 alone, getaddrinfo finds that there is no IPv4.
    address = struct.pack("16sHH4s8x", b"lo:2", socket.AF_INET, 0, socket.inet_aton("127.0.0.2"))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", IFF_UP))
        fcntl.ioctl(control, SIOCSIFADDR, address)
    return Path.cwd(), outside


def move_back(folder, outside):
    """Move this thread back to where `move_inside` found it."""
    for namespace in outside:
        check(LIBC.setns(namespace, 0))
        os.close(namespace)
    os.chdir(folder)


def check(result):
    """Raise OSError if a function of the C library has failed."""
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def run_until_interrupted(kind, *show):
    """Run a cluster until Ctrl-C; first show what a command says of it."""
    with kind() as cluster:
        print(run(*show), f"Logs: {cluster.folder}. Ctrl-C stops it.", sep="\n", flush=True)
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            signal.pause()
        except KeyboardInterrupt:
            print("Stopped")


if __name__ == "__main__":
    install()
    run_until_interrupted(Cluster, "sinfo")
