#!/usr/bin/env bash
#
# What README.md says of Convex's own client, as it stands there.

# shellcheck source=tests/client/lib.sh
. "$(dirname "$0")/lib.sh"

# The lines of the example, in a file for the shell. The client is there already
# (scripts/deps), and the port is one that is free.
read_example() {
	sed -n '/^npm install convex$/,/^```$/p' "$SOURCE/../../README.md" |
		sed '$d' >example
	[ "$(wc -l <example)" -eq 6 ] || fail "not the example: $(cat example)"
	sed -i -e '/^npm install convex$/d' \
		-e 's/^convexfs serve &$/start/' \
		-e "s/127.0.0.1:3210/127.0.0.1:\$PORT/" example
}

# A folder where the client is installed.
install() {
	need npx "$CLIENT/node_modules/.bin/convex"
	ln -s "$CLIENT/node_modules" node_modules
	echo '{"dependencies":{"convex":"*"}}' >package.json
}

start() {
	"$CVX_BIN" serve --listen 127.0.0.1:0 >served 2>&1 &
	await 20 grep -q '^serving ' served
	# shellcheck disable=SC2034 # the example has it
	PORT=$(sed -n 's/^serving .*://p' served)
}

convexfs() {
	"$CVX_BIN" "$@"
}

case_README_import_data_and_export() {
	export npm_config_offline=true npm_config_update_notifier=false
	install
	read_example
	printf 'name,age\nAda,36\nAlan,41\n' >people.csv
	# shellcheck disable=SC1091 # made above
	. ./example >said 2>&1 </dev/null
	expect_said 'Added 2 documents to table "people"'
	expect_said '"Ada"'
	expect_said 'Downloaded snapshot export to people.zip'
	unzip -p people.zip people/documents.jsonl >got
	"$CVX_BIN" export --path - | bsdtar -xOf - people/documents.jsonl >want
	expect_file got want
	expect_text rows "$(wc -l <got)" 2
}

run_cases "$@"
