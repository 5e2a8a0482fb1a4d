#!/usr/bin/env bash
#
# What clients should not send to `convexfs serve`, and what they get for it:
# requests by hand (protocol.md 3, 6, 7, 13).

# shellcheck source=tests/client/lib.sh
. "$(dirname "$0")/lib.sh"

ask() {
	curl -sS -w ' %{http_code}' "$@"
}

# HTTP-1, -2, -7; SEL-8.
case_HTTP7_keys() {
	local secret path=/api/check_admin_key
	start_server
	secret=${KEY#*|}
	expect_call '.*BadDeployKey.* 403$' ask "$URL$path"
	expect_call '.*InvalidHeaderFailure.* 400$' \
		ask -H 'Authorization: x' "$URL$path"
	expect_call '.*InvalidAdminKey.* 400$' \
		ask -H "Authorization: Basic $KEY" "$URL$path"
	expect_call '.*BadDeployKey.* 403$' \
		ask -H 'Authorization: Bearer x' "$URL$path"
	expect_call '.*BadAdminKey.* 401$' \
		ask -H 'Authorization: Convex x' "$URL$path"
	expect_call '.*BadAdminKey.* 401$' \
		ask -H "Authorization: Convex ${KEY}0" "$URL$path"
	expect_call '.*BadAdminKey.* 401$' \
		ask -H "Authorization: Convex other|$secret" "$URL$path"
	for key in "$KEY" "prod:$KEY" "preview:a:b|$secret" "project:a:b|$secret" \
		"$KEY:e30="; do
		expect_call '.*"success":true.* 200$' \
			ask -H "Authorization: cOnVeX $key" "$URL$path"
	done
	expect_call '.* 200$' ask -G --data-urlencode "adminKey=$KEY" "$URL$path"
	expect_call '.*BadAdminKey.* 401$' ask "$URL$path?adminKey=x"
	stop_server
}

# HTTP-3, -4, -6; URL-2.
case_HTTP_requests_that_are_not_understood() {
	start_server
	for client in npm-0.19.1 npm-cli-0.1.0 python-0.0.2; do
		expect_call '400.*ClientVersionUnsupported' \
			call GET /api/check_admin_key -H "Convex-Client: $client"
	done
	expect_call '400.*InvalidClientVersion' \
		call GET /api/check_admin_key -H 'Convex-Client: nothing'
	for client in npm-1.48.0 npm-cli-1.48.0-alpha.1 own-thing-0.0.1; do
		expect_call 200 \
			call GET /api/check_admin_key -H "Convex-Client: $client"
	done
	expect_call '404 $' call GET /api/nothing
	expect_call '404 $' call PUT /api/query
	expect_call '404 $' call DELETE /version
	for body in '{' '[]' '{}x' '' '{"importId":1}'; do
		expect_call '400.*BadJsonBody' post /api/perform_import "$body"
	done
	expect_call '400.*BadJsonBody' call POST /api/perform_import \
		-H 'Content-Type: text/plain' -d '{"importId":"x"}'
	expect_call '400.*InvalidImport' post //api/perform_import \
		'{"importId":"x"}'
	expect_call '404.*ImportNotFound' post /api/cancel_import \
		'{"importId":"km29sjqcepwrc6g3rv62m51skhkzkjfd"}'
	head -c 17000000 /dev/zero | tr '\0' ' ' >spaces
	expect_call '400.*BadJsonBody' call POST /api/query \
		-H 'Content-Type: application/json' --data-binary @spaces
	expect_call '400.*BadFormat' post /api/query \
		'{"path":"_system/cli/tables","args":{},"format":"x"}'
	expect_call '200.*ArgumentValidationError' post /api/query \
		'{"path":"_system/cli/queryImport","args":{}}'
	KEY=x expect_call '401.*BadAdminKey' post /api/query \
		'{"path":"_system/cli/queryImport:list","args":{}}'
	expect_call '.*SystemIdentityRequired' curl -sS "$URL/api/query" \
		-H 'Content-Type: application/json' \
		-d '{"path":"_system/cli/queryImport:list","args":{}}'
	# Many values are a lot of memory, however short they are.
	printf '{"path":"a:b","args":{"x":[0%s]}}' \
		"$(head -c 400000 /dev/zero | sed 's/\x00/,1/g')" >values
	expect_call '400.*too many values' call POST /api/query \
		-H 'Content-Type: application/json' --data-binary @values
	printf '{"path":"a:b","args":{"x":"%s"}}' \
		"$(head -c 400000 /dev/zero | tr '\0' ,)" >values
	expect_call '200.*Could not find' call POST /api/query \
		-H 'Content-Type: application/json' --data-binary @values
	expect_call '200 abc$' call POST /echo -H 'Content-Type: text/plain' \
		-d abc
	expect_call '200 ' call POST /echo --data-binary @spaces
	expect_call 'abc 200$' ask "$URL/echo" -d abc
	expect_call ' 413$' ask "$URL/echo" --data-binary @spaces
	stop_server
}

# send_part TOKEN NUMBER BYTES
send_part() {
	call POST "/api/import/upload_part?uploadToken=$1&partNumber=$2" \
		-H 'Content-Type: application/octet-stream' \
		--data-binary "$3" | sed 's/^200 //'
}

begin_upload() {
	call POST /api/import/start_upload | sed 's/^200 //' |
		jq -re .uploadToken
}

# end_upload TOKEN PART-TOKENS
end_upload() {
	post /api/import/finish_upload "{\"import\":{\"tableName\":\"t\",
		\"format\":\"jsonLines\"},\"uploadToken\":\"$1\",
		\"partTokens\":[$2]}"
}

# While the half part arrives, the upload cannot end.
has_ended() {
	IMPORT=$(end_upload "$UPLOAD" "$1")
	[[ $IMPORT = 200* ]]
}

# IMP-6 to IMP-11: parts in any order, again, half, by strangers.
case_IMP9_parts_and_tokens() {
	local first second other stale
	start_server
	UPLOAD=$(begin_upload)
	expect_call '400.*InvalidPartNumber' send_part "$UPLOAD" 0 x
	expect_call '400.*InvalidPartNumber' send_part "$UPLOAD" 10000 x
	expect_call '400.*InvalidPartNumber' send_part "$UPLOAD" 1x x
	expect_call '400.*InvalidUploadToken' send_part "${UPLOAD}0" 1 x
	expect_call '400.*BadQueryArgs' call POST \
		/api/import/upload_part?partNumber=1 -d x
	second=$(send_part "$UPLOAD" 2 $':2}\n')
	stale=$(send_part "$UPLOAD" 1 'wrong')
	first=$(send_part "$UPLOAD" 1 $'{"n":1}\n{"n"')
	other=$(send_part "$(begin_upload)" 1 'x')
	# A body that stops is no part, and its room is nobody's.
	# shellcheck disable=SC2016 # of JavaScript
	node -e 'const c = require("net").connect(process.argv[1], "127.0.0.1", () =>
		c.write(`POST /api/import/upload_part?uploadToken=${process.argv[2]}` +
			`&partNumber=3 HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n` +
			`Authorization: Convex ${process.argv[3]}\r\n\r\nhalf`,
			() => c.destroy()))' "${URL##*:}" "$UPLOAD" "$KEY"
	expect_call '400.*InvalidPartToken' end_upload "$UPLOAD" "$first,$other"
	expect_call '400.*InvalidPartToken' end_upload "$UPLOAD" "$first,$stale"
	expect_call '400.*InvalidPartToken' end_upload "$UPLOAD" "$first,\"9-99-0\""
	expect_call '400.*BadJsonBody' end_upload "$UPLOAD" "$first,1"
	expect_call '400.*InvalidUploadToken' end_upload "$KEY" "$first"
	await 10 has_ended "$second,$first"
	IMPORT=$(jq -re .importId <<<"${IMPORT#200 }")
	expect_call '400.*InvalidUploadToken' end_upload "$UPLOAD" "$first"
	expect_state "$IMPORT" waiting_for_confirmation
	expect_call '200 $' post /api/perform_import "{\"importId\":\"$IMPORT\"}"
	expect_state "$IMPORT" completed
	start_mount
	expect_numbers t 1 2
	stop_mount
	UPLOAD=$(begin_upload)
	for import in '"tableName":"1","format":"csv":ImportInvalidName' \
		'"format":"csv":InvalidName' \
		'"tableName":"t","format":"zip":InvalidName' \
		'"tableName":"t","format":"xls":BadJsonBody' \
		'"tableName":"t","format":"csv","mode":"x":BadJsonBody' \
		'"tableName":"t","format":"csv","componentPath":"-":InvalidComponentPath'; do
		expect_call "400.*${import##*:}" post /api/import/finish_upload \
			"{\"import\":{${import%:*}},\"uploadToken\":\"$UPLOAD\",
			\"partTokens\":[]}"
	done
	stop_server
}

