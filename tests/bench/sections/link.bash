# shellcheck shell=bash
#
# link: a link with a round trip of 50 ms, by a proxy of ours (slow-link), for
# not every kernel can delay what it sends: the section of scripts/bench.

label[linkimport]='`convexfs import` over the link'
label[linkclient]='`npx convex import` over the link'

link_url=''

# start_link MILLISECONDS [FILE]: as slow-link takes them.
start_link()
{
	local try

	rm -f "$memory/link"
	tests/bench/slow-link "${url#http://}" "$@" >"$memory/link" \
		2>>"$log" &
	link=$!
	for ((try = 0; try < 200; try++)); do
		[ ! -s "$memory/link" ] || break
		sleep 0.05
	done
	link_url=http://127.0.0.1:$(cat "$memory/link")
}

stop_link()
{
	kill "$link" && wait "$link"
	link=''
}

run_linkimport()
{
	timed served_import "$link_url"
}

run_linkclient()
{
	url=$link_url timed convex_import
}

section_link()
{
	local all=(linkimport linkclient)

	start_server && start_link 25 || fail 'link: start'
	use D1 "$rows_full"
	contest link "${all[@]}"
	print_contest link "$(($(stat -c %s "$input") / 1000000)) MB, 50 ms there and back" \
		"${all[@]}"
	stop_link
	kill "$server" && wait "$server"
	server=''
	rm -rf "$memory/serve" "$memory/link"
}
