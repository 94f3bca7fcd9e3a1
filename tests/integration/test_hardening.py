"""What the compiler and the linker can do against an overrun is in the programs that are built, not only asked for."""
import glob
import os
import platform

import pytest

from harness.processes import run
from harness.programs import BUILD, COUNTED, ROOT, SANITIZED, path

BUILT = ["pgusherd", "pgusher", "pgusher-queue", "libpgusher-queue.so.0"]
PROGRAMS = BUILT[:-1]


def said(*argv):
    done = run(argv)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def of_elf(what, name):
    return said("readelf", "-W", what, path(name))


@pytest.mark.parametrize("name", BUILT)
def test_it_may_lie_anywhere(name):
    assert "DYN (" in of_elf("-h", name)
    assert "TEXTREL" not in of_elf("-d", name), "its code is shared and never written"
    assert name not in PROGRAMS or "PIE" in of_elf("-d", name)


@pytest.mark.parametrize("name", BUILT)
def test_what_the_loader_filled_in_is_read_only(name):
    assert "GNU_RELRO" in of_elf("-l", name)
    assert "BIND_NOW" in of_elf("-d", name), "also the table of functions, which is then complete at start"


@pytest.mark.parametrize("name", BUILT)
def test_no_memory_is_both_written_and_run(name):
    segments = of_elf("-l", name).splitlines()
    stack = next(line for line in segments if "GNU_STACK" in line)
    assert " RW " in stack
    assert not [line for line in segments if " LOAD " in line and "RWE" in line]


@pytest.mark.parametrize("name", BUILT)
def test_it_loads_libraries_from_where_the_system_says(name):
    assert "RPATH" not in of_elf("-d", name) and "RUNPATH" not in of_elf("-d", name)


@pytest.mark.parametrize("name", BUILT)
def test_a_smashed_stack_is_noticed(name):
    assert "__stack_chk_fail" in said("nm", "-D", path(name)) or SANITIZED


@pytest.mark.skipif(SANITIZED or COUNTED, reason="sanitizers look at the calls themselves, and without optimisation nobody does")
@pytest.mark.parametrize("name", BUILT)
def test_calls_of_the_c_library_know_how_much_room_there_is(name):
    """__memcpy_chk: memory whose size is known only when it runs, which is level 3; others would do with level 2."""
    symbols = said("nm", "-D", path(name))
    assert "__vsnprintf_chk" in symbols and "__memcpy_chk" in symbols


@pytest.mark.skipif(platform.machine() != "x86_64", reason="marks of x86-64")
def test_every_object_is_built_for_control_flow_checks():
    sources = [*(source for part in ("common", "queue", "cdc") for source in glob.glob(os.path.join(ROOT, part, "*.c"))),
               *glob.glob(path("gen/*.c"))]
    built = [os.path.splitext(os.path.relpath(source, BUILD if source.startswith(BUILD) else ROOT))[0] for source in sources]
    objects = [path(f"{name}.o") for name in built]  # not those of sources that are gone
    assert len(objects) > 200, BUILD
    without = [name for name in objects if "IBT, SHSTK" not in said("readelf", "-nW", name)]
    assert not without
