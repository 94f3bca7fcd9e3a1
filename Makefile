# pgusher: make help

PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
DATADIR ?= $(PREFIX)/share/pgusher
MANDIR ?= $(PREFIX)/share/man
DOCDIR ?= $(PREFIX)/share/doc/pgusher
SYSTEMDDIR ?= $(PREFIX)/lib
COMPLETIONDIR ?= $(PREFIX)/share/bash-completion/completions
DESTDIR ?=
CC ?= cc
CFLAGS ?= -O2 -g
B ?= build

PACKAGES := libpq hiredis jansson libxxhash
# TLS to Redis is the business of hiredis, 1.0 and later; where it is not there, rediss:// is refused with that reason.
TLS_PACKAGES := $(shell pkg-config --exists 'hiredis >= 1.0' hiredis_ssl openssl 2>/dev/null && echo hiredis_ssl openssl)
PACKAGES += $(TLS_PACKAGES)
QUEUE_PACKAGES := hiredis $(TLS_PACKAGES)
# Without libsystemd the daemon tells the service manager nothing, and its units are of no use.
SYSTEMD := $(shell pkg-config --exists libsystemd 2>/dev/null && echo yes)
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wformat=2 \
            -Wwrite-strings -Wvla -Wundef -fno-common
# What this compiler does not know is left out. Sanitizers want the calls as they are written.
supported = $(shell $(CC) -Werror -O2 $(1) -include stdio.h -x c -c -o /dev/null /dev/null 2>/dev/null && echo '$(1)')
FORTIFY := $(or $(call supported,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3),-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
HARDENING := -fstack-protector-strong $(foreach flag,-fstack-clash-protection -fcf-protection=full -mbranch-protection=standard,$(call supported,$(flag))) \
             $(if $(SANITIZE),,$(FORTIFY)) -fPIC -fvisibility=hidden
ALL_CFLAGS := -pthread -std=gnu11 -D_GNU_SOURCE -I. $(if $(TLS_PACKAGES),-DPGUSHER_TLS) $(if $(SYSTEMD),-DPGUSHER_SYSTEMD) $(WARNINGS) $(HARDENING) $(CFLAGS) \
              $(SANITIZE)
HARDENED_LINK := -Wl,-z,relro,-z,now,-z,noexecstack
ALL_LDFLAGS := -pie $(HARDENED_LINK) $(LDFLAGS) $(SANITIZE)
VERSION := $(shell sed -n 's/.*PGUSHER_VERSION "\(.*\)"/\1/p' common/version.h)
# Asked for late, so that `make deps` can run first on a bare machine. libev has no pkg-config file on Debian.
PKG_CFLAGS = $(shell pkg-config --cflags $(PACKAGES) libmicrohttpd)
PKG_LIBS = $(shell pkg-config --libs $(PACKAGES)) -lev -lm
HTTP_LIBS = $(shell pkg-config --libs libmicrohttpd)
SYSTEMD_LIBS = $(if $(SYSTEMD),$(shell pkg-config --libs libsystemd))
LIBRARY_LIBS = $(shell pkg-config --libs $(QUEUE_PACKAGES))
QUEUE_LIBS = $(LIBRARY_LIBS) $(shell pkg-config --libs jansson) -lev -lm

# The queue library: hiredis and nothing else. The queue's tool adds the event loop and jansson, the daemons all the rest.
QUEUE_LIBRARY := $(addprefix common/,backoff.c buf.c clock.c mem.c redis_error.c redis_nodes.c redis_slot.c redis_tls.c redis_url.c redis_url_parse.c \
                    rlink.c rlink_sentinel.c rlink_talk.c script.c sigpipe.c status.c utf8.c) \
                 $(addprefix queue/,each.c handle.c introduce.c keys.c push.c queue_batch.c repair.c reserve.c settings.c settle.c stats.c stats_read.c wait.c)
QUEUE_MAIN := queue/pgusher_queue.c
QUEUE_TOOL := $(wildcard queue/tool_*.c queue/verb_*.c queue/doctor*.c queue/consume*.c) queue/queue_config.c queue/tombstone.c \
              $(filter-out $(QUEUE_LIBRARY) $(wildcard common/http*.c common/metrics*.c common/pg*.c common/rconn*.c common/redis_slot_map.c common/rreply.c common/script_send.c),$(wildcard common/*.c))
MAINS := cdc/pgusherd.c cdc/pgusher.c
DAEMON_ONLY := $(wildcard cdc/worker*.c) $(addprefix cdc/,feed.c fleet.c expand.c) common/http.c
TOOL_ONLY := $(wildcard cdc/verb_*.c cdc/check*.c cdc/capture*.c) $(addprefix cdc/,tool.c needs.c progress.c ddl.c) queue/tool_output.c
CDC := $(filter-out $(MAINS) $(DAEMON_ONLY) $(TOOL_ONLY),$(wildcard cdc/*.c common/*.c)) \
       queue/enqueue.c queue/keys.c queue/settings.c queue/stats_read.c queue/queue_config.c queue/tombstone.c queue/tool_text.c
SQL := $(sort $(wildcard cdc/sql/*.sql))
PAGE := $(addprefix cdc/page/,index.html page.css page.js)
LUA := $(sort $(wildcard lua/*.lua))
LUA_OVERRIDE ?= lua
LUA_WHOLE := $(LUA:%=$(B)/%)

objects = $(patsubst %.c,$(B)/%.o,$(1))
QUEUE_LIBRARY_OBJECTS := $(call objects,$(QUEUE_LIBRARY)) $(B)/gen/lua.o
QUEUE_TOOL_OBJECTS := $(call objects,$(QUEUE_TOOL)) $(QUEUE_LIBRARY_OBJECTS)
CDC_OBJECTS := $(call objects,$(CDC)) $(B)/gen/sql.o $(B)/gen/lua.o
UNIT_OBJECTS := $(sort $(CDC_OBJECTS) $(QUEUE_TOOL_OBJECTS))
LIBRARY := libpgusher-queue
PROGRAMS := $(B)/pgusherd $(B)/pgusher $(B)/pgusher-queue
LIBRARIES := $(B)/$(LIBRARY).so.$(VERSION) $(B)/$(LIBRARY).so.0 $(B)/$(LIBRARY).so $(B)/$(LIBRARY).a

# Units that wait for READY=1 are of no use to a daemon that was built without libsystemd.
UNITS := $(if $(SYSTEMD),$(patsubst systemd/%.in,%,$(wildcard systemd/*.in)))
# How long to wait before a restart may grow since systemd 254.
RESTART_STEPS := $(if $(shell pkg-config --exists 'libsystemd >= 254' 2>/dev/null && echo yes),RestartSteps=6\nRestartMaxDelaySec=60s)
UNIT_PARTS := -e '/^@SANDBOX@/{r systemd/sandbox.conf' -e 'd}' -e '/^@CREDENTIALS@/{r systemd/credentials.conf' -e 'd}' \
              -e '/^@RESTART_STEPS@/$(if $(RESTART_STEPS),s/.*/$(RESTART_STEPS)/,d)' -e 's|@BINDIR@|$(BINDIR)|' -e 's|@DOCDIR@|$(DOCDIR)|'

PROBE := $(wildcard examples/ticketing/probe*.c examples/ticketing/probe*.h)

# Each with a main that only replays inputs, or, with clang and FUZZ_MAIN=-fsanitize=fuzzer, with libFuzzer's.
FUZZ_TARGETS := $(patsubst tests/fuzz/fuzz_%.c,$(B)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_MAIN ?= $(B)/tests/fuzz/replay.o
FUZZ_OBJECTS = $(UNIT_OBJECTS) $(call objects,common/http.c cdc/worker_action.c cdc/worker_metrics_fleet.c)

UNIT_TESTS := $(patsubst tests/unit/%.c,$(B)/tests/%,$(wildcard tests/unit/test_*.c))

.PHONY: all unit deps demo check check-systemd check-packages bench fault whole models asan install deb dist uninstall clean lint format help fuzz fuzz-targets soak inject coverage check-distros library-libs tsan valgrind
.DEFAULT_GOAL := all
.SECONDARY:

all: $(PROGRAMS) $(LIBRARIES) ## build the programs and the library

$(B)/pgusherd: $(call objects,cdc/pgusherd.c $(DAEMON_ONLY)) $(B)/gen/page.o $(CDC_OBJECTS)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS) $(HTTP_LIBS) $(SYSTEMD_LIBS)

$(B)/pgusher: $(call objects,cdc/pgusher.c $(TOOL_ONLY)) $(CDC_OBJECTS) $(QUEUE_LIBRARY_OBJECTS)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS)

$(B)/pgusher-queue: $(call objects,$(QUEUE_MAIN)) $(QUEUE_TOOL_OBJECTS)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(QUEUE_LIBS)

$(B)/$(LIBRARY).so.$(VERSION): $(QUEUE_LIBRARY_OBJECTS)
	$(CC) -shared -Wl,-soname,$(LIBRARY).so.0 $(HARDENED_LINK) $(LDFLAGS) $(SANITIZE) -o $@ $^ $(LIBRARY_LIBS)

$(B)/$(LIBRARY).so.0 $(B)/$(LIBRARY).so: $(B)/$(LIBRARY).so.$(VERSION)
	ln -sf $(<F) $@

# One object whose only global names are the public ones, so that it clashes with nothing in a program.
$(B)/$(LIBRARY).a: $(QUEUE_LIBRARY_OBJECTS)
	$(LD) -r -o $(B)/$(LIBRARY).o $^
	objcopy --wildcard --keep-global-symbol='pgusher_queue_*' $(B)/$(LIBRARY).o
	rm -f $@ && $(AR) rcs $@ $(B)/$(LIBRARY).o

$(B)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(PKG_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/gen/%.o: $(B)/gen/%.c Makefile
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/gen/sql.c: $(SQL) common/embed.sh
	@mkdir -p $(@D)
	common/embed.sh sql $(SQL) > $@.new && mv $@.new $@

$(B)/gen/page.c: $(PAGE) common/embed.sh
	@mkdir -p $(@D)
	common/embed.sh page $(PAGE) > $@.new && mv $@.new $@

$(B)/gen/lua.c: $(LUA_WHOLE) common/embed.sh
	@mkdir -p $(@D)
	common/embed.sh lua $(LUA_WHOLE) > $@.new && mv $@.new $@

# The scripts with their shared parts in place, as redis-cli --eval wants them.
$(B)/lua/%.lua: lua/%.lua $(wildcard lua/parts/*.lua $(LUA_OVERRIDE)/parts/*.lua) lua/include.sh
	@mkdir -p $(@D)
	lua/include.sh $< $(LUA_OVERRIDE) > $@.new && mv $@.new $@

$(B)/tests/%: tests/unit/%.c $(UNIT_OBJECTS) Makefile
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(PKG_CFLAGS) $(shell pkg-config --cflags check) -MMD -MP -MF $@.d $(ALL_LDFLAGS) -o $@ $< \
		$(UNIT_OBJECTS) $(PKG_LIBS) $(shell pkg-config --libs check)

unit: $(UNIT_TESTS)

$(B)/fuzz/%: $(B)/tests/fuzz/fuzz_%.o $(FUZZ_OBJECTS) $(B)/tests/fuzz/replay.o
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -o $@ $< $(FUZZ_OBJECTS) $(FUZZ_MAIN) $(PKG_LIBS) $(HTTP_LIBS)

fuzz-targets: $(FUZZ_TARGETS)

$(B)/demo/probe: $(PROBE)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(PKG_CFLAGS) $(ALL_LDFLAGS) -o $@ $(filter %.c,$^) $(PKG_LIBS)

deps: ## install what is missing (Debian, Ubuntu; DEPS=skip turns it off)
	@tests/deps.sh

demo: ## see it work: own PostgreSQL and Redis, a ticket marketplace, live traffic (KEEP=1 leaves it running)
	@tests/deps.sh demo
	@$(MAKE) --no-print-directory -s all $(B)/demo/probe
	@KEEP=$(KEEP) PGUSHER_BUILD=$(abspath $(B)) examples/ticketing/demo.sh

check: deps ## all tests
	@$(MAKE) --no-print-directory -s all unit fuzz-targets
	@tests/run.sh

fault: deps all ## every failure under live traffic, with a table of what came of it (ROWS='Redis and not Cluster' selects; half an hour)
	@PGUSHER_BUILD=$(abspath $(B)) timeout $(or $(FAULT_SECONDS),3600) /usr/bin/python3 -m pytest -q tests/fault $(if $(ROWS),-k '$(ROWS)')

check-systemd: ## boots a container with systemd, PostgreSQL, Redis and the packages (root; two minutes)
	@tests/deps.sh system
	@$(MAKE) --no-print-directory -s all
	@PGUSHER_BUILD=$(abspath $(B)) /usr/bin/python3 -m pytest -q tests/system/test_workers.py tests/system/test_queues.py

check-packages: ## the packages and the tarball in bare roots of Debian 12 and 13 (root; some minutes)
	@tests/deps.sh system
	@$(MAKE) --no-print-directory -s all
	@PGUSHER_BUILD=$(abspath $(B)) /usr/bin/python3 -m pytest -q tests/system/test_packages.py

whole: deps all ## random schemas, views and statements, Redis compared field by field (WHOLE_S=600 seconds; SEED=n replays one)
	@PGUSHER_BUILD=$(abspath $(B)) /usr/bin/python3 tests/whole/whole.py --seconds $(or $(WHOLE_S),60) $(if $(SEED),--seed $(SEED))

fuzz: ## libFuzzer on all that reads foreign bytes (FUZZ_S=60 seconds for each, TARGET=redis_url selects, FUZZ_KEEP=1 keeps inputs)
	@tests/deps.sh fuzz
	@PGUSHER_BUILD=$(abspath $(B)) FUZZ_S=$(or $(FUZZ_S),60) TARGET='$(TARGET)' FUZZ_KEEP=$(FUZZ_KEEP) tests/fuzz/run.sh fuzz

soak: deps all ## live traffic under random faults for SOAK_S seconds (60), everything compared in between (SEED=n: the same again)
	@PGUSHER_BUILD=$(abspath $(B)) /usr/bin/python3 -B tests/soak/soak.py $(or $(SOAK_S),60) $(SEED)

inject: deps all ## allocations, reads and writes of every program and of the library fail, each of them (hours; INJECT=20 deals that many of each kind)
	@INJECT=$(or $(INJECT),whole) PGUSHER_BUILD=$(abspath $(B)) /usr/bin/python3 -m pytest -q -o faulthandler_timeout=0 tests/integration/test_inject_*.py

check-distros: ## make check in roots of other releases, with clang, with Valkey; prints a matrix (ROWS='debian-13 debian-sid'; WRITE=FILE; root; hours)
	@tests/deps.sh system
	@PGUSHER_BUILD=$(abspath $(B)) /usr/bin/python3 tests/system/distros.py $(if $(WRITE),--write $(WRITE)) $(ROWS)

library-libs:
	@echo $(LIBRARY_LIBS)

models: deps all unit ## the proofs of the gate and of the queue in full: all histories, all mutants (five minutes)
	@PGUSHER_BUILD=$(abspath $(B)) tests/model/run.sh
	@PGUSHER_BUILD=$(abspath $(B)) tests/queue_model/run.sh

bench: deps all ## measure it against others (BENCH=queue; ROUNDS=1 is quick, LARGE=1 adds millions); writes tests/bench/RESULTS.md, docs/bench
	@PGUSHER_BUILD=$(abspath $(B)) tests/bench/run.sh $(BENCH)

coverage: ## which lines and branches the tests run, by folder, and the errors that none of them causes (half an hour; PARTS=unit is quick)
	@tests/deps.sh coverage
	@$(MAKE) --no-print-directory -s B=build/coverage CFLAGS='-O0 -g --coverage -fprofile-update=atomic -include tests/coverage/counted.h' \
		LDFLAGS=--coverage all unit
	@PGUSHER_BUILD=$(CURDIR)/build/coverage tests/coverage/run.sh $(PARTS)

asan: ## the whole suite against a build with AddressSanitizer and UBSan; leaks are failures
	@$(MAKE) --no-print-directory B=build/asan SANITIZE='-fsanitize=address,undefined -fno-sanitize-recover=all' \
		CFLAGS='-O1 -g -fno-omit-frame-pointer' all unit fuzz-targets
	@PGUSHER_BUILD=$(CURDIR)/build/asan tests/run.sh

# The daemons have one thread beside their own, which looks up names; programs that use the library may have many.
THREADED := $(addprefix tests/integration/test_,queue_threads.py consumer_in_c.py postgres_hosts.py addresses.py worker.py)

tsan: ## what has threads against a build with ThreadSanitizer: the library in many, and the daemons, which look up names in one
	@$(MAKE) --no-print-directory B=build/tsan SANITIZE=-fsanitize=thread CFLAGS='-O1 -g' all build/tsan/tests/test_resolve
	build/tsan/tests/test_resolve
	@PGUSHER_BUILD=$(CURDIR)/build/tsan /usr/bin/python3 -m pytest -q $(THREADED)

valgrind: ## the unit tests under valgrind; anything it says, and any leak, is a failure
	@tests/deps.sh valgrind
	@$(MAKE) --no-print-directory B=build/valgrind CFLAGS='-O1 -g' unit
	@for test in $(patsubst $(B)/%,build/valgrind/%,$(UNIT_TESTS)); do \
		UNDER_VALGRIND=1 CK_FORK=no valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite,possible $$test || exit 1; done

MANUAL := $(wildcard docs/man/*.[1-8])

install: all ## programs, library, header, scripts, units, manual into $(DESTDIR)$(PREFIX)
	install -d $(addprefix $(DESTDIR),$(BINDIR) $(LIBDIR)/pkgconfig $(INCLUDEDIR) $(DATADIR)/lua)
	install -m 755 $(PROGRAMS) $(DESTDIR)$(BINDIR)
	install -m 644 $(B)/$(LIBRARY).so.$(VERSION) $(B)/$(LIBRARY).a $(DESTDIR)$(LIBDIR)
	ln -sf $(LIBRARY).so.$(VERSION) $(DESTDIR)$(LIBDIR)/$(LIBRARY).so.0
	ln -sf $(LIBRARY).so.0 $(DESTDIR)$(LIBDIR)/$(LIBRARY).so
	install -m 644 queue/pgusher-queue.h $(DESTDIR)$(INCLUDEDIR)
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@INCLUDEDIR@|$(INCLUDEDIR)|' -e 's|@VERSION@|$(VERSION)|' -e 's|@REQUIRES@|$(QUEUE_PACKAGES)|' \
		queue/pgusher-queue.pc.in > $(DESTDIR)$(LIBDIR)/pkgconfig/pgusher-queue.pc
	install -m 644 $(LUA_WHOLE) $(DESTDIR)$(DATADIR)/lua
	for page in $(MANUAL); do install -D -m 644 $$page $(DESTDIR)$(MANDIR)/man$${page##*.}/$${page##*/}; done
	install -d $(addprefix $(DESTDIR),$(COMPLETIONDIR) $(DOCDIR)/examples)
	install -m 644 systemd/pgusher.bash-completion $(DESTDIR)$(COMPLETIONDIR)/pgusher-queue
	ln -sf pgusher-queue $(DESTDIR)$(COMPLETIONDIR)/pgusher
	ln -sf pgusher-queue $(DESTDIR)$(COMPLETIONDIR)/pgusherd
	install -m 644 README.md NEWS.md $(wildcard docs/*.md) $(DESTDIR)$(DOCDIR)
	cp -r examples/indexers examples/moving examples/systemd examples/pgusher.json $(DESTDIR)$(DOCDIR)/examples
	rm -rf $(DESTDIR)$(DOCDIR)/examples/*/__pycache__
	chmod -R u=rwX,go=rX $(DESTDIR)$(DOCDIR)/examples
	$(if $(UNITS),install -d $(addprefix $(DESTDIR)$(SYSTEMDDIR)/,systemd/system sysusers.d tmpfiles.d))
	for unit in $(UNITS); do sed $(UNIT_PARTS) systemd/$$unit.in > $(DESTDIR)$(SYSTEMDDIR)/systemd/system/$$unit || exit; done
	$(if $(UNITS),chmod 644 $(addprefix $(DESTDIR)$(SYSTEMDDIR)/systemd/system/,$(UNITS)))
	$(if $(UNITS),install -m 644 systemd/sysusers.conf $(DESTDIR)$(SYSTEMDDIR)/sysusers.d/pgusher.conf)
	$(if $(UNITS),install -m 644 systemd/tmpfiles.conf $(DESTDIR)$(SYSTEMDDIR)/tmpfiles.d/pgusher.conf)

deb: all ## packages for Debian and Ubuntu, in $(B)/deb
	rm -rf $(B)/stage $(B)/deb
	@$(MAKE) --no-print-directory -s install DESTDIR=$(abspath $(B))/stage PREFIX=/usr LIBDIR=/usr/lib/$(shell $(CC) -print-multiarch)
	systemd/debian/build.sh $(B)/stage $(B)/deb $(VERSION)

dist: ## the sources of the last commit as a tarball in $(B): the same bytes whoever makes it
	@mkdir -p $(B)
	git -c tar.umask=0022 archive --format=tar --prefix=pgusher-$(VERSION)/ HEAD | gzip -9n > $(B)/pgusher-$(VERSION).tar.gz
	@echo $(B)/pgusher-$(VERSION).tar.gz

uninstall: ## what install put there
	rm -f $(addprefix $(DESTDIR)$(BINDIR)/,$(notdir $(PROGRAMS))) $(addprefix $(DESTDIR)$(LIBDIR)/,$(notdir $(LIBRARIES))) \
		$(DESTDIR)$(LIBDIR)/pkgconfig/pgusher-queue.pc $(DESTDIR)$(INCLUDEDIR)/pgusher-queue.h
	rm -rf $(DESTDIR)$(DATADIR) $(DESTDIR)$(DOCDIR)
	rm -f $(addprefix $(DESTDIR)$(COMPLETIONDIR)/,$(notdir $(PROGRAMS)))
	rm -f $(addprefix $(DESTDIR)$(SYSTEMDDIR)/,$(addprefix systemd/system/,$(UNITS)) sysusers.d/pgusher.conf tmpfiles.d/pgusher.conf)
	for page in $(MANUAL); do rm -f $(DESTDIR)$(MANDIR)/man$${page##*.}/$${page##*/}; done

lint: $(LUA_WHOLE) ## luacheck, shellcheck, cppcheck, clang-tidy, where they are (tests/deps.sh lint installs them)
	@LUA='$(LUA_WHOLE)' FLAGS='$(filter -std% -D% -I%,$(filter-out -D_FORTIFY_SOURCE%,$(ALL_CFLAGS))) -Iqueue $(PKG_CFLAGS)' tests/lint.sh

format: ## clang-format all C sources in place
	clang-format -i $$(git ls-files '*.c' '*.h')

clean: ## remove the build
	rm -rf build

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

-include $(shell find $(B) -name '*.d' -type f 2>/dev/null)
