# ckpt: `make` builds, `make demo` shows it at work, `make test` is the one gate. `make help` lists the rest.

BUILD   := build
PREFIX  ?= /usr/local
DESTDIR ?=
CC      ?= gcc
OPTIMIZE ?= -O2 -g
WARN    := -Wall -Wextra -Werror -Wconversion -Wshadow -Wstrict-prototypes -Wvla
CFLAGS  += -std=gnu17 $(OPTIMIZE) $(WARN) -D_GNU_SOURCE -Inative

# libckpt.so and the restorer run inside other people's programs: no libc, no TLS, nothing that gcc
# would like to call there.
FREE    := -ffreestanding -fPIC -fvisibility=hidden -fno-stack-protector -fcf-protection=none \
           -fno-tree-loop-distribute-patterns -fno-asynchronous-unwind-tables -mgeneral-regs-only

STATIC  := -static
ifdef SANITIZE
BUILD   := build/sanitize
SAN     := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
STATIC  :=
endif
OBJ     := $(BUILD)/obj

ifndef V
Q := @
say = @echo "  $(1)	$(patsubst $(BUILD)/%,%,$@)"
endif

core_c      := $(filter-out native/core/mem.c,$(wildcard native/core/*.c))
preload_s   := $(wildcard native/preload/*.c native/preload/*.S)
restorer_s  := $(wildcard native/restorer/*.c native/restorer/*.S)
restart_c   := $(wildcard native/restart/*.c)
helper_c    := $(wildcard native/helper/*.c)
unit_c      := $(wildcard tests/native/*_test.c)
program_c   := $(wildcard tests/programs/*.c)

objects = $(addprefix $(OBJ)/$(1)/,$(addsuffix .o,$(2)))
free_core_o := $(call objects,free,$(core_c) native/core/mem.c)
preload_o   := $(call objects,free,$(preload_s)) $(free_core_o)
restorer_o  := $(call objects,free,$(restorer_s)) $(free_core_o)
restart_o   := $(call objects,host,$(restart_c) $(core_c)) $(OBJ)/restorer_blob.o
helper_o    := $(call objects,pic,$(helper_c) $(core_c))

outputs := $(addprefix $(BUILD)/,libckpt.so libckpt_helper.so restart count ckpt)

.PHONY: all
all: $(outputs)

$(OBJ)/free/%.o: %
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(FREE) -MMD -MP -c $< -o $@

$(OBJ)/host/%.o: %
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(SAN) -MMD -MP -c $< -o $@

$(OBJ)/pic/%.o: %
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(SAN) -fPIC -fvisibility=hidden -MMD -MP -c $< -o $@

$(BUILD)/libckpt.so: $(preload_o) native/preload/exports.map
	$(call say,LD)
	$(Q)$(CC) -shared -nostdlib -Wl,--version-script=native/preload/exports.map -Wl,-soname,libckpt.so \
	  -Wl,-z,now,-z,noexecstack,-Bsymbolic,--hash-style=gnu,--build-id -o $@ $(preload_o)

# The restorer is copied to wherever there is room, so it must not hold one relocation.
$(OBJ)/restorer.elf: $(restorer_o) native/restorer/restorer.lds
	$(call say,LD)
	$(Q)$(CC) -shared -nostdlib -Wl,-T,native/restorer/restorer.lds -Wl,--build-id=none,-z,noexecstack,-Bsymbolic \
	  -o $@ $(restorer_o)
	$(Q)if readelf -rW $@ | grep -q R_X86_64; then echo "restorer: relocations" >&2; rm $@; exit 1; fi

$(OBJ)/restorer.bin: $(OBJ)/restorer.elf
	$(Q)objcopy -O binary $< $@

$(OBJ)/restorer_blob.o: native/restart/restorer_blob.S $(OBJ)/restorer.bin
	$(call say,AS)
	$(Q)$(CC) -I$(OBJ) -c $< -o $@

$(BUILD)/restart: $(restart_o)
	$(call say,LD)
	$(Q)$(CC) $(STATIC) $(SAN) -o $@ $^ -lpthread

$(BUILD)/libckpt_helper.so: $(helper_o)
	$(call say,LD)
	$(Q)$(CC) -shared $(SAN) -o $@ $^

$(BUILD)/count: native/examples/count.c
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $< -o $@

$(BUILD)/ckpt: tasks/ckpt.sh | deno
	$(call say,SH)
	@mkdir -p $(@D)
	$(Q)install -m 755 $< $@

include tests/rules.mk

-include $(shell find $(OBJ) -name '*.d' 2>/dev/null)

.PHONY: clean
clean:
	rm -rf build

# Deno: the one on PATH, or one fetched from npm into .tools/, and the packages of deno.lock.
DENO := tasks/deno.sh

.PHONY: deno check res demo test test-programs test-kernel bench fmt lint
deno:
	$(Q)$(DENO) --install

check: all
	$(Q)$(DENO) run -A tasks/check.ts

res: all
	$(Q)$(DENO) run -A tasks/res.ts

demo: all
	$(Q)$(DENO) run -A tasks/check.ts
	$(Q)$(DENO) run -A tasks/res.ts

# It builds by itself, so that a failed build is counted and its last line is the result in any case.
test: deno
	$(Q)$(DENO) run -A tasks/test.ts

test-programs: test-parts
	$(Q)$(DENO) run -A tests/programs.ts

test-kernel: test-parts
	$(Q)$(DENO) run -A tests/kernel.ts

bench: bench-parts
	$(Q)$(DENO) run -A bench/bench.ts

c_files := $(shell find native tests bench -name '*.[ch]' 2>/dev/null)

fmt: deno
	$(Q)$(DENO) fmt --quiet
	$(Q)clang-format -i $(c_files)

lint: deno
	$(Q)$(DENO) lint
	$(Q)clang-format --dry-run -Werror $(c_files)

# The command and the module stay together in lib/ckpt, with their packages, so that they need no network.
lib := $(DESTDIR)$(PREFIX)/lib
.PHONY: install
install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/include $(DESTDIR)$(PREFIX)/share/man/man1
	install -d $(lib)/ckpt/build $(lib)/ckpt/tasks
	install -m 755 $(BUILD)/ckpt $(DESTDIR)$(PREFIX)/bin/ckpt
	install -m 755 $(BUILD)/restart $(DESTDIR)$(PREFIX)/bin/ckpt-restart
	install -m 755 $(BUILD)/libckpt.so $(lib)/libckpt.so
	install -m 755 $(BUILD)/libckpt_helper.so $(lib)/ckpt/build/
	install -m 644 native/include/ckpt.h $(DESTDIR)$(PREFIX)/include/
	install -m 644 man/ckpt.1 $(DESTDIR)$(PREFIX)/share/man/man1/
	ln -sfn ../../libckpt.so $(lib)/ckpt/build/libckpt.so
	ln -sfn ../../../bin/ckpt-restart $(lib)/ckpt/build/restart
	rm -rf $(lib)/ckpt/src $(lib)/ckpt/types $(lib)/ckpt/node_modules $(lib)/ckpt/.tools
	cp -dR --preserve=mode,timestamps src types node_modules mod.ts cli.ts deno.json deno.lock $(lib)/ckpt/
	install -m 755 tasks/deno.sh $(lib)/ckpt/tasks/
	if [ -d .tools ]; then install -D .tools/node_modules/deno/deno $(lib)/ckpt/.tools/node_modules/deno/deno; fi

.PHONY: help
help:
	@echo 'make                   builds libckpt.so, restart and ckpt in build/'
	@echo 'make demo              counts, checkpoints, kills (check) and brings back (res)'
	@echo 'make test              checks everything; its last line counts'
	@echo 'make test-programs     saves and restarts real programs'
	@echo 'make test-kernel       tries libckpt on Debian'\''s kernel, in an emulated machine'
	@echo 'make bench             measures'
	@echo 'make fmt, make lint    format, and check the sources'
	@echo 'make install PREFIX=P  installs below P (/usr/local)'
	@echo 'make clean             removes build/'
	@echo 'SANITIZE=1             builds what has a libc with ASan and UBSan; V=1 shows commands'
