#!/bin/sh
# coverage.sh [READER...]: how much of each reader its corpus reaches: lines of its files, without the functions that are no part of reading.
# Below 90 % is a failure.  SHOW=1 lists the lines that are not reached.
# What only happens when there is no memory is reached by the tests of the n-th allocation, and is left out here: lines that say DDPM_ENOMEM,
# out_of_memory, no_memory or dd_error_memory.
set -u
src=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mkdir -p "${BUILD:-build}/coverage" && cd "${BUILD:-build}/coverage" && pwd)

# READER, its files, and the functions of those that only write or that another reader or test answers for, as a pattern.
readers='json         src/base/json.c,src/base/scan.c          dd_scan_unescape|put_utf8
safetensors  src/base/safetensors.c,src/base/scan.c   dd_safetensors_(has|check)_hash
model src/net/model_file.c,src/net/model.c (make|write|to|room|half|fill)_.*|draw|.*(a_text|save|init|alloc.*)
config       src/net/config.c                         -
pickle       tools/checkpoint/pickle.c,tools/checkpoint/pickle_values.c,tools/checkpoint/pickle_stack.c,tools/checkpoint/pickle_node.c,tools/checkpoint/pickle_global.c -
torch        tools/checkpoint/source.c,tools/checkpoint/source_states.c,tools/checkpoint/torch_zip.c,tools/checkpoint/torch_legacy.c,tools/checkpoint/torch_states.c,tools/checkpoint/torch_storages.c,tools/checkpoint/torch_tensor.c,tools/checkpoint/checkpoint.c,tools/checkpoint/checkpoint_floats.c,tools/checkpoint/unwrap.c,tools/checkpoint/unet_candidates.c,tools/checkpoint/unet_choice.c checkpoint_open|open_files|hash_file|source_open|checkpoint_doubles|checkpoint_find|checkpoint_unchanged|average_of_step|is_shard|is_meant|keep_part
folder       tools/checkpoint/diffusers_folder.c,tools/checkpoint/diffusers_weights.c,tools/family/family.c,tools/family/conversion.c,tools/family/converted_model.c,tools/family/family_diffusers.c,tools/family/diffusers_scheduler.c,tools/family/diffusers_words.c,tools/family/unet_config.c holds_unet|open_one_of|diffusers_folder_beside|is_weights|conversion_shape|conversion_has|conversion_check_int|conversion_freq_divide_first|family_names|converted_weights|read_part|unet_from_json|number|is_true|says|read_ints|read_samplers|diffusers_word
settings     tools/family/settings.c,tools/family/settings_values.c,tools/family/settings_flags.c,tools/family/settings_yaml.c settings_(add_object|add_text|texts|ask)|split_words
picture      tools/sample/recipe.c                           recipe_compare|tell_difference
image tools/image/image_file.c,tools/image/image_png.c,tools/image/image_jpeg.c,tools/image/image_webp.c .*_head|.*_text
dataset tools/image/dataset_array.c,tools/image/dataset_numpy.c,tools/image/dataset_npz.c,tools/image/dataset.c,tools/image/dataset_open.c .*(class|part).*
manifest       tools/outdir/manifest.c,tools/outdir/manifest_lines.c,tools/outdir/manifest_write.c manifest_hash|manifest_join|by_state|manifest_ask|manifest_write|begin_file|append
saved_batch       tools/outdir/saved_batch.c                           saved_batch_(remove|check)
plan         tools/training/training_plan.c                    -
resume       tools/training/training_log.c,src/train/snapshot.c metadata|training_log_step|dd_snapshot_model|train_object|fill_kept|training_log_held|wrong'

cd "$work" || exit 1
[ -f config.mak ] || "$src/configure" CC=clang --without-openmp --without-dnnl --without-avx512 --without-avx2 CFLAGS='-O1 -fprofile-instr-generate -fcoverage-mapping' \
	LDFLAGS=-fprofile-instr-generate >configure.out || { cat configure.out; exit 1; }
${MAKE:-make} -s $(echo "$readers" | sed 's,\([a-z_]*\).*,build/fuzz_\1,') >make.log 2>&1 || { tail -n 20 make.log; exit 1; }

sh "$src/tests/fuzz/corpus.sh" unpack committed || exit 1

# measure READER FILES PATTERN: lcov's records of the functions (FN) and lines (DA) of those files, added up.
measure() {
	rm -f "$1.raw"
	LLVM_PROFILE_FILE=$1.raw "build/fuzz_$1" "committed/fuzz_$1" >/dev/null 2>&1 ||
		{ echo "$1: its corpus does not pass"; return 1; }
	llvm-profdata merge -o "$1.profile" "$1.raw" || return 1
	llvm-cov export -format=lcov -instr-profile "$1.profile" "build/fuzz_$1" >"$1.lcov" || return 1
	awk -v reader="$1" -v files=",$2," -v leave="$3" -v top="$src/" -v show="${SHOW:-}" '
		/^SF:/ { file = match($0, /(src|tools)\/[a-z_\/]*\.c$/) ? substr($0, RSTART) : ""; within = ""; wanted = index(files, "," file ","); split("", name)
		         for (n = 0; wanted && (getline line <(top file)) > 0;) text[++n] = line }
		!wanted { next }
		/^FN:/ { split(substr($0, 4), f, ","); name[f[1]] = f[2] }
		/^DA:/ { split(substr($0, 4), d, ","); if (d[1] in name) within = name[d[1]]; sub(/^.*:/, "", within)
		         if (leave != "-" && within ~ "^(" leave ")$" || text[d[1]] ~ /ENOMEM|out_of_memory|no_memory|error_memory/ || text[d[1]] ~ /^[{}]$/) next
		         lines++; if (d[2] > 0) reached++; else if (show) print "  " file ":" d[1] ": " text[d[1]] }
		END { printf "%s: %d of %d lines, %.1f %%\n", reader, reached, lines, 100 * reached / lines; exit reached < 0.9 * lines }' "$1.lcov"
}

passed=0 failed=0
while read -r reader files pattern; do
	case " ${*:-$reader} " in *" $reader "*) ;; *) continue ;; esac
	if measure "$reader" "$files" "$pattern"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
done <<END
$readers
END
echo "$passed passed, $failed failed, 0 skipped"
[ $failed -eq 0 ]
