# What the tests need besides the outputs: one executable per test program and per C unit test.

test_programs := $(patsubst tests/programs/%.c,$(BUILD)/tests/%,$(program_c))
unit_tests    := $(patsubst tests/native/%.c,$(BUILD)/unit/%,$(unit_c))
examples      := $(patsubst native/examples/%.c,$(BUILD)/tests/%,$(wildcard native/examples/*.c))
bench_programs := $(patsubst bench/%.c,$(BUILD)/bench/%,$(wildcard bench/*.c))

$(BUILD)/tests/%: tests/programs/%.c
	$(call say,CC)
	@mkdir -p $(@D) $(OBJ)/tests
	$(Q)$(CC) $(CFLAGS) -MMD -MP -MF $(OBJ)/tests/$*.d -MT $@ $< -o $@

$(examples): $(BUILD)/tests/%: native/examples/%.c
	$(call say,CC)
	@mkdir -p $(@D) $(OBJ)/tests
	$(Q)$(CC) $(CFLAGS) -MMD -MP -MF $(OBJ)/tests/$*.d -MT $@ $< -o $@

$(BUILD)/unit/%: tests/native/%.c $(call objects,host,$(core_c))
	$(call say,CC)
	@mkdir -p $(@D) $(OBJ)/tests
	$(Q)$(CC) $(CFLAGS) $(SAN) -MMD -MP -MF $(OBJ)/tests/$*.d -MT $@ $< $(call objects,host,$(core_c)) -o $@

# Without -fno-builtin gcc makes calloc of malloc and memset, and a benchmark of nothing.
$(BUILD)/bench/%: bench/%.c
	$(call say,CC)
	@mkdir -p $(@D) $(OBJ)/tests
	$(Q)$(CC) $(CFLAGS) -fno-builtin -MMD -MP -MF $(OBJ)/tests/$*.d -MT $@ $< -o $@

.PHONY: test-parts unit bench-parts
test-parts: $(outputs) $(test_programs) $(examples) $(unit_tests)
bench-parts: $(outputs) $(bench_programs)

unit: $(unit_tests)
	$(Q)failed=0; for test in $(unit_tests); do $$test || failed=1; done; exit $$failed