# What could not be kept when it was finished (no room, here: no folder) can be
# finished once it can be.
case_IMP11_finishing_again() {
	local part
	start_server
	UPLOAD=$(begin_upload)
	part=$(send_part "$UPLOAD" 1 $'{"n":1}\n')
	mv "$STATE/uploads" "$DIR/away"
	: >"$STATE/uploads"
	expect_call '500.*uploads' end_upload "$UPLOAD" "$part"
	rm "$STATE/uploads" && mv "$DIR/away" "$STATE/uploads"
	IMPORT=$(end_upload "$UPLOAD" "$part")
	IMPORT=$(jq -re .importId <<<"${IMPORT#200 }")
	expect_state "$IMPORT" waiting_for_confirmation
	expect_call '200 $' post /api/perform_import "{\"importId\":\"$IMPORT\"}"
	expect_state "$IMPORT" completed
	start_mount
	expect_numbers t 1
	stop_mount
	stop_server
}

# import.md 10; IMP-12, -13: what each state lets happen, over a restart.
case_IMP12_states_survive_a_restart() {
	local waiting canceled old
	start_server
	printf '{"n":1}\n' >one.jsonl
	upload one.jsonl
	finish t append
	canceled=$IMPORT
	upload one.jsonl
	finish t append
	waiting=$IMPORT
	upload one.jsonl
	finish t append
	old=$IMPORT
	for id in "$canceled" "$waiting" "$old"; do
		expect_state "$id" waiting_for_confirmation
	done
	query _system/cli/queryImport "{\"importId\":\"$waiting\"}" >document
	expect_text document "$(jq -c '[.format, .mode, .component_path,
		.checkpoints[0].display_table_name, .state.require_manual_confirmation,
		.requestor.type]' document)" \
		'[{"format":"jsonl","table":"t"},"Append",null,"t",false,"snapshotImport"]'
	sqlite3 "$STATE/catalog.sqlite3" "UPDATE import_jobs
		SET created_ms = created_ms - 7 * 86400000 WHERE id = '$old'"
	stop_server
	start_server
	expect_state "$waiting" waiting_for_confirmation
	expect_call '200 $' post /api/cancel_import "{\"importId\":\"$canceled\"}"
	expect_state "$canceled" failed
	expect_call '400.*CannotCancelImport' post /api/cancel_import \
		"{\"importId\":\"$canceled\"}"
	expect_call '200 $' post /api/perform_import "{\"importId\":\"$canceled\"}"
	expect_state "$canceled" failed
	for _ in 1 2; do
		expect_call '200 $' post /api/perform_import \
			"{\"importId\":\"$waiting\"}"
	done
	expect_state "$waiting" completed
	expect_call '200 $' post /api/perform_import "{\"importId\":\"$waiting\"}"
	expect_call '400.*CannotCancelImport' post /api/cancel_import \
		"{\"importId\":\"$waiting\"}"
	expect_call '200 $' post /api/perform_import "{\"importId\":\"$old\"}"
	expect_state "$old" failed
	expect_text 'newest first' \
		"$(query _system/cli/queryImport:list '{}' | jq -c '[.[].state.state]')" \
		'["failed","completed","failed"]'
	expect_text 'files' "$(ls "$STATE/uploads")" ''
	start_mount
	expect_numbers t 1
	stop_mount
	stop_server
}

