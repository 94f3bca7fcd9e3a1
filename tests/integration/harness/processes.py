"""Child processes that cannot outlive the test run, not even when it is killed."""
import ctypes
import os
import pwd
import signal
import subprocess

_libc = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1


def server_user():
    """PostgreSQL refuses to run as root: the user to run it as, or None."""
    return "postgres" if os.geteuid() == 0 else None


def give_to_server_user(path):
    if server_user():
        entry = pwd.getpwnam(server_user())
        os.chown(path, entry.pw_uid, entry.pw_gid)


def _identity(user):
    if not user:
        return {}
    entry = pwd.getpwnam(user)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def clean_environment():
    """No PG*, PGUSHER_* or locale of the caller reaches a program under test."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "ASAN_OPTIONS", "LSAN_OPTIONS")}
    kept.setdefault("ASAN_OPTIONS", "detect_leaks=1")
    kept.update(LC_ALL="C.UTF-8", HOME="/nonexistent", TERM="xterm",
                UBSAN_OPTIONS="print_stacktrace=1:halt_on_error=1")
    return kept


def spawn(argv, output, user=None, on_death=signal.SIGKILL, errors=subprocess.STDOUT):
    """Starts a server. Call it from the main thread only: the kernel sends on_death when the
    *thread* that started the child ends."""
    return subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=output, stderr=errors, cwd="/",
        env=clean_environment(), start_new_session=True,
        preexec_fn=lambda: _libc.prctl(_PR_SET_PDEATHSIG, int(on_death)), **_identity(user))


def run(argv, user=None, seconds=60, folder="/", **more):
    return subprocess.run(argv, cwd=folder, env=clean_environment(), timeout=seconds,
                          capture_output=True, **_identity(user), **more)


def end(process, sign, seconds=20):
    """Signals a child and reaps it; kills it when it does not go. Returns its exit code."""
    if process.poll() is None:
        process.send_signal(sign)
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise
