"""Grid Engine with one host on this machine's loopback address, from Debian's packages.

Started and ended as the Slurm cluster of slurm.py is. As root, you can have one until Ctrl-C:
`python tests/cluster/grid_engine.py`.
"""

import os
import socket
import subprocess
from pathlib import Path

from slurm import HANGS, Cluster, install, run_until_interrupted, wait_until

PACKAGES = ("gridengine-master", "gridengine-exec", "gridengine-client")
DAEMONS = ("sge_qmaster", "sge_execd")
CELL = Path("/var/lib/gridengine/default")
SPOOL = Path("/var/spool/gridengine")
SHARED = Path("/usr/share/gridengine")
LIBRARY = Path("/usr/lib/gridengine")
HOSTS = "127.0.0.1 {host} localhost\n"  # its own name first: a host must not be called localhost
BOOTSTRAP = """\
admin_user none
default_domain none
ignore_fqdn true
spooling_method classic
spooling_lib libspoolc
spooling_params {cell}/common;{spool}/qmaster
binary_path /usr/sbin
qmaster_spool_dir {spool}/qmaster
security_mode none
listener_threads 2
worker_threads 2
scheduler_threads 1
"""
# What differs from the defaults: root may submit, and whatever the machine's load, jobs start soon.
GLOBAL = {"min_uid": "0", "min_gid": "0", "load_report_time": "00:00:05", "mailer": "/bin/true"}
SCHEDULER = {"schedule_interval": "0:0:2", "flush_submit_sec": "1", "flush_finish_sec": "1"}
QUEUE = {"qname": "main.q", "hostlist": "{host}", "slots": "4", "pe_list": "smp"}
QUEUE |= {"load_thresholds": "NONE"}


class GridEngine(Cluster):
    """One host with four slots, and its controller; to be used as a context manager."""

    private = (CELL, SPOOL)
    cancel, ask = "qdel", "qstat"

    def _start_all(self):
        """Start everything, and wait until the host takes jobs."""
        self.host = socket.gethostname()
        self._configure()
        self.start("controller")
        wait_until(lambda: succeeds("qconf", "-sh"), "the controller to answer")
        self._add_queue()
        self.start(self.host)
        self.wait_for_nodes()

    def _configure(self):
        """Write the cell that the controller starts with, and the name of its host."""
        hosts = self.folder / "hosts"
        hosts.write_text(HOSTS.format(host=self.host))
        subprocess.run(["mount", "--bind", hosts, "/etc/hosts"], check=True)
        for folder in (CELL / "common", SPOOL / "qmaster/job_scripts", SPOOL / "execd"):
            folder.mkdir(parents=True)
        (CELL / "common/act_qmaster").write_text(f"{self.host}\n")
        (CELL / "common/bootstrap").write_text(BOOTSTRAP.format(cell=CELL, spool=SPOOL))
        settings = changed((SHARED / "default-configuration").read_text(), GLOBAL)
        (self.folder / "global").write_text(settings)
        resources = SHARED / "util/resources"
        folders = f"{CELL}/common;{SPOOL}/qmaster"
        succeed(LIBRARY / "spoolinit", "classic", "libspoolc", folders, "init")
        defaults = LIBRARY / "spooldefaults"
        succeed(defaults, "configuration", self.folder / "global")
        succeed(defaults, "complexes", resources / "centry")
        succeed(defaults, "usersets", resources / "usersets")
        succeed(defaults, "managers", "root")

    def _add_queue(self):
        """Tell the controller of the host, the parallel environment, and the queue."""
        succeed("qconf", "-as", self.host)
        succeed("qconf", "-Ap", SHARED / "util/resources/pe/smp")
        for name, shown, option, settings in (
            ("scheduler", "-ssconf", "-Msconf", SCHEDULER),
            ("queue", "-sq", "-Aq", QUEUE),
        ):
            file = self.folder / name
            file.write_text(changed(succeed("qconf", shown), settings).format(host=self.host))
            succeed("qconf", option, file)

    def start(self, name):
        """Start the controller, or the host."""
        daemon = "sge_qmaster" if name == "controller" else "sge_execd"
        self._start(name, "env", "SGE_ND=1", daemon)  # in the foreground

    def wait_for_nodes(self):
        """Wait until the host takes jobs."""
        succeed("qsub", "-sync", "y", "-b", "y", "-j", "y", "-o", "/dev/null", "true")


def changed(settings, values):
    """Return lines of "name value" with other values for some names."""
    lines = (line.split(maxsplit=1) for line in settings.splitlines() if line.strip())
    return "".join(f"{name} {values.get(name, *value)}\n" for name, *value in lines)


def succeed(*command):
    """Return what a command prints. Raises RuntimeError with it if it fails."""
    environment = os.environ | {"SGE_ROOT": str(CELL.parent)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANGS, env=environment)
    if done.returncode:
        raise RuntimeError(f"{command}: {done.stdout}{done.stderr}")
    return done.stdout


def succeeds(*command):
    """Tell whether a command succeeds."""
    return subprocess.run(command, capture_output=True, timeout=HANGS).returncode == 0


if __name__ == "__main__":
    install(PACKAGES, DAEMONS)
    run_until_interrupted(GridEngine, "qhost", "-q")