send_whole() {
	call POST "/api/import?$1" --data-binary "@$2"
}

# IMP-27.
case_IMP27_import_in_one_request() {
	start_server
	make_inputs
	expect_call '200 ."numWritten":3000.' \
		send_whole 'format=jsonLines&tableName=t' good.jsonl
	expect_call '400.*ImportFailed.*has documents' \
		send_whole 'format=jsonLines&tableName=t' good.jsonl
	expect_call '400.*ImportFailed.*row 2000' \
		send_whole 'format=jsonLines&tableName=t&mode=append' bad.jsonl
	expect_call '400.*BadQueryArgs' send_whole 'tableName=t' good.jsonl
	start_mount
	expect_rows t 3000
	stop_mount
	stop_server
}

# Many that say nothing, and others that say too much, leave room for the rest.
case_HTTP_crowds_and_giants() {
	local before after
	start_server
	before=$(awk '/VmRSS/ {print $2}' "/proc/$SERVER/status")
	cat >crowd.js <<-'END'
		const net = require('net');
		let open = 0;
		for (let i = 0; i < 1000; i++) {
			const c = net.connect(process.argv[2], '127.0.0.1', () => {
				if (i % 2) c.write('GET /version HTTP/1.1\r\nHo');
				if (++open === 1000) console.log('all');
			});
			c.on('error', () => {});
		}
		setTimeout(() => {}, 1e8);
	END
	node crowd.js "${URL##*:}" >crowd &
	await 20 grep -q all crowd
	expect_call '200 convexfs' call GET /version
	after=$(awk '/VmRSS/ {print $2}' "/proc/$SERVER/status")
	is_sanitized || [ $((after - before)) -lt 65536 ] ||
		fail "a crowd takes $((after - before)) KiB"
	kill %2
	# Headers without end: the connection ends, and nobody else's.
	expect_status fails curl -sSf "$URL/version" \
		-H "X: $(head -c 60000 /dev/zero | tr '\0' x)" \
		-H "Y: $(head -c 60000 /dev/zero | tr '\0' y)"
	expect_status fails curl -sSf \
		"$URL/version?$(head -c 60000 /dev/zero | tr '\0' x)"
	printf 'nonsense\r\n\r\n' >"/dev/tcp/127.0.0.1/${URL##*:}"
	expect_call '200 convexfs' call GET /version
	stop_server
}

