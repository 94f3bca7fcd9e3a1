# pgusher: make help

PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
DESTDIR ?=
CC ?= cc
CFLAGS ?= -O2 -g
B ?= build

PACKAGES := libpq hiredis jansson libxxhash
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wformat=2 \
            -Wwrite-strings -Wvla -Wundef -fno-common
HARDENING := -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE
ALL_CFLAGS := -std=gnu11 -D_GNU_SOURCE -I. $(WARNINGS) $(HARDENING) $(CFLAGS) $(SANITIZE)
ALL_LDFLAGS := -pie -Wl,-z,relro,-z,now $(LDFLAGS) $(SANITIZE)
# Asked for late, so that `make deps` can run first on a bare machine. libev has no pkg-config file on Debian.
PKG_CFLAGS = $(shell pkg-config --cflags $(PACKAGES))
PKG_LIBS = $(shell pkg-config --libs $(PACKAGES)) -lev -lm

COMMON := $(wildcard common/*.c)
QUEUE := $(wildcard queue/*.c)
MAINS := cdc/pgusherd.c cdc/pgusher.c
DAEMON_ONLY := cdc/worker.c cdc/worker_session.c cdc/feed.c cdc/expand.c
TOOL_ONLY := cdc/tool.c cdc/check.c cdc/check_sql.c cdc/check_servers.c cdc/capture.c cdc/capture_sql.c cdc/needs.c cdc/install.c \
             cdc/backfill.c cdc/progress.c cdc/status_verb.c
CDC := $(filter-out $(MAINS) $(DAEMON_ONLY) $(TOOL_ONLY),$(wildcard cdc/*.c))
SQL := $(sort $(wildcard cdc/sql/*.sql))
LUA := $(sort $(wildcard lua/*.lua))
GENERATED := $(B)/gen/sql.c $(B)/gen/lua.c

objects = $(patsubst %.c,$(B)/%.o,$(1))
LIB_OBJECTS := $(call objects,$(COMMON) $(QUEUE) $(CDC)) $(GENERATED:.c=.o)
DAEMON_OBJECTS := $(call objects,cdc/pgusherd.c $(DAEMON_ONLY)) $(LIB_OBJECTS)
TOOL_OBJECTS := $(call objects,cdc/pgusher.c $(TOOL_ONLY)) $(LIB_OBJECTS)
PROGRAMS := $(B)/pgusherd $(B)/pgusher

PROBE := $(wildcard examples/ticketing/probe*.c examples/ticketing/probe*.h)

UNIT_TESTS := $(patsubst tests/unit/%.c,$(B)/tests/%,$(wildcard tests/unit/test_*.c))

.PHONY: all unit deps demo check asan install uninstall clean lint format help
.DEFAULT_GOAL := all
.SECONDARY:

all: $(PROGRAMS) ## build the programs

$(B)/pgusherd: $(DAEMON_OBJECTS)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS)

$(B)/pgusher: $(TOOL_OBJECTS)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS)

$(B)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(PKG_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/gen/%.o: $(B)/gen/%.c
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/gen/sql.c: $(SQL) common/embed.sh
	@mkdir -p $(@D)
	common/embed.sh sql $(SQL) > $@.new && mv $@.new $@

$(B)/gen/lua.c: $(LUA) common/embed.sh
	@mkdir -p $(@D)
	common/embed.sh lua $(LUA) > $@.new && mv $@.new $@

$(B)/tests/%: tests/unit/%.c $(LIB_OBJECTS) Makefile
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(PKG_CFLAGS) $(shell pkg-config --cflags check) -MMD -MP -MF $@.d $(ALL_LDFLAGS) -o $@ $< \
		$(LIB_OBJECTS) $(PKG_LIBS) $(shell pkg-config --libs check)

unit: $(UNIT_TESTS)

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
	@$(MAKE) --no-print-directory -s all unit
	@tests/run.sh

asan: ## the whole suite against a build with AddressSanitizer and UBSan; leaks are failures
	@$(MAKE) --no-print-directory B=build/asan SANITIZE='-fsanitize=address,undefined -fno-sanitize-recover=all' \
		CFLAGS='-O1 -g -fno-omit-frame-pointer' all unit
	@PGUSHER_BUILD=$(CURDIR)/build/asan tests/run.sh

install: all ## into $(DESTDIR)$(PREFIX)
	install -d $(DESTDIR)$(BINDIR)
	install -m 755 $(PROGRAMS) $(DESTDIR)$(BINDIR)

uninstall: ## what install put there
	rm -f $(addprefix $(DESTDIR)$(BINDIR)/,$(notdir $(PROGRAMS)))

lint: ## luacheck, shellcheck, cppcheck, where they are
	luacheck -q lua
	shellcheck common/*.sh tests/*.sh tests/*/*.sh examples/*/*.sh .ci/run
	cppcheck --quiet --error-exitcode=1 --inline-suppr --enable=warning,portability -I. \
		'-Djson_array_foreach(a,i,v)=for(;;)' '-Djson_object_foreach(o,k,v)=for(;;)' common queue cdc examples

format: ## clang-format all C sources in place
	clang-format -i $$(git ls-files '*.c' '*.h')

clean: ## remove the build
	rm -rf build

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

-include $(shell find $(B) -name '*.d' 2>/dev/null)
