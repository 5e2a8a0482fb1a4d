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

make_base() {
	"$once" import "$dir/base" t replace "$1" > "$dir/out" || {
		echo "Bail out! cannot make a deployment: $(cat "$dir/out")"
		exit 1
	}
}

# make_backup ROWS LARGE: backup.zip with the rows as table t, an empty table u,
# and as v the rows of LARGE without their ids
make_backup() {
	mkdir -p "$dir/backup/t" "$dir/backup/u" "$dir/backup/v"
	cp "$1" "$dir/backup/t/documents.jsonl"
	: > "$dir/backup/u/documents.jsonl"
	sed 's/,"_creationTime.*/}/; s/"_creationTime":[^,]*,"_id":"[^"]*",//' \
		"$2" > "$dir/backup/v/documents.jsonl"
	(cd "$dir/backup" && zip -q -r ../backup.zip .) || {
		echo 'Bail out! cannot make an archive'
		exit 1
	}
}

# is_all_or_none WHICH: of the backup, the tables that were not there before
# are there if t is the new one (2), and are not if it is the old one (1)
is_all_or_none() {
	local table seen=0
	for table in u v; do
		env -u IMPORT_ONCE_DIES "$once" cat "$dir/d" $table \
			> "$dir/table" 2> "$dir/stderr" && seen=$((seen + 1))
	done
	case $1:$seen in
	1:0 | 2:2) return 0 ;;
	esac
	return 1
}
