# shellcheck shell=bash
#
# copy: rows that are written into a mount, and read from it: sections rows,
# durable, csv, cat and close of scripts/bench.

section_rows()
{
	local kind all=(ours_memory passthrough duckdb_objects duckdb_json
		duckdb_memory node sqlite_raw sqlite_json)
	local -A fewer=([D2]=5 [D3]=5 [D4]=5)

	use D1 "$rows_full"
	contest D1 "${all[@]}"
	print_contest D1 '`cp` of user documents (D1)' "${all[@]}"
	for kind in D1id D2 D3 D4; do
		use "$kind" "$((rows_full / ${fewer[$kind]:-1}))"
		contest "$kind" ours_memory passthrough
		print_contest "$kind" "\`cp\` of $kind" ours_memory passthrough
		rm -f "$input"
	done
}

section_durable()
{
	local all=(ours_disk ours_memory postgres_jsonb postgres_uuid)

	use D1 "$rows_full"
	contest durable "${all[@]}"
	print_contest durable 'Durable on disk' "${all[@]}"
}

section_csv()
{
	local all=(ours_disk ours_memory postgres_csv)

	use D5 "$rows_full"
	contest csv "${all[@]}"
	print_contest csv '`cp` of CSV (D5)' "${all[@]}"
	rm -f "$input"
}

read_all()
{
	cat "$1" >/dev/null
}

# Both read through a fresh mount: the kernel's cache holds nothing of the file.
run_ours_cat()
{
	remount_ours "$memory" && timed read_all "$memory/mnt/users/documents.jsonl"
}

run_passthrough_cat()
{
	mount_passthrough && timed read_all "$memory/pass/documents.jsonl" &&
		unmount_passthrough
}

section_cat()
{
	use D1 "$rows_full"
	run_ours_memory || fail 'cat: import'
	input=$memory/documents.jsonl
	cp "$memory/mnt/users/documents.jsonl" "$input"
	[ -n "${missing[passthrough]-}" ] || ln "$input" "$memory/pass-source"
	contest cat ours_cat passthrough_cat
	print_contest cat '`cat documents.jsonl`, nothing cached' \
		ours_cat passthrough_cat
	rm -f "$input" "$memory/pass-source/documents.jsonl"
}

# Records how much of copying $input the last close took, in percent.
time_close()
{
	local key=$1 place=$2 times_ns write_ns close_ns

	clear_users "$place" && sync -f "$place" || return
	times_ns=$("$build/tests/bench/write-close" "$input" \
		"$place/mnt/users/rows.jsonl" 2>>"$log") || return
	read -r write_ns close_ns <<<"$times_ns"
	holds_rows "$place" || return
	record "close/$key" "$(awk -v w="$write_ns" -v c="$close_ns" \
		'BEGIN { printf "%.1f", 100 * c / (w + c) }')"
	record "close-ms/$key" "$((close_ns / 1000000))"
}

section_close()
{
	local kind place key round

	printf '\n### The last close\n\n%s rows, median of %s\n\n' \
		"$(group "$rows_full")" "$runs"
	printf '| | close, ms | share of the whole copy |\n|---|---|---|\n'
	for kind in D1 D1id; do
		use "$kind" "$rows_full"
		for place in memory disk; do
			key=$kind/$place
			for ((round = 0; round < runs; round++)); do
				time_close "$key" "${!place}" || fail "close: $key"
			done
			printf '| %s, %s | %s | %s %% |\n' "$kind" "$place" \
				"$(median "close-ms/$key")" "$(median "close/$key")"
		done
	done
	rm -f "$input"
}
