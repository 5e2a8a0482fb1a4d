# shellcheck shell=bash
#
# kind: what the cases mount (lib.sh). Every case is there for both kinds of
# deployment, one run of a file for each:
#
#   CVX_KIND=embedded  the deployment in the folder $STATE (when nothing is set)
#   CVX_KIND=remote    the same folder, held by `convexfs serve` on a port of its
#                      own; a mount has no source, and is told by
#                      CONVEX_SELF_HOSTED_URL and CONVEX_SELF_HOSTED_ADMIN_KEY
#
# A server begins with the first mount of its folder. It stays while mounts come
# and go, as deployments do, and ends with the case.
#
# A case whose first command is
#
#   embedded_only REASON
#
# is not listed for the remote kind. The reason is something that deployments
# elsewhere cannot have, never that it fails. One that begins with
#
#   not_yet_remote WHAT
#
# is not listed there either, until mounts of such deployments can do what is
# named.

KIND=${CVX_KIND:-embedded}
case $KIND in
embedded | remote) ;;
*)
	echo "CVX_KIND is embedded or remote, not '$KIND'" >&2
	exit 1
	;;
esac

declare -A held=()      # folder -> process id of its server
declare -A held_urls=() # folder -> its URL
declare -A held_keys=() # folder -> its admin key

embedded_only() {
	[ "$KIND" = embedded ] || fail "not for the kind $KIND: $1"
}

not_yet_remote() {
	embedded_only "$1"
}

# is_for_kind FUNCTION: whether the case is listed.
is_for_kind() {
	[ "$KIND" = embedded ] || ! declare -f "$1" | sed -n 3p |
		grep -qE '^ *(embedded_only|not_yet_remote) '
}

# of_kind EMBEDDED REMOTE: prints one of the two. To tell apart only what the
# protocol tells apart, which the case says.
of_kind() {
	if [ "$KIND" = embedded ]; then
		echo "$1"
	else
		echo "$2"
	fi
}

# A port that stays this case's while nobody listens there: not one of those
# that the kernel gives to whoever asks for any, nor another case's.
find_port() {
	PORT=$((10000 + BASHPID % 20000))
	while (: <"/dev/tcp/127.0.0.1/$PORT") 2>/dev/null; do
		PORT=$((PORT + 1))
	done
}

# launch_server FOLDER ADDR:PORT [OPTION...]: port 0 is any that is free. Sets
# SERVER, URL and KEY.
launch_server() {
	local folder=$1 listen=$2 log
	shift 2
	touch "$DIR/.daemons"
	log=$DIR/.log.$(($(wc -l <"$DIR/.daemons") + 1)).server
	: >"$log"
	setsid "$CVX_BIN" serve --listen "$listen" "$@" "local:$folder" \
		>"$log" 2>&1 </dev/null &
	SERVER=$!
	echo "$SERVER" >>"$DIR/.daemons"
	until grep -q '^serving ' "$log"; do
		kill -0 "$SERVER" 2>/dev/null || {
			cat "$log"
			fail "the server did not start"
		}
		sleep 0.01
	done
	URL=$(sed -n 's/^serving .* at //p' "$log")
	KEY=$("$CVX_BIN" status --show-key "local:$folder")
	export URL KEY
}

hold() {
	local folder=$1
	[ -z "${held[$folder]-}" ] || return 0
	launch_server "$folder" 127.0.0.1:0
	held[$folder]=$SERVER
	held_urls[$folder]=$URL
	held_keys[$folder]=$KEY
}

# select_deployment FOLDER: the words that `convexfs mount` takes for it go to
# the array DEPLOYMENT, and what else selects it to the environment; SHOWN is
# what the mount calls it. A URL is itself.
select_deployment() {
	local folder=$1
	SHOWN=local:$folder
	[[ $folder != *://* ]] || SHOWN=$folder
	DEPLOYMENT=("$SHOWN")
	[[ $KIND = remote && $folder != *://* ]] || return 0
	hold "$folder"
	SHOWN=${held_urls[$folder]}
	DEPLOYMENT=()
	export CONVEX_SELF_HOSTED_URL=$SHOWN
	export CONVEX_SELF_HOSTED_ADMIN_KEY=${held_keys[$folder]}
	export no_proxy='*'
}

# release FOLDER: its server ends, with status 0; the folder is at rest.
release() {
	local folder=$1 status=0 pid=${held[$1]-}
	[ -n "$pid" ] || return 0
	kill -TERM "$pid"
	wait "$pid" || status=$?
	unset "held[$folder]"
	[ $status -eq 0 ] || fail "the server ended with status $status"
}

release_all() {
	local folder
	for folder in "${!held[@]}"; do
		release "$folder"
	done
}

expect_held() {
	local folder
	for folder in "${!held[@]}"; do
		kill -0 "${held[$folder]}" 2>/dev/null ||
			fail "the server is gone"
	done
}