# say TEXT: sends it in one piece, and prints what comes until the server hangs
# up.
say() {
	local fd
	exec {fd}<>"/dev/tcp/127.0.0.1/${URL##*:}"
	printf '%b' "$1" >piece
	cat piece >&"$fd"
	timeout 10 cat <&"$fd" || fail "the connection stays: $1"
	exec {fd}>&-
}

# Who sends more before there is an answer gets that one and no other; a body
# has an announced length, or there is none.
case_HTTP_requests_ahead_of_answers() {
	local host=' HTTP/1.1\r\nHost: x\r\n' get post more
	start_server
	get="GET /version$host\r\n"
	post="POST /echo${host}Content-Length: 3\r\n\r\nabc"
	for more in "$post$post" "$get$post" "$post$get" "$get$get" \
		"${post}x" "POST /echo$host\r\n$get"; do
		say "$more" >said
		[ "$(grep -c '^HTTP/1.1 200' said)" -eq 1 ] ||
			fail "$more: $(cat said)"
		expect_call '200 convexfs' call GET /version -m 10
	done
	say "CONNECT x:80$host\\r\\n" >said
	[ ! -s said ] || fail "CONNECT: $(cat said)"
	# HTTP-11: bodies have a length, and one that is a number.
	for more in 'Transfer-Encoding: chunked' 'Content-Length: 3x' \
		'Content-Length: 99999999999999999999'; do
		say "POST /echo$host$more\\r\\n\\r\\n3\\r\\nabc\\r\\n0\\r\\n\\r\\n" \
			>said
		grep -q '^HTTP/1.1 400' said || fail "$more: $(cat said)"
	done
	stop_server
}

# The same server in the process of a mount; where it may listen.
case_serve_in_a_mount() {
	start_mount -o serve=127.0.0.1:0
	await 10 grep -q 'served at' "$DIR/.log.1"
	URL=$(sed -n 's/.*served at //p' "$DIR/.log.1")
	KEY=$("$CVX_BIN" status --show-key "local:$STATE")
	printf '{"n":1}\n' >one.jsonl
	expect_call 200 call POST '/api/import?format=jsonLines&tableName=t' \
		--data-binary @one.jsonl
	expect_numbers t 1
	stop_mount
	expect_status fails curl -sS "$URL/version"
	expect_refused 'can be reached from other machines' \
		"$CVX_BIN" serve --listen 0.0.0.0:0 "local:$STATE"
	expect_refused 'is not a port' \
		"$CVX_BIN" serve --listen 127.0.0.1:x "local:$STATE"
	expect_status 1 "$CVX_BIN" mount -o serve=10.0.0.1:1 "local:$STATE" "$MNT"
	start_server_at '[::1]:0'
	expect_call '200 convexfs' call GET /version
	expect_refused 'already in use' "$CVX_BIN" serve \
		--listen "${URL#http://}" "local:$STATE"
	stop_server
}

# WS-1 to WS-19: what the socket makes of it. import-24: it says something before
# the client takes it for dead.
case_WS_messages_that_are_not_understood() {
	start_server
	need node
	cp "$(dirname "$CLIENT/x")/sockets.cjs" .
	CLIENT=$CLIENT SERVER=$SERVER \
		SANITIZED=$(is_sanitized && echo yes) node sockets.cjs >got &
	await 30 grep -q . got
	grep -qx open got || fail "$(cat got)"
	expect_call '200 convexfs' call GET /version
	stop_server
	wait %2 || fail "$(cat got)"
}

run_cases "$@"
