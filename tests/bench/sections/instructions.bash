# shellcheck shell=bash
#
# instructions: what a row costs the scanner, in instructions: the section of
# scripts/bench.

# Instructions of scanning the first COUNT rows of a kind.
instructions_of()
{
	use "$1" "$2"
	valgrind --tool=callgrind --callgrind-out-file=/dev/null \
		"$build/tests/bench/scan_rows" "$input" 2>&1 |
		tee -a "$log" | awk '/Collected/ { print $NF }'
	rm -f "$input"
}

# The difference of two sizes leaves out what starting costs.
section_instructions()
{
	local kind few many

	printf '\n### The scanner\n\n| | instructions a row |\n|---|---|\n'
	for kind in D1 D2 D3 D4; do
		few=$(instructions_of "$kind" 1000)
		many=$(instructions_of "$kind" 3000)
		if [ -z "$few" ] || [ -z "$many" ]; then
			fail "instructions: $kind"
			continue
		fi
		record "instructions/$kind" "$(((many - few) / 2000))"
		printf '| %s | %s |\n' "$kind" \
			"$(group "$(median "instructions/$kind")")"
	done
}
