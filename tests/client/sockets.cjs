// What the socket of `convexfs serve` answers to messages by hand (protocol.md
// 6). Ends with status 1 and what was expected when an answer is another one.
//
// Environment: URL, KEY, CLIENT (the folder with node_modules), SERVER (its
// process), SANITIZED (or not).
'use strict';
const fs = require('fs');
const path = require('path');
const WebSocket = require(path.join(process.env.CLIENT, 'node_modules/ws'));
const base = process.env.URL.replace('http', 'ws');
const ZERO = { querySet: 0, identity: 0, ts: 'AAAAAAAAAAA=' };

// Sends the messages; gives what came until the socket closed or `until` said
// that it is enough.
function talk(messages, until = () => false, url = '/api/1.48.0/sync') {
	return new Promise((resolve) => {
		const got = [];
		const socket = new WebSocket(base + url);
		const end = (code, reason) =>
			resolve({ got, code, reason: String(reason || '') });
		socket.on('open', () => {
			for (const m of messages)
				socket.send(typeof m === 'string' || Buffer.isBuffer(m)
					? m : JSON.stringify(m));
		});
		socket.on('message', (text) => {
			got.push(JSON.parse(text));
			if (until(got)) {
				end(0);
				socket.terminate();
			}
		});
		socket.on('unexpected-response', (_, answer) => end(answer.statusCode));
		socket.on('error', () => {});
		socket.on('close', end);
	});
}

// KiB that the server has; nothing is told under a sanitizer, which keeps what
// is freed.
function memory() {
	return process.env.SANITIZED ? 0
		: +/VmRSS:\s*(\d+)/.exec(fs.readFileSync(
			`/proc/${process.env.SERVER}/status`, 'utf8'))[1];
}

function expect(what, got, want) {
	if (JSON.stringify(got) === JSON.stringify(want))
		return;
	console.log(`${what}: got ${JSON.stringify(got)}, not ${JSON.stringify(want)}`);
	process.exit(1);
}

const connect = { type: 'Connect', sessionId: 'x', connectionCount: 0,
	lastCloseReason: 'InitialConnect', clientTs: Date.now() };
const login = { type: 'Authenticate', baseVersion: 0, tokenType: 'Admin',
	value: process.env.KEY };
const add = (queryId, udfPath, args = {}, more = {}) =>
	({ type: 'Add', queryId, udfPath, args: [args], ...more });
const modify = (baseVersion, ...modifications) =>
	({ type: 'ModifyQuerySet', baseVersion, newVersion: baseVersion + 1,
		modifications });
const tables = '_system/cli/tables:default';
const isFatal = (r) => r.got.some((m) => m.type === 'FatalError');

(async () => {
	// WS-16: who waits hears something. This takes 15 s, and goes on meanwhile.
	const quiet = talk([connect, login, modify(0, add(0, tables))],
		(got) => got.some((m) => m.type === 'Ping'));

	for (const [url, status] of [['/api/x/sync', 400], ['/api/sync/x', 404],
		['/sync', 404], ['/api/1.2/sync', 400]])
		expect(url, (await talk([], undefined, url)).code, status);

	// WS-8: each Transition starts where the last one ended.
	const many = [connect, login];
	for (let i = 0; i < 100; i++)
		many.push(modify(2 * i, add(i, tables)),
			modify(2 * i + 1, { type: 'Remove', queryId: i }));
	let r = await talk(many, (got) => got.length === 201);
	let at = ZERO;
	for (const m of r.got) {
		expect('type', m.type, 'Transition');
		expect('startVersion', m.startVersion, at);
		at = m.endVersion;
	}
	expect('endVersion', [at.querySet, at.identity], [200, 1]);

	// Queries that fail do not end the socket.
	r = await talk([connect, login, modify(0, add(0, 'app:list'),
		add(1, '_system/cli/nothing'), add(2, tables))],
	(got) => got.length === 2);
	expect('kinds', r.got[1].modifications.map((m) => m.type),
		['QueryFailed', 'QueryFailed', 'QueryUpdated']);
	expect('logLines', r.got[1].modifications.map((m) => m.logLines),
		[[], [], []]);

	// WS-18: a wrong key, and none.
	r = await talk([connect, { ...login, value: 'x|y' }]);
	expect('wrong key', r.got[0].type, 'AuthError');
	r = await talk([connect, modify(0, add(0, tables))]);
	expect('no key', [isFatal(r), r.code, r.reason],
		[true, 1000, 'SystemIdentityRequired']);

	// WS-9: versions and ids.
	r = await talk([connect, { ...login, baseVersion: 1 }]);
	expect('identity', r.code, 1011);
	for (const bad of [modify(1, add(0, tables)),
		modify(0, add(0, tables), add(0, tables)),
		modify(0, { type: 'Remove', queryId: 7 }),
		modify(0, { type: 'Other' }), modify(0, { type: 'Add', queryId: 0 }),
		{ ...modify(0), newVersion: 0 }, { type: 'Other' }, '{', '[]', 'null'])
		expect(JSON.stringify(bad), isFatal(await talk([connect, login, bad])),
			true);

	// What is too large, or no text.
	r = await talk([connect, 'x'.repeat(5 << 20)]);
	expect('large', [r.code, r.got.length], [1009, 0]);
	// Without a key nothing of it is kept, and with one not more than that.
	const before = memory(), long = { x: 'x'.repeat(3 << 20) }, more = [connect];
	for (let i = 0; i < 50; i++)
		more.push(modify(i, add(i, 'app:list', long)));
	r = await talk(more, (got) => {
		if (got.length === 50)
			expect('memory', memory() - before < 100000, true);
		return got.length === 50;
	});
	expect('long ones', r.got.length, 50);
	expect('too long', isFatal(await talk([connect, login,
		modify(0, add(0, tables, { x: 'x'.repeat(600000) })),
		modify(1, add(1, tables, { x: 'x'.repeat(600000) }))])), true);
	expect('again', (await talk([connect, login,
		modify(0, add(0, tables, { x: 'x'.repeat(600000) })),
		modify(1, { type: 'Remove', queryId: 0 }),
		modify(2, add(1, tables, { x: 'x'.repeat(600000) }))],
	(got) => got.length === 4)).got.map((m) => m.type),
	Array(4).fill('Transition'));
	expect('values', isFatal(await talk([connect, '[' + '1,'.repeat(200000) + '1]'])),
		true);
	r = await talk([connect, Buffer.from('{}')]);
	expect('binary', r.code !== 0, true);
	r = await talk([connect, { type: 'Event', eventType: 'x', event: 1 },
		{ type: 'Mutation', requestId: 3, udfPath: 'a:b', args: [{}] }],
	(got) => got.length === 1);
	expect('mutation', [r.got[0].type, r.got[0].success, r.got[0].requestId],
		['MutationResponse', false, 3]);
	expect('quiet', (await quiet).got.map((m) => m.type),
		['Transition', 'Transition', 'Ping']);
	// Some that are still there when the server stops.
	const left = [1, 2, 3].map(() => talk([connect, login,
		modify(0, add(0, tables))]));
	await new Promise((resolve) => setTimeout(resolve, 200));
	console.log('open');
	for (const one of left)
		expect('goodbye', (await one).code, 1001);
	process.exit(0);
})();
