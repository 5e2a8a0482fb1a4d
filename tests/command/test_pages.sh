#!/usr/bin/env bash
# What is made of the tables of options: --help, manual pages, completions; and
# the unit for systemd. Environment: CVX_PAGES, the folder of what was made;
# CVX_ZSH_DIR, where zsh's is installed.
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

complete_zsh() {
	zsh -f "$TESTS/../command/complete_zsh" "$CVX_PAGES" "convexfs $1"
}

case_zsh_completes_every_option() {
	need zsh
	local command name word
	for command in mount import export status serve; do
		complete_zsh "$command --" >"$command.offered"
	done
	complete_zsh 'mount -o ro,' >words.offered
	while read -r command name word; do
		if [ "$name" = -o ]; then
			[ "$word" = ro ] || grep -qx "$word" words.offered
		else
			grep -qx -- "$name" "$command.offered"
		fi || fail "not offered: $command $name $word"
	done < <(list)
	! grep -q admin mount.offered || fail "a hidden option is offered"
	expect_text "commands" "$(complete_zsh ex)" export
	expect_text "formats" "$(complete_zsh 'import --format jsonL')" jsonLines
	expect_text "formats" "$(complete_zsh 'import --format=jsonL')" jsonLines
	expect_text "modes" "$(complete_zsh 'mount -o ro,mode=app')" append
}

# Where each shell looks: where what is installed with the usual prefixes lies.
case_zsh_looks_where_it_is_installed() {
	need zsh
	case $CVX_ZSH_DIR in
	/usr/local/share/* | /usr/share/*) ;;
	*) return 0 ;; # then its owner tells zsh
	esac
	# shellcheck disable=SC2016 # of zsh
	zsh -fc 'print -l $fpath' >looked
	grep -qx "$CVX_ZSH_DIR" looked ||
		fail "zsh does not look into $CVX_ZSH_DIR: $(cat looked)"
}

# write_unit FOLDER: the unit, of the program that is tested.
write_unit() {
	mkdir -p "$1"
	sed "s|ExecStart=[^ ]*|ExecStart=$CVX_BIN|" \
		"$CVX_PAGES/convexfs@.service" >"$1/convexfs@.service"
}

case_unit_of_systemd_is_well_formed() {
	# It comes with the system, or not.
	command -v systemd-analyze >/dev/null || return 0
	write_unit .
	cp 'convexfs@.service' 'convexfs@tmp.service'
	XDG_RUNTIME_DIR=$DIR expect_status 0 systemd-analyze verify --user \
		--man=no "$DIR/convexfs@tmp.service"
	expect_text "what it says" "$(cat said)" ""
}

# Whether systemd can manage services of a user here, where it has not started
# the machine: as root, in namespaces of its own.
has_manager() {
	[ "$(id -u)" = 0 ] && [ ! -e /run/systemd/system ] &&
		[ -w /sys/fs/cgroup/systemd ] && [ -x /lib/systemd/systemd ] &&
		unshare --mount --pid --fork --mount-proc true
}

# enter_group NAME, leave_group NAME: a control group for this shell in each
# hierarchy that lets it, for the manager makes more below; and its removal.
enter_group() {
	local hierarchy
	for hierarchy in /sys/fs/cgroup/*/; do
		mkdir "$hierarchy$1" 2>/dev/null || continue
		{ echo "$BASHPID" >"$hierarchy$1/cgroup.procs"; } 2>/dev/null ||
			: # one of processors has to be given some first
	done
}

leave_group() {
	find /sys/fs/cgroup/*/"$1" -depth -type d -exec rmdir {} +
}

# In the namespaces: starts the unit for $MNT, writes a file there, stops it.
manage() {
	mount -t tmpfs tmpfs /run
	mkdir -p /run/systemd/system /run/user
	chmod 700 /run/user
	export XDG_RUNTIME_DIR=/run/user HOME=$DIR XDG_CONFIG_HOME=$DIR/.config
	timeout 50 /lib/systemd/systemd --user --unit=basic.target \
		>manager.log 2>&1 &
	await 20 test -S /run/user/systemd/private
	unit=convexfs@$(systemd-escape -p "$MNT").service
	systemctl --user start "$unit"
	use_mount
	systemctl --user stop "$unit"
	expect_text 'the unit' "$(systemctl --user is-active "$unit")" inactive
	systemctl --user exit
	wait
}

# By hand: the lines that systemd would run.
run_lines() {
	local line
	for line in ExecStartPre ExecStart ExecStop; do
		[ $line != ExecStop ] || use_mount
		sed -n "s|%f|$MNT|; s|^$line=||p" \
			'.config/systemd/user/convexfs@.service' >lines
		# shellcheck disable=SC2034 # named in the lines
		SOURCE=local OPTIONS=rw bash -ec '. ./lines'
	done
}

use_mount() {
	echo '{"n":1}' >"$MNT/t.jsonl"
	expect_text rows "$(wc -l <"$MNT/t/documents.jsonl")" 1
}

case_systemd_mounts_by_the_unit() {
	local status=0
	need fusermount3 /dev/fuse
	write_unit .config/systemd/user
	if has_manager; then
		export -f manage use_mount await expect_text fail
		(
			enter_group "convexfs-test-$$"
			unshare --mount --pid --fork --mount-proc bash -ec manage
		) || status=$?
		leave_group "convexfs-test-$$"
		[ $status -eq 0 ] || fail "$(tail -n 20 manager.log)"
	else
		run_lines
	fi
	if is_mounted "$MNT"; then
		fail "still mounted"
	fi
	expect_text 'the deployment' "$(find . -name catalog.sqlite3)" \
		./share/convexfs/local/catalog.sqlite3
}

run_cases "$@"
