#!/usr/bin/env bash
#
# The table of recorded runs (transcripts.txt) is whole and true.

# shellcheck source=tests/client/lib.sh
. "$(dirname "$0")/lib.sh"

# The runs that were recorded, each kind from 01 up.
recorded() {
	printf 'data-%02d\n' $(seq 10)
	printf 'export-%02d\n' $(seq 6)
	printf 'import-%02d\n' $(seq 29)
	printf 'select-%02d\n' $(seq 34)
}

rows() {
	grep -v '^#' "$SOURCE/transcripts.txt"
}

case_every_recorded_run_is_in_the_table() {
	local spec=$TESTS/../../../shared/spec/transcripts
	recorded >want
	rows | cut -d ' ' -f 1 | sort -u >got
	expect_file got want
	# What our own client is held to.
	jq -r '.[].name' "$TESTS"/../data/transcripts/{import,select}.json |
		grep -oE '^[a-z]+-[0-9]+' | sort -u | comm -23 - want >unknown
	expect_text 'recorded, but not in the table' "$(cat unknown)" ''
	# Beside the checkout, sometimes.
	[ ! -d "$spec" ] || expect_text 'all there are' \
		"$(find "$spec" -name '*-*.json' -printf '%f\n' |
			grep -oE '^[a-z]+-[0-9]+' | sort)" "$(cat want)"
}

# The case, with the comment above it; "import-02, -03" says import-03.
text_of_case() {
	perl -0ne 'my ($case) = m{((?:^\#[^\n]*\n)*^'"$2"'\(\) \{\n.*?^\})}ms
		or exit 1;
		1 while $case =~ s/(import|export|data|select)(-\d\d\b[^.;:]*?[\s])(-\d\d)\b/$1$2$1$3/;
		print $case;' "$1"
}

case_every_row_names_a_case_that_says_so() {
	local name file case count=0
	while read -r name file case; do
		count=$((count + 1))
		if [[ $file = *.c ]]; then
			grep -q "$case" "$SOURCE/$file" ||
				fail "$file: no $case"
			grep -q "\"$name-" "$TESTS/../data/transcripts/select.json" ||
				fail "select.json: no $name"
			continue
		fi
		text_of_case "$SOURCE/$file" "case_$case" >text ||
			fail "$file: no case $case"
		grep -q -- "$name" text ||
			fail "$file: case $case does not say $name"
	done < <(rows)
	[ $count -gt 79 ] || fail "only $count rows"
}

run_cases "$@"
