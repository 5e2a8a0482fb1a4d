# shellcheck shell=bash
#
# contests: several programs do the same in turn, and a table tells how long
# each took; sourced by scripts/bench.

input='' rows=0

# use KIND ROWS: makes the rows, once, and makes them the input.
use()
{
	local suffix=jsonl

	[ "$1" != D5 ] || suffix=csv
	rows=$2
	input=$memory/$1-$2.$suffix
	[ -s "$input" ] || "$build/tests/bench/make-rows" "$1" "$2" >"$input"
}

# contest NAME ENTRANT...: each entrant imports $input, in turn.
contest()
{
	local name=$1 entrant round out=' '

	shift
	for ((round = 0; round <= runs; round++)); do
		for entrant in "$@"; do
			[ -z "${missing[${entrant%%_*}]-}" ] || continue
			[[ $out != *" $entrant "* ]] || continue
			if ! "run_$entrant"; then
				fail "$name: $entrant"
				out+="$entrant "
				unset "times[$name/$entrant]"
				continue
			fi
			say "  $name, round $round: $entrant $us µs"
			[ "$round" -eq 0 ] || record "$name/$entrant" "$us"
		done
	done
}

# print_contest NAME TITLE ENTRANT...: its figures as a table.
print_contest()
{
	local name=$1 title=$2 entrant size first

	shift 2
	first=$1
	size=$(stat -c %s "$input")
	printf '\n### %s\n\n%s rows, %s MB, median of %s\n\n' "$title" \
		"$(group "$rows")" "$(((size + 500000) / 1000000))" "$runs"
	printf '| | s | from – to | M rows/s | MB/s | time of convexfs |\n'
	printf '|---|---|---|---|---|---|\n'
	for entrant in "$@"; do
		if [ -n "${missing[${entrant%%_*}]-}" ]; then
			printf '| %s | missing: %s | | | | |\n' \
				"${label[$entrant]}" "${missing[${entrant%%_*}]}"
		elif [ -z "${times[$name/$entrant]-}" ]; then
			printf '| %s | failed | | | | |\n' "${label[$entrant]}"
		else
			printf '| %s ' "${label[$entrant]}"
			spread "$name/$entrant" | awk -v rows="$rows" \
				-v size="$size" \
				-v ratio="$(ratio "$name/$first" "$name/$entrant")" '{
				printf "| %.2f | %.2f – %.2f | %.2f | %.0f | %s |\n",
				$2 / 1e6, $1 / 1e6, $3 / 1e6, rows / $2, size / $2,
				ratio == "" ? "" : sprintf("%.2f ×", ratio) }'
		fi
	done
}
