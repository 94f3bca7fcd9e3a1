"""A Debian machine: a container with a systemd of its own as PID 1. Its root is a throw-away layer over a cached one."""
import os
import shlex
import shutil
import signal
import subprocess

from harness.processes import end, run, spawn
from harness.waiting import until

HERE = os.path.dirname(os.path.abspath(__file__))
REBOOTED = 133  # how systemd-nspawn says that it wants to be started again
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


class Unavailable(Exception):
    """Such a machine cannot be had here."""


def rootfs(suite, kind):
    made = subprocess.run([os.path.join(HERE, "rootfs.sh"), suite, kind], capture_output=True, text=True)
    if made.returncode == 77:
        raise Unavailable(made.stderr.strip())
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


class Root:
    """A folder that looks like the cached root and can be written without changing it."""

    def __init__(self, folder, lower):
        self.folder = folder
        self.path = os.path.join(folder, "root")
        upper, work = (os.path.join(folder, name) for name in ("upper", "work"))
        for place in (self.path, upper, work):
            os.makedirs(place)
        mounted = run(["mount", "-t", "overlay", "pgusher-test", "-o", f"lowerdir={lower},upperdir={upper},workdir={work}", self.path])
        if mounted.returncode:
            raise Unavailable("no overlay can be mounted: " + mounted.stderr.decode().strip())

    def write(self, path, text, mode=0o644):
        path = self.path + path
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)
        os.chmod(path, mode)

    def copy(self, source, path):
        shutil.copy(source, self.path + path)

    def exists(self, path):
        return os.path.lexists(self.path + path)

    def remove(self):
        assert run(["umount", self.path]).returncode == 0, f"{self.path} is in use still"
        shutil.rmtree(self.folder)


class Result:
    def __init__(self, command, done):
        self.command, self.code = command, done.returncode
        self.out = (done.stdout + done.stderr).decode()

    def must(self, code=0):
        assert self.code == code, f"$ {self.command}\n{self.out}\nexit {self.code}, not {code}"
        return self.out.strip()


class Machine:
    def __init__(self, root, log):
        self.root = root
        self.log = log
        self.nspawn = None

    # life

    def boot(self):
        with open(self.log, "wb") as log:
            self.nspawn = spawn(["systemd-nspawn", "-q", "-D", self.root.path, "-M", f"test-{os.getpid()}", "--boot", "--register=no",
                                 "--keep-unit", "--private-network", "--console=pipe"], log, on_death=signal.SIGTERM)
        self.until_up()

    def until_up(self):
        until(self._is_up, 60, lambda: f"the machine is up:\n{self.console()}")

    def _is_up(self):
        assert self.nspawn.poll() is None, self.console()
        return self.leader() and self.run("systemctl is-system-running").out.strip() in ("running", "degraded")

    def console(self):
        with open(self.log, errors="replace") as log:
            return log.read()[-3000:]

    def leader(self):
        """PID 1 of the machine, as it is numbered here; None when there is none."""
        with open(f"/proc/{self.nspawn.pid}/task/{self.nspawn.pid}/children") as file:
            return next((int(word) for word in file.read().split()), None)

    def reboot(self):
        os.kill(self.leader(), signal.SIGRTMIN + 5)
        assert self.nspawn.wait(60) == REBOOTED, self.console()
        self.boot()

    def off(self):
        if not self.nspawn or self.nspawn.poll() is not None:
            return
        leader = self.leader()
        if leader:
            os.kill(leader, signal.SIGRTMIN + 4)
        try:
            self.nspawn.wait(20)
        except subprocess.TimeoutExpired:
            end(self.nspawn, signal.SIGKILL)

    # commands

    def run(self, command, user=None, seconds=60):
        """A shell command inside, as root or another user."""
        if user:
            command = f"runuser -u {user} -- sh -c {shlex.quote(command)}"
        done = run(["nsenter", "-t", str(self.leader()), "-a", "env", "-i", f"PATH={PATH}", "LC_ALL=C.UTF-8", "sh", "-c", command],
                   seconds=seconds)
        return Result(command, done)

    def sql(self, text, database="box_office"):
        return self.run(f"psql -XAtq -v ON_ERROR_STOP=1 -d {database} -c {shlex.quote(text)}", user="postgres").must()

    def show(self, unit, name):
        return self.run(f"systemctl show -P {name} '{unit}'").must()

    def journal(self, unit):
        return self.run(f"journalctl --no-pager -o cat -u '{unit}'").must()

    def set_unit(self, unit, text):
        """A drop-in."""
        self.root_write(f"/etc/systemd/system/{unit}.d/test.conf", text)
        self.run("systemctl daemon-reload").must()

    def root_write(self, path, text, mode=0o644, owner="root:root"):
        """Through the running machine, for its root may not be written from outside meanwhile."""
        folder = os.path.dirname(path)
        self.run(f"mkdir -p {folder} && printf %s {shlex.quote(text)} >{path} && chown {owner} {path} && chmod {mode:o} {path}").must()
