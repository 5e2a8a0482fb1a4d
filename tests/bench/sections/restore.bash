# shellcheck shell=bash
#
# restore: archives that are restored, alone, without a mount: the section of
# scripts/bench.

label[libzip]='libzip reading the entries, nothing else'
label[zlib]='**convexfs**, with zlib'
label[isal]='**convexfs**, with isa-l'
label[one]='**convexfs**, one processor'
label[all]='**convexfs**, all processors'

archive=''

# zip_up NAME: the folder $memory/backup becomes the archive.
zip_up()
{
	archive=$memory/$1.zip
	(cd "$memory/backup" && zip -q -r "$archive" .)
	local status=$?
	rm -rf "$memory/backup"
	return "$status"
}

# make_tables KIND COUNT ROWS: the archive of so many tables.
make_tables()
{
	local i

	for ((i = 1; i <= $2; i++)); do
		mkdir -p "$memory/backup/t$i" &&
			"$build/tests/bench/make-rows" "$1" "$3" \
				>"$memory/backup/t$i/documents.jsonl" || return
	done
	zip_up "$1-$2"
}

# make_backup ROWS: the archive that Convex would make of D1id: rows as they are
# exported, with their marker, by ascending id.
make_backup()
{
	local rows=$memory/rows.jsonl exported=$memory/exported.zip
	local from=local:$memory/exported status

	mkdir -p "$memory/backup" &&
		"$build/tests/bench/make-rows" D1id "$1" >"$rows" &&
		"$build/fs/convexfs" import --source "$from" --table t1 \
			"$rows" 2>>"$log" &&
		"$build/fs/convexfs" export --source "$from" \
			--path "$exported" 2>>"$log" &&
		unzip -q "$exported" -d "$memory/backup"
	status=$?
	rm -rf "$rows" "$exported" "$memory/exported"
	[ "$status" -eq 0 ] && zip_up backup
}

# measure_archive NAME WHO: the time, processor time and memory of one run.
measure_archive()
{
	local key=restore/$1/$2 figures cpu kib
	local -A command=(
		[libzip]="$build/tests/bench/read-zip"
		[isal]="$build/tests/bench/restore-zip $memory/restored"
		[zlib]="$build_zlib/tests/bench/restore-zip $memory/restored"
		[all]="$build/tests/bench/restore-zip $memory/restored"
		[one]="taskset -c 0 $build/tests/bench/restore-zip $memory/restored"
	)

	rm -rf "$memory/restored"
	# shellcheck disable=SC2086 # a command of several words
	figures=$(${command[$2]} "$archive" 2>>"$log") || return
	rm -rf "$memory/restored"
	read -r us cpu kib <<<"$figures"
	say "  restore $1, round $round: $2 $us µs"
	[ "$round" -eq 0 ] && return
	record "$key" "$us"
	record "$key/cpu" "$cpu"
	record "$key/mib" "$(awk -v k="${kib:-0}" 'BEGIN { printf "%.1f", k / 1024 }')"
}

# contest_restore NAME TITLE WHO...: each in turn, the first one is the peer.
contest_restore()
{
	local name=$1 title=$2 who round

	shift 2
	for ((round = 0; round <= runs; round++)); do
		for who in "$@"; do
			measure_archive "$name" "$who" ||
				fail "restore: $name: $who"
		done
	done
	printf '\n### %s\n\nA ZIP of %s MB, median of %s\n\n' "$title" \
		"$(($(stat -c %s "$archive") / 1000000))" "$runs"
	printf '| | s | from – to | s of processor time | memory, MiB |'
	printf ' time to the first |\n|---|---|---|---|---|---|\n'
	for who in "$@"; do
		printf '| %s ' "${label[$who]}"
		spread "restore/$name/$who" | awk \
			-v cpu="$(median "restore/$name/$who/cpu")" \
			-v mib="$(median "restore/$name/$who/mib")" \
			-v ratio="$(ratio "restore/$name/$who" "restore/$name/$1")" '{
			printf "| %.2f | %.2f – %.2f | %.2f | %s | %s × |\n",
			$2 / 1e6, $1 / 1e6, $3 / 1e6, cpu / 1e6,
			(mib > 0 ? mib : ""), ratio }'
	done
	rm -f "$archive"
}

section_restore()
{
	local kind who=(libzip zlib)
	local -A line=([D1]=198 [D1id]=272)

	# Only where it was found, the first build has isa-l.
	! grep -q HAVE_ISAL "$build/build.ninja" || who+=(isal)
	for kind in D1 D1id; do
		if ! make_tables "$kind" 1 $((restore_bytes / line[$kind])); then
			fail "restore: $kind"
			continue
		fi
		contest_restore "$kind" "Restoring one table ($kind)" "${who[@]}"
	done
	make_backup $((restore_bytes / line[D1id])) || fail 'restore: backup'
	contest_restore backup 'Restoring one table of a backup' "${who[@]}"
	make_tables D1 40 $((restore_bytes / 50000)) ||
		fail 'restore: 40 tables'
	contest_restore tables 'Restoring 40 tables' one all
}
