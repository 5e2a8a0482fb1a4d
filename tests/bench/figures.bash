# shellcheck shell=bash
#
# figures: times that were taken, their medians and ratios, and what they are
# held against; sourced by scripts/bench.

declare -A times=()
us=0

# Runs a command; us becomes the microseconds it took.
timed()
{
	local start end

	start=${EPOCHREALTIME/./}
	"$@" >>"$log" 2>&1 || return
	end=${EPOCHREALTIME/./}
	us=$((end - start))
}

# record KEY NUMBER: one more measurement of KEY.
record()
{
	times[$1]+="$2 "
}

# Smallest, median and largest of what was recorded under a key, or nothing.
spread()
{
	[ -n "${times[$1]-}" ] || return 0
	tr ' ' '\n' <<<"${times[$1]% }" | sort -g | awk '{ v[NR] = $1 } END {
		m = NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2
		printf "%.10g %.10g %.10g\n", v[1], m, v[NR] }'
}

median()
{
	spread "$1" | cut -d ' ' -f 2
}

# ratio A B: median of A through median of B, or nothing if one is missing.
ratio()
{
	awk -v a="$(median "$1")" -v b="$(median "$2")" \
		'BEGIN { if (a != "" && b > 0) printf "%.3f", a / b }'
}

# What there is to do against what, in the order of the goals' table.
goals=()

# goal WORK AGAINST max|min LIMIT VALUE [UNIT]; an empty VALUE was not measured.
goal()
{
	local unit=${6-×} sign='≤' verdict

	[ "$3" = max ] || sign='≥'
	if [ -z "$5" ]; then
		goals+=("| $1 | $2 | $sign $4 $unit | not measured | |")
		return
	fi
	verdict=$(awk -v v="$5" -v l="$4" -v d="$3" 'BEGIN {
		print (d == "max" ? v <= l : v >= l) ? "PASS" : "over" }')
	[ "$3$verdict" != minover ] || verdict=under
	goals+=("| $1 | $2 | $sign $4 $unit | $5 $unit | $verdict |")
}

# Median and largest of a key in ms.
milliseconds()
{
	spread "$1" | awk '{ printf "%.2f (largest %.1f)", $2 / 1e3, $3 / 1e3 }'
}

# 1000000 -> 1,000,000
group()
{
	sed ':a; s/\([0-9]\)\([0-9]\{3\}\)\($\|,\)/\1,\2\3/; ta' <<<"$1"
}
