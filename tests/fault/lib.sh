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
