// Stands between Convex's client and `convexfs serve`, and does what the server
// of a recorded run did and ours does not do by itself: faults, and answers in
// forms that ours does not choose (spec: transcripts, protocol.md 3, 6).
//
// Usage: node proxy.cjs NAME PORT
//   NAME  the transcript, a key of `faults`
//   PORT  of the server, on this machine
// Prints "proxy at URL" when it listens, and then a line for each request and
// each socket: METHOD PATH STATUS ("-": the connection was reset instead), and
// "fault" for each request and message that it did something to.
'use strict';
const http = require('http');
const path = require('path');
const modules = path.join(process.env.CLIENT, 'node_modules');
const WebSocket = require(path.join(modules, 'ws'));

const forbidden = (permission) => 'You do not have permission to perform ' +
	`this operation (${permission}).`;
const serverError = (text) =>
	`[Request ID: 0123456789abcdef] Server Error\n${text}`;

const updates = (m) => (m.modifications || []).some(
	(c) => c.type === 'QueryUpdated');

// The Transition with each result of a query as `change` makes it.
const change = (m, how) => updates(m)
	? { ...m, modifications: m.modifications.map(
		(c) => c.type === 'QueryUpdated' ? how(c) : c) } : m;

// An error instead of each result.
const failing = (text) => (m) => [change(m, (c) => ({ type: 'QueryFailed',
	queryId: c.queryId, errorMessage: text, logLines: [], journal: null }))];

// WS-15: three slices of a message.
function slices(m) {
	const text = JSON.stringify(m), third = Math.ceil(text.length / 3);
	return [0, 1, 2].map((i) => ({ type: 'TransitionChunk', partNumber: i,
		totalParts: 3, transitionId: m.endVersion.ts,
		chunk: text.slice(i * third, (i + 1) * third) }));
}

const withoutClock = ({ clientClockSkew, serverTs, ...m }) => m;

// IMP-15 to IMP-17: what the client cannot do without, and no more.
function least({ state }) {
	if (state.state === 'waiting_for_confirmation')
		return { state: { ...state, message_to_confirm: '',
			require_manual_confirmation: true } };
	if (state.state === 'completed')
		return { state: { ...state, num_rows_written: Number(Buffer.from(
			state.num_rows_written.$integer, 'base64')
			.readBigInt64LE()) } };
	return { state };
}

// request: for the first `times` requests (all of them, if it is not there) that
// start with `to`: `status` and `body` instead of the server's answer; `reset`:
// the server is asked, and its answer is lost.
// message: what the client gets, in order, instead of a message of a socket; m:
// the message, at: an object of the socket's own.
const faults = {
	// None; it is only told what was asked for.
	'import-07': {},
	'import-13': { message: (m) => updates(m) ? slices(m) : [m] },
	// One Transition answers both, and nothing else comes.
	'import-14': { message(m, at) {
		if (m.type === 'Ping')
			return [];
		if (!updates(m) && !at.start) {
			at.start = m.startVersion;
			return [];
		}
		const start = at.start;
		at.start = m.endVersion;
		return [{ ...withoutClock(m), startVersion: start }];
	} },
	'import-15': { request: [{ to: 'POST /api/import/upload_part',
		status: 500, body: { code: 'InternalServerError',
			message: 'out of order' } }] },
	'import-16': { request: [
		{ to: 'POST /api/import/start_upload', times: 2, status: 404 },
		{ to: 'POST /api/perform_import', times: 1, reset: true }] },
	'import-18': { request: [{ to: 'POST /api/import/start_upload',
		status: 403, body: { code: 'OperationNotPermitted',
			message: forbidden('deployment:backups:import') } }] },
	'import-22': { message: failing(serverError('Uncaught Error: ' +
		forbidden('deployment:backups:view'))) },
	'import-27': { message: (m) => [m.type === 'Transition'
		? { ...m, clientClockSkew: null, serverTs: null } : m] },
	'import-28': { request: [{ to: 'POST /api/query', status: 404 }] },
	'import-29': {
		request: [{ to: 'POST /api/query', status: 200,
			body: { status: 'success', value: [] } }],
		message: (m) => [updates(m) ? withoutClock(change(m,
			(c) => ({ ...c, value: least(c.value) }))) : m],
	},
	'export-06': { request: [{ to: 'GET /api/export/zip/', times: 1,
		status: 503, body: { code: 'Overloaded',
			message: 'come again' } }] },
	'data-06': { message: failing(serverError('Uncaught Error: ' +
		forbidden('deployment:data:view'))) },
	'data-07': { message: failing(serverError('boom')) },
	'data-09': { message: (m) => updates(m)
		? [{ type: 'FatalError', error: 'protocol violation' }] : [m] },
};

const fault = faults[process.argv[2]];
const port = process.argv[3];
if (!fault)
	throw new Error(`no fault for ${process.argv[2]}`);

const proxy = http.createServer((request, response) => {
	const what = `${request.method} ${request.url}`;
	const rule = (fault.request || []).find(
		(r) => what.startsWith(r.to) && r.times !== 0);
	if (rule)
		console.log('fault');
	if (rule && rule.times)
		rule.times--;
	const log = (status) =>
		console.log(`${what.replace(/\?.*/, '')} ${status}`);

	if (rule && !rule.reset) {
		const body = rule.body ? JSON.stringify(rule.body) : '';
		request.resume().on('end', () => {
			log(rule.status);
			response.writeHead(rule.status, body
				? { 'Content-Type': 'application/json' }
				: {}).end(body);
		});
		return;
	}
	const forward = http.request({ host: '127.0.0.1', port,
		method: request.method, path: request.url,
		headers: request.headers }, (answer) => {
		if (rule) {
			log('-');
			answer.resume().on('end', () => request.socket.destroy());
			return;
		}
		log(answer.statusCode);
		response.writeHead(answer.statusCode, answer.rawHeaders);
		answer.pipe(response);
	});
	forward.on('error', () => request.socket.destroy());
	request.pipe(forward);
});

const sockets = new WebSocket.Server({ noServer: true });

proxy.on('upgrade', (request, stream, head) => {
	sockets.handleUpgrade(request, stream, head, (client) => {
		const server = new WebSocket(`ws://127.0.0.1:${port}${request.url}`);
		const opened = new Promise((resolve) => server.on('open', resolve));
		const at = {};

		console.log(`GET ${request.url} 101`);
		client.on('message', async (text) => {
			await opened;
			server.send(String(text));
		});
		server.on('message', (text) => {
			const m = JSON.parse(text);
			const out = fault.message ? fault.message(m, at) : [m];
			if (out[0] !== m)
				console.log('fault');
			out.forEach((one) => client.send(JSON.stringify(one)));
		});
		for (const [one, other] of [[client, server], [server, client]])
			one.on('error', () => {}).on('close', () => other.terminate());
	});
});

proxy.listen(0, '127.0.0.1', () =>
	console.log(`proxy at http://127.0.0.1:${proxy.address().port}`));
