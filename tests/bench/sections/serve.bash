# shellcheck shell=bash
#
# serve: Convex's own client, and mounts, by way of a server: the section of
# scripts/bench.

label[cp]='`cp` into a mount'
label[import]='`convexfs import`'
label[servedcp]='`cp` into a mount of `convexfs serve`'
label[servedimport]='`convexfs import` into `convexfs serve`'
label[client]='`npx convex import` into `convexfs serve`'

url='' key='' children_us=0

start_server()
{
	local place=$memory/serve try

	mkdir -p "$place"
	"$build/fs/convexfs" serve --listen 127.0.0.1:0 "local:$place/state" \
		>"$place/served" 2>>"$log" &
	server=$!
	for ((try = 0; try < 200; try++)); do
		! grep -q '^serving ' "$place/served" || break
		sleep 0.05
	done
	url=$(sed -n 's/^serving .* at //p' "$place/served")
	key=$("$build/fs/convexfs" status --show-key "local:$place/state")
	echo '{"dependencies":{"convex":"*"}}' >"$place/package.json"
}

# Microseconds of processor time: of the server, and of what has ended.
server_time()
{
	awk '{ print ($14 + $15) * 10000 }' "/proc/$server/stat"
}

# In this shell, not in one of its own.
children_time()
{
	times >"$memory/times"
	children_us=$(awk -F '[ms ]' 'NR == 2 {
		printf "%.0f\n", ($1 * 60 + $2 + $4 * 60 + $5) * 1e6 }' \
		"$memory/times")
}

