# shellcheck shell=bash
#
# table: what a table takes, on disk, to be appended to, and in memory while it
# comes: sections size, append and memory of scripts/bench.

# A deployment with one table, unmounted: what is on disk for what is shown.
section_size()
{
	local kind place=$memory/size shown stored

	printf '\n### Bytes stored\n\n| | shown | stored | stored / shown |\n'
	printf '|---|---|---|---|\n'
	for kind in D1 D1id; do
		use "$kind" "$rows_full"
		mount_ours "$place" && clear_users "$place" &&
			cp "$input" "$place/mnt/users/" ||
			fail "size: $kind"
		shown=$(stat -c %s "$place/mnt/users/documents.jsonl")
		unmount_ours "$place"
		stored=$(find "$place/state" -type f -printf '%s\n' |
			awk '{ s += $1 } END { print s + 0 }')
		record "size/$kind" "$(awk -v a="$stored" -v b="$shown" \
			'BEGIN { printf "%.3f", a / b }')"
		printf '| %s | %s | %s | %s |\n' "$kind" "$(group "$shown")" \
			"$(group "$stored")" "$(median "size/$kind")"
		rm -rf "$place"
	done
	rm -f "$input"
}

# Appends as a shell does them; the shell's fork is part of none.
append_in_shell()
{
	local file=$1 key=$2 i start

	for ((i = 0; i < append_count; i++)); do
		start=${EPOCHREALTIME/./}
		echo "{\"number\":$i,\"event\":\"signed in\"}" >>"$file" ||
			return
		record "$key" "$((${EPOCHREALTIME/./} - start))"
	done
}

append_in_program()
{
	local file=$1 key=$2

	"$build/tests/bench/append-lines" "$file" "$append_count" 2>>"$log" \
		>"$memory/appends" || return
	times[$key]=$(awk '{ printf "%.1f ", $1 / 1000 }' "$memory/appends")
}

# The time of reading the table users of a place once, nothing cached.
read_table()
{
	remount_ours "$1" && timed read_all "$1/mnt/users/documents.jsonl"
}

section_append()
{
	local place where file key

	use D1 "$rows_full"
	printf '\n### %s appends of one line\n\n' "$(group "$append_count")"
	printf 'Into a table of %s documents.\n\n' "$(group "$rows")"
	printf '| | one program, ms each | `echo >>`, ms each '
	printf '| reading afterwards, time to before |\n|---|---|---|---|\n'
	for where in memory disk; do
		place=${!where}
		file=$place/mnt/users/documents.jsonl
		key=append/$where
		rows=$rows_full
		run_ours "$place" && read_table "$place" && read_table "$place" &&
			record "$key/before" "$us" &&
			append_in_program "$file" "$key/program" &&
			append_in_shell "$file" "$key/shell" &&
			rows=$((rows_full + 2 * append_count)) &&
			holds_rows "$place" && read_table "$place" &&
			record "$key/after" "$us" ||
			fail "append: $where"
		printf '| %s | %s | %s | %s × |\n' "$where" \
			"$(milliseconds "$key/program")" \
			"$(milliseconds "$key/shell")" \
			"$(ratio "$key/after" "$key/before")"
	done
}

section_memory()
{
	local kind place=$memory/large idle peak
	local -A line=([D1]=198 [D1id]=272) id_size=([D1]=0 [D1id]=24)

	printf '\n### Memory during one large file\n\n'
	printf '| | file, MB | idle, MiB | peak, MiB | more, MiB | of it without '
	printf '24 B a row |\n|---|---|---|---|---|---|\n'
	for kind in D1 D1id; do
		use "$kind" "$((memory_bytes / line[$kind]))"
		mount_ours "$place" && clear_users "$place" || fail 'memory: mount'
		idle=$(peak_of "${daemon[$place]}")
		timed cp "$input" "$place/mnt/users/" && holds_rows "$place" ||
			fail "memory: $kind"
		peak=$(peak_of "${daemon[$place]}")
		record "memory/$kind" "$(awk -v k="$((peak - idle))" -v n="$rows" \
			-v id="${id_size[$kind]}" 'BEGIN {
			printf "%.1f", k / 1024 - n * id / 2^20 }')"
		awk -v kind="$kind" -v size="$(stat -c %s "$input")" \
			-v idle="$idle" -v peak="$peak" \
			-v net="$(median "memory/$kind")" 'BEGIN {
			printf "| %s | %.0f | %.1f | %.1f | %.1f | %s |\n", kind,
			size / 1e6, idle / 1024, peak / 1024,
			(peak - idle) / 1024, net }'
		unmount_ours "$place"
		rm -rf "$place" "$input"
	done
}
