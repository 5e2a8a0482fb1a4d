#!/usr/bin/env bash
# What is made of the tables of options: --help, manual pages, completions; and
# the unit for systemd. Environment: CVX_PAGES, the folder of what was made.
# shellcheck source=tests/mount/lib.sh disable=SC2119,SC2317,SC2031
. "$(dirname "$0")/../mount/lib.sh"

CVX_PAGES=${CVX_PAGES:-$(dirname "$CVX_BIN")/install}

# Each option: "import --table", "mount -o mode".
list() {
	"$CVX_PAGES/print-options" list
}

# Plain text without bold and underline.
page() {
	mandoc -T ascii -O width=78 "$CVX_PAGES/$1" | col -bx
}

# The section of a command in convexfs(1).
section() {
	page convexfs.1 | sed -n "/^   convexfs $1$/,/^   convexfs /p;
		/^   convexfs $1$/,/^ENVIRONMENT/p"
}

case_pages_have_no_faults() {
	need mandoc
	local file
	for file in convexfs.1 convexfs.5 mount.convexfs.8; do
		mandoc -T lint -W warning "$CVX_PAGES/$file" >>faults || :
		! grep -q '^@' "$CVX_PAGES/$file" || fail "$file: not filled in"
	done
	expect_text "faults" "$(cat faults)" ""
}

case_pages_tell_every_option_of_every_command() {
	need mandoc
	local command name word count=0
	for command in mount import export status serve; do
		section $command >"$command.section"
	done
	page mount.convexfs.8 >helper
	while read -r command name word; do
		count=$((count + 1))
		grep -qE "^ +(-., )?$name( |$)" "$command.section" ||
			grep -qE "^ +$word(=| |$)" "$command.section" ||
			fail "convexfs(1) does not tell: $command $name $word"
		[ "$name" != -o ] || grep -qE "^ +$word(=| |$)" helper ||
			fail "mount.convexfs(8) does not tell: $word"
	done < <(list)
	[ $count -gt 40 ] || fail "only $count options"
}

case_help_tells_every_option_of_every_command() {
	local command name word
	while read -r command name word; do
		"$CVX_BIN" "$command" --help >help
		[ "$name" != -o ] || name=$word
		grep -qE -- "^ +(-., )?$name(=| |$)" help ||
			fail "--help does not tell: $command $name"
	done < <(list)
	"$CVX_BIN" --help >help
	for command in mount import export status serve; do
		grep -q "^  $command " help || fail "--help: no $command"
		expect_text "lines of $command --help that are too long" \
			"$("$CVX_BIN" $command --help | grep -cE '.{101}')" 0
	done
}

# complete_bash WORD...: what bash offers for the last word.
complete_bash() (
	# shellcheck disable=SC1091 # made by the build
	. "$CVX_PAGES/convexfs"
	compopt() { :; }
	COMP_WORDS=(convexfs "$@") COMP_CWORD=$#
	_convexfs
	printf '%s\n' "${COMPREPLY[@]}"
)

case_bash_completes_every_option() {
	local command name word
	while read -r command name word; do
		if [ "$name" = -o ]; then
			complete_bash "$command" -o "ro,$word"
		else
			complete_bash "$command" "$name"
		fi >offered
		grep -qE -- "^(ro,$word=?|$name)$" offered ||
			fail "not offered: $command $name $word"
	done < <(list)
	expect_text "commands" "$(complete_bash ex)" export
	expect_text "formats" "$(complete_bash import --format jsonL)" jsonLines
	expect_text "tables" "$(complete_bash import --table x)" ""
	complete_bash mount -- >offered
	! grep -q admin offered || fail "a hidden option is offered"
}

complete_fish() {
	fish -c "source $CVX_PAGES/convexfs.fish; complete -C 'convexfs $1'" |
		cut -f 1
}

case_fish_completes_every_option() {
	need fish
	local command name word
	fish --no-execute "$CVX_PAGES/convexfs.fish"
	for command in mount import export status serve; do
		complete_fish "$command --" >"$command.offered"
	done
	complete_fish 'mount -o ro,' >words.offered
	while read -r command name word; do
		if [ "$name" = -o ]; then
			grep -qE "^ro,$word=?$" words.offered
		else
			grep -qx -- "$name" "$command.offered"
		fi || fail "not offered: $command $name $word"
	done < <(list)
	expect_text "commands" "$(complete_fish ex)" export
}

# There is no way to ask zsh without a terminal; its function is read, and
# each option must stand in it.
case_zsh_knows_every_option() {
	need zsh
	local command name word
	zsh -n "$CVX_PAGES/_convexfs"
	while read -r command name word; do
		if [ "$name" = -o ]; then
			grep -q "^		'$word\[" "$CVX_PAGES/_convexfs"
		else
			sed -n "/^	$command)$/,/;;/p" "$CVX_PAGES/_convexfs" |
				grep -qE -- "(^|\\{-.,|')$name(=|\\[|\\})"
		fi || fail "zsh does not know: $command $name $word"
	done < <(list)
}

case_unit_of_systemd_is_well_formed() {
	# It comes with the system, or not.
	command -v systemd-analyze >/dev/null || return 0
	sed "s|ExecStart=[^ ]*|ExecStart=$CVX_BIN|" \
		"$CVX_PAGES/convexfs@.service" >'convexfs@tmp.service'
	XDG_RUNTIME_DIR=$DIR expect_status 0 systemd-analyze verify --user \
		--man=no "$DIR/convexfs@tmp.service"
	expect_text "what it says" "$(cat said)" ""
}

run_cases "$@"
