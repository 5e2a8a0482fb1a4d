# shellcheck shell=bash
#
# export: the section of scripts/bench about archives that a mount makes.

# A table, and stored files: texts, and such as do not shrink.
make_export()
{
	local mnt=$memory/export/mnt i

	use D1 "$rows_full"
	mkdir "$mnt/users" && cp "$input" "$mnt/users/" || return
	for ((i = 0; i < 12; i++)); do
		use D2 "$((rows_full / 200))"
		cp "$input" "$mnt/_storage/$i.json" &&
			head -c "$((rows_full * 3))" /dev/urandom \
				>"$memory/picture" &&
			cp "$memory/picture" "$mnt/_storage/$i.png" || return
	done
	rm -f "$input" "$memory/picture"
	cp -r "$mnt" "$memory/export/files"
}

# run_export PLACE: the archive of a mount, with its stored files.
run_export()
{
	rm -f "$memory/export/out.zip"
	timed cp "$1/mnt/.convex/snapshot-with-storage.zip" \
		"$memory/export/out.zip"
}

run_export_isal()
{
	run_export "$memory/export"
}

run_export_zlib()
{
	run_export "$memory/export-zlib"
}

zip_files()
{
	(cd "$memory/export/files" && zip -1 -q -r ../out.zip .)
}

run_zip_files()
{
	rm -f "$memory/export/out.zip"
	timed zip_files
}

label[export_isal]='**convexfs**, with isa-l'
label[export_zlib]='**convexfs**, with zlib'
label[zip_files]='`zip -1 -r` of the same files'

section_export()
{
	local place=$memory/export zlib=$memory/export-zlib all=() name idle
	local -A more=()

	mkdir -p "$place" "$zlib"
	ln -s "$place/state" "$zlib/state"
	mount_ours "$place" && make_export && remount_ours "$place" &&
		mount_ours "$zlib" "$build_zlib" || fail 'export: mount'
	! pkg-config --exists libisal || all+=(export_isal)
	all+=(export_zlib zip_files)
	for name in "$place" "$zlib"; do
		more[$name]=$(peak_of "${daemon[$name]}")
	done
	input=$memory/export/size
	truncate -s "$(du -sb "$place/files" | cut -f 1)" "$input"
	rows=$rows_full
	contest export "${all[@]}"
	print_contest export '`snapshot-with-storage.zip`' "${all[@]}"
	printf '\n| | idle, MiB | peak, MiB | more, MiB |\n|---|---|---|---|\n'
	for name in "$place" "$zlib"; do
		idle=${more[$name]}
		more[$name]=$(awk -v a="$(peak_of "${daemon[$name]}")" \
			-v b="$idle" 'BEGIN { printf "%.1f", (a - b) / 1024 }')
		record memory/export "${more[$name]}"
		printf '| %s | %s | %s | %s |\n' "${name##*/}" \
			"$((idle / 1024))" \
			"$(($(peak_of "${daemon[$name]}") / 1024))" \
			"${more[$name]}"
		unmount_ours "$name"
	done
	rm -rf "$place" "$zlib"
}
