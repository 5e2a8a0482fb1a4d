# What the fault tests share. Source it with the paths of import_once and of
# libfail_nth.so as arguments.
#
# The rows of the tests carry ids and times, so that a table equals the bytes
# that were imported.
set -u
once=$1
fail_nth=$2
dir=$(mktemp -d "${TMPDIR:-/tmp}/cvx-fault-XXXXXX") || exit 1
trap 'rm -rf "$dir"' EXIT

# rows COUNT PAD: lines as a table shows them, with ids that ascend
rows() {
	local pad
	pad=$(printf '%*s' "$2" '')
	awk -v count="$1" -v pad="${pad// /x}" 'BEGIN {
		for (i = 0; i < count; i++)
			printf "{\"n\":%d,\"pad\":\"%s\"}\n", i, pad
	}' > "$dir/rows.jsonl"
	rm -rf "$dir/made"
	"$once" import "$dir/made" t replace "$dir/rows.jsonl" > "$dir/out" &&
		"$once" cat "$dir/made" t
	rm -rf "$dir/made" "$dir/rows.jsonl"
}

number=0
ok() {
	number=$((number + 1))
	echo "ok $number - $1"
}

# not_ok NAME WHY…
not_ok() {
	number=$((number + 1))
	echo "not ok $number - $1"
	shift
	printf '# %s\n' "$@"
}

# start DIR: a deployment whose table t holds old.jsonl
start() {
	rm -rf "$1"
	cp -r "$dir/base" "$1"
}

# make_archive NAME: of the folder of the name
make_archive() {
	(cd "$dir/$1" && zip -q -r "../$1.zip" .) || {
		echo 'Bail out! cannot make an archive'
		exit 1
	}
}

# make_base ROWS: the table, and one stored file
make_base() {
	mkdir -p "$dir/files/_storage"
	: > "$dir/files/_storage/documents.jsonl"
	echo old > "$dir/files/_storage/kg2060r30c1g60r30c1g60r30d6hab3t.txt"
	make_archive files
	"$once" import "$dir/base" t replace "$1" > "$dir/out" &&
		"$once" import "$dir/base" t replace "$dir/files.zip" \
			> "$dir/out" || {
		echo "Bail out! cannot make a deployment: $(cat "$dir/out")"
		exit 1
	}
}

# make_backup ROWS LARGE: backup.zip with the rows as table t, an empty table u,
# as v the rows of LARGE without their ids, and two stored files
make_backup() {
	local id=kg202081040g2081040g2081056ha43g
	mkdir -p "$dir/backup/t" "$dir/backup/u" "$dir/backup/v" \
		"$dir/backup/_storage"
	echo "{\"_id\":\"$id\",\"contentType\":\"text/plain\"}" \
		> "$dir/backup/_storage/documents.jsonl"
	echo new > "$dir/backup/_storage/$id.txt"
	head -c 300000 "$2" \
		> "$dir/backup/_storage/kg2040g2081040g2081040g2096ha7qn"
	cp "$1" "$dir/backup/t/documents.jsonl"
	: > "$dir/backup/u/documents.jsonl"
	sed 's/,"_creationTime.*/}/; s/"_creationTime":[^,]*,"_id":"[^"]*",//' \
		"$2" > "$dir/backup/v/documents.jsonl"
	make_archive backup
}

# is_all_or_none WHICH: of the backup, the tables that were not there before
# are there if t is the new one (2), and are not if it is the old one (1); so
# are the stored files, and no others
is_all_or_none() {
	local table seen=0 files
	for table in u v; do
		env -u IMPORT_ONCE_DIES "$once" cat "$dir/d" $table \
			> "$dir/table" 2> "$dir/stderr" && seen=$((seen + 1))
	done
	files=$(env -u IMPORT_ONCE_DIES "$once" cat "$dir/d" _storage | wc -l)
	case $1:$seen:$files:$(find "$dir/d/files" -type f | wc -l) in
	1:0:1:1 | 2:2:2:2) return 0 ;;
	esac
	return 1
}