# CI: else it reports to its makers, and fails when it cannot. PATH: where
# scripts/deps installs a newer Node if the machine's own is too old.
convex_import()
{
	(cd "$memory/serve" && CI=1 PATH=$(printf '%s:' \
		"$OLDPWD"/tests/client/node/node_modules/*/bin)$PATH exec node \
		"$OLDPWD/tests/client/node_modules/convex/bin/main.js" import \
		--table users --replace -y "$input" --url "$url" \
		--admin-key "$key" </dev/null)
}

# What the server does behind the client's end, it does for this import, too:
# until it takes no time for a while.
server_time_at_rest()
{
	local now last=-1 try

	for ((try = 0; try < 100; try++)); do
		now=$(server_time)
		[ "$now" != "$last" ] || break
		last=$now
		sleep 0.2
	done
	printf '%s\n' "$now"
}

run_client()
{
	local before

	before=$(server_time_at_rest)
	timed convex_import || return
	record serve/cpu/server "$(($(server_time_at_rest) - before))"
}

run_import()
{
	local before

	children_time
	before=$children_us
	timed "$build/fs/convexfs" import --table users --replace -y \
		--source "local:$memory/serve/state" "$input" || return
	children_time
	record serve/cpu/import "$((children_us - before))"
}

run_cp()
{
	run_ours "$memory/serve"
}

# mount_served PLACE URL: the same deployment, mounted by its URL.
mount_served()
{
	local place=$1

	mkdir -p "$place/mnt" "$place/cache"
	CONVEX_SELF_HOSTED_ADMIN_KEY=$key XDG_CACHE_HOME=$place/cache \
		"$build/fs/convexfs" mount "$2" "$place/mnt" -f \
		>>"$log" 2>&1 &
	daemon[$place]=$!
	wait_for_mount "$place/mnt" "${daemon[$place]}"
}

# Microseconds that all processors together have worked.
busy_time()
{
	awk '$1 == "cpu" { print ($2 + $3 + $4 + $7 + $8) * 10000 }' /proc/stat
}

# cp, the mount and the server share the processors.
run_servedcp()
{
	local before

	clear_users "$memory/served" && sync -f "$memory/served" || return
	before=$(busy_time)
	timed cp "$input" "$memory/served/mnt/users/" || return
	record serve/busy "$(($(busy_time) - before))"
	holds_rows "$memory/served"
}

# served_import URL: by our own client.
served_import()
{
	CONVEX_SELF_HOSTED_URL=$1 CONVEX_SELF_HOSTED_ADMIN_KEY=$key \
		"$build/fs/convexfs" import --table users --replace -y \
		"$input" </dev/null
}

run_servedimport()
{
	timed served_import "$url"
}

# Reading a table for the first time (T-2), straight from the server: a way that
# counts requests would be slower than both.
read_first()
{
	local place=$memory/first round

	for ((round = 0; round < runs; round++)); do
		mount_served "$place" "$url" &&
			timed read_all "$place/mnt/users/documents.jsonl" ||
			return
		say "  first, round $round: $us µs"
		record cached/first "$us"
		unmount_ours "$place"
		rm -rf "$place"
	done
}

# Opening what was read before (T-2), through a way that counts the requests,
# which takes its time as well. A pause before each: what was asked a moment ago
# would not be asked again.
open_cached()
{
	local place=$memory/cached file round
	file=$place/mnt/users/documents.jsonl

	start_link 0 "$memory/asked" && mount_served "$place" "$link_url" &&
		read_all "$file" || return
	for ((round = 0; round < runs; round++)); do
		sleep 2
		: >"$memory/asked"
		timed head -c 1 "$file" || return
		say "  cached, round $round: $us µs"
		record cached/byte "$us"
		record cached/requests "$(wc -l <"$memory/asked")"
	done
	printf '\nA table of %s MB, behind a URL: read for the first time in ' \
		"$(($(stat -c %s "$file") / 1000000))"
	printf '%s s; then `head -c 1` of it in %s ms, with %s requests:\n\n' \
		"$(awk -v t="$(median cached/first)" 'BEGIN {
			printf "%.1f", t / 1e6 }')" \
		"$(milliseconds cached/byte)" "$(median cached/requests)"
	sed 's/.*/    &/' "$memory/asked"
	unmount_ours "$place"
	stop_link
	rm -rf "$place"
}

section_serve()
{
	local all=(cp import servedcp servedimport client)

	mount_ours "$memory/serve" && start_server || fail 'serve: start'
	mount_served "$memory/served" "$url" || fail 'serve: mount'
	use D1 "$rows_full"
	contest serve "${all[@]}"
	print_contest serve 'the same file by five ways, memory-backed' "${all[@]}"
	printf '\nTime of %s: %s × that of %s, %s × that of %s, which is %s × ' \
		"${label[client]}" \
		"$(ratio serve/client serve/import)" "${label[import]}" \
		"$(ratio serve/client serve/cp)" "${label[cp]}" \
		"$(ratio serve/cp serve/import)"
	printf 'that of %s.\n' "${label[import]}"
	printf '\nProcessor time: server %.2f s, `convexfs import` %.2f s: %s ×\n' \
		"$(median serve/cpu/server)e-6" "$(median serve/cpu/import)e-6" \
		"$(ratio serve/cpu/server serve/cpu/import)"
	printf '\n%s keeps %d processors busy for %.2f s: less than %.2f s ' \
		"${label[servedcp]}" "$(nproc)" "$(median serve/busy)e-6" \
		"$(awk -v t="$(median serve/busy)" -v n="$(nproc)" 'BEGIN {
			print t / n / 1e6 }')"
	printf 'it cannot take here, which is %s × %s.\n' \
		"$(awk -v t="$(median serve/busy)" -v n="$(nproc)" \
			-v i="$(median serve/import)" 'BEGIN {
			printf "%.2f", t / n / i }')" "${label[import]}"
	unmount_ours "$memory/served"
	read_first || fail 'serve: reading a table for the first time'
	open_cached || fail 'serve: opening a cached table'
	kill "$server" && wait "$server"
	server=''
	unmount_ours "$memory/serve"
	rm -rf "$memory/serve" "$memory/served"
}
