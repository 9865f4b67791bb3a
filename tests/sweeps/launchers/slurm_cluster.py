"""Slurm: a cluster of one node on the loopback, from Debian's slurm-wlm and munge, started here by the superuser."""

import contextlib
import os
import shutil
import socket
import subprocess
import time

DAEMONS = ("munged", "slurmctld", "slurmd")
SBIN = {"PATH": f"{os.environ['PATH']}:/usr/sbin"}
CONF = """\
ClusterName=kancli
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort=16817
SlurmdPort=16818
AuthType=auth/munge
AuthInfo=socket={top}/socket
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
StateSaveLocation={top}/state
SlurmdSpoolDir={top}/spool
SlurmctldPidFile={top}/slurmctld.pid
SlurmdPidFile={top}/slurmd.pid
SlurmctldLogFile={top}/slurmctld.log
SlurmdLogFile={top}/slurmd.log
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=2000
PartitionName=debug Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def absent():
    """What the cluster lacks on this machine, in words; None if it can be started."""
    if missing := [each for each in DAEMONS if shutil.which(each, path=SBIN["PATH"]) is None]:
        return f"{', '.join(missing)} not installed: apt-get install slurm-wlm munge"
    return None if os.geteuid() == 0 else "Slurm's daemons are started by the superuser"


@contextlib.contextmanager
def slurm_cluster(top):
    """Context manager: the environment in which Slurm's commands find the cluster, whose files are in a folder."""
    for name in ("state", "spool"):
        (top / name).mkdir(parents=True)
    top.chmod(0o755)
    (top / "key").write_bytes(os.urandom(1024))
    (top / "key").chmod(0o400)
    (top / "slurm.conf").write_text(CONF.format(host=socket.gethostname().split(".")[0], top=top))
    env = {**os.environ, **SBIN, "SLURM_CONF": str(top / "slurm.conf")}
    files = {"key-file": "key", "socket": "socket", "pid-file": "munged.pid", "log-file": "log", "seed-file": "seed"}
    munge = ["munged", "--force", *(f"--{option}={top / name}" for option, name in files.items())]
    try:
        for command in (munge, ["slurmctld"], ["slurmd"]):
            subprocess.run(command, env=env, check=True, capture_output=True)
        limit = time.monotonic() + 600
        while "idle" not in (told := sinfo(env)) and time.monotonic() < limit:
            time.sleep(0.5)
        assert "idle" in told
        yield env
    finally:
        for name in reversed(DAEMONS):
            pid = top / f"{name}.pid"
            if pid.exists():
                os.kill(int(pid.read_text()), 15)


def sinfo(env):
    return subprocess.run(["sinfo", "--noheader"], env=env, capture_output=True, text=True, check=False).stdout
