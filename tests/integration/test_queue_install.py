"""What is built and installed of the queue: symbols, files, and programs of others that use them."""
import os
import re
import signal

import pytest

from harness import queue_library as lib
from harness.processes import end, run, spawn
from harness.programs import COUNTED, ROOT, SANITIZED, path
from harness.queue import QUEUE


def symbols(*argv):
    done = run(["nm", *argv])
    assert done.returncode == 0, done.stderr
    return {line.split()[-1] for line in done.stdout.decode().splitlines() if len(line.split()) == 3}


def declared():
    with open(os.path.join(ROOT, "queue", "pgusher-queue.h")) as file:
        return set(re.findall(r"\b(pgusher_queue_\w+)\(", re.sub(r"typedef .*?;|/\*.*?\*/", "", file.read(), flags=re.S)))


@pytest.mark.skipif(SANITIZED or COUNTED, reason="the sanitizers and gcov add symbols of their own")
@pytest.mark.parametrize("argv", [("-D", "--defined-only", path("libpgusher-queue.so.0")),
                                  ("-g", "--defined-only", path("libpgusher-queue.a"))], ids=["so", "a"])
def test_symbols(argv):
    assert symbols(*argv) == declared() and len(declared()) > 30
    assert {f"pgusher_queue_{name}" for name in lib.SIGNATURES} == declared(), "this test calls all of them"


@pytest.fixture(scope="module")
def installed(workspace):
    place = os.path.join(workspace, "installed")
    done = run(["make", "-C", ROOT, f"B={os.environ.get('PGUSHER_BUILD') or 'build'}", f"DESTDIR={place}", "PREFIX=/usr",
                "install"], seconds=300)
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-1000:]
    return place


def test_install(installed):
    files = {os.path.relpath(os.path.join(folder, name), installed) for folder, _, names in os.walk(installed)
             for name in names}
    assert {"usr/bin/pgusher-queue", "usr/include/pgusher-queue.h", "usr/lib/libpgusher-queue.so.0",
            "usr/lib/libpgusher-queue.so", "usr/lib/libpgusher-queue.a", "usr/lib/pkgconfig/pgusher-queue.pc"} <= files
    scripts = {name for name in files if name.endswith(".lua")}
    assert len(scripts) >= 14
    for name in scripts:
        with open(os.path.join(installed, name)) as file:
            assert "@include" not in file.read(), "whole, as redis-cli --eval wants it"


def pkg_config(installed, *argv):
    done = run(["env", f"PKG_CONFIG_PATH={installed}/usr/lib/pkgconfig", f"PKG_CONFIG_SYSROOT_DIR={installed}",
                "PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1", "PKG_CONFIG_ALLOW_SYSTEM_LIBS=1", "pkg-config", *argv, "pgusher-queue"])
    assert done.returncode == 0, done.stderr
    return done.stdout.decode().split()


@pytest.mark.skipif(SANITIZED or COUNTED, reason="a program of its own would have to be built so, too")
@pytest.mark.parametrize("static", [False, True], ids=["shared", "static"])
def test_a_c_program(queue, installed, static):
    """examples/consumer.c, built as its reader would."""
    source, program = os.path.join(ROOT, "examples", "consumer.c"), queue.file("consumer")
    flags = pkg_config(installed, "--cflags", "--libs", *(["--static"] if static else []))
    if static:
        flags = [f"{installed}/usr/lib/libpgusher-queue.a" if flag == "-lpgusher-queue" else flag for flag in flags]
    built = run(["cc", "-Wall", "-Wextra", "-Werror", "-o", program, source, *flags])
    if static and b"cannot find -l" in built.stderr:
        pytest.skip("a static program needs more: " + built.stderr.decode().splitlines()[0])
    assert built.returncode == 0, built.stderr.decode()
    queue.push("event:1", "event:2")
    done = run_until_acked(queue, [program, queue.redis.url, QUEUE], installed, 2)
    assert "event:1" in done and "event:2" in done


def run_until_acked(queue, argv, installed, count):
    """Runs a consumer that does not end by itself; returns what it said."""
    with open(queue.file("said"), "wb") as log:
        process = spawn(["/usr/bin/env", f"LD_LIBRARY_PATH={installed}/usr/lib", *argv], log)
    try:
        queue.until_counted(acked=count)
    finally:
        end(process, signal.SIGTERM)
    return queue.read("said")


@pytest.mark.parametrize("language", ["c", "c++"])
def test_the_header_compiles_alone(installed, workspace, language):
    """With every warning."""
    if run(["cc", "-x", language, "-fsyntax-only", os.devnull]).returncode:
        pytest.skip(f"no compiler for {language} is installed")
    source = os.path.join(workspace, "alone.c")
    with open(source, "w") as file:
        file.write('#include <pgusher-queue.h>\nint main(void) { return (int)sizeof(struct pgusher_queue_stats) == 0; }\n')
    done = run(["cc", "-x", language, "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only",
                f"-I{installed}/usr/include", source])
    assert done.returncode == 0, done.stderr.decode()


def test_names_of_the_library():
    """A program built against it asks for the name with the version of its interface."""
    assert os.path.samefile(path("libpgusher-queue.so.0"), path("libpgusher-queue.so"))
    done = run(["readelf", "-d", path("libpgusher-queue.so.0")])
    assert b"[libpgusher-queue.so.0]" in done.stdout


def test_it_does_not_need_postgresql():
    for name in ("pgusher-queue", "libpgusher-queue.so.0"):
        assert b"libpq" not in run(["ldd", path(name)]).stdout
