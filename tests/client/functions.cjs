// Calls each system function of protocol.md 5.2 once with the library for
// programs, ConvexHttpClient, and prints what it gives: a line "FUNCTION RESULT"
// each, ids as they are named first ("id1"), other strings that differ from run
// to run as "…".
//
// Environment: URL, KEY, CLIENT (the folder with node_modules). Expects the
// table "values" (test_data.sh), the component "lib", and what was imported and
// exported.
'use strict';
const path = require('path');
const { ConvexHttpClient } = require(path.join(process.env.CLIENT,
	'node_modules/convex/dist/cjs/browser/index.js'));
const { makeFunctionReference } = require(path.join(process.env.CLIENT,
	'node_modules/convex/dist/cjs/server/index.js'));

const client = new ConvexHttpClient(process.env.URL);
client.setAdminAuth(process.env.KEY);
const names = new Map();

// Ids by the order in which they come; times, sizes of archives, addresses: "…".
function plain(key, value) {
	if (typeof value === 'bigint')
		return /_ts$|^timestamp$|^size$/.test(key) ? '…' : `${value}n`;
	if (key === '_creationTime' && Number.isFinite(value))
		return '…';
	if (value instanceof ArrayBuffer)
		return `bytes ${Buffer.from(value).toString('hex')}`;
	if (typeof value === 'number' && !Number.isFinite(value))
		return String(value);
	if (typeof value !== 'string')
		return value;
	if (key === 'continueCursor' && value !== 'end')
		return '…';
	if (/^[0-9a-z]{31,37}$/.test(value)) {
		names.set(value, names.get(value) || `id${names.size + 1}`);
		return names.get(value);
	}
	return value.replace(process.env.URL, 'URL')
		.replace(/(token=|storage\/).*/, '$1…');
}

async function call(kind, name, args) {
	let result;
	try {
		result = await client[kind](makeFunctionReference(
			`_system/${name}`), args);
		console.log(name, JSON.stringify(result, plain));
	} catch (e) {
		console.log(name, 'fails:', e.message.split('\n').slice(-1)[0]);
	}
	return result;
}

const query = (name, args = {}) => call('query', name, args);
const mutate = (name, args) => call('mutation', name, args);
const first = (numItems = 10, cursor = null) =>
	({ paginationOpts: { numItems, cursor } });
const files = 'frontend/fileStorageV2:';

(async () => {
	const [one] = await query('cli/queryImport:list');
	await query('cli/queryImport', { importId: one._id });
	await query('frontend/snapshotImport:list');
	await query('cli/exports:getLatest');
	await query('frontend/latestExport');
	await query('cli/tables', first());
	const page = { table: 'values', order: 'desc' };
	await query('cli/tableData', { ...page, ...first() });
	await query('cli/tableData', { ...page, ...first(10, 'x') });
	await query('cli/tableSize', { tableName: 'values' });
	const [, lib] = await query('frontend/components:list');
	await query('frontend/tableSize', { tableName: 't',
		componentId: lib.id });
	await query('frontend/getTableMapping', { componentId: lib.id });
	await query('frontend/paginatedTableDocuments', { table: 't',
		filters: null, componentId: lib.id, ...first() });
	await query('frontend/getSchemas', { componentId: null });
	await query('frontend/indexes', { tableName: 'values',
		tableNamespace: null });
	const url = await mutate(`${files}generateUploadUrl`, {});
	const stored = [];
	for (const text of ['one', 'two']) {
		const answer = await fetch(url, { method: 'POST', body: text,
			headers: { 'Content-Type': 'text/plain' } });
		stored.push((await answer.json()).storageId);
	}
	await query(`${files}numFiles`);
	await query(`${files}fileMetadata`, first());
	const file = await query(`${files}getFile`, { storageId: stored[0] });
	console.log('GET', await (await fetch(file.url)).text());
	await mutate(`${files}deleteFile`, { storageId: stored[0] });
	await mutate(`${files}deleteFiles`, { storageIds: [stored[1]] });
	await query(`${files}numFiles`);
	await mutate('frontend/clearTablePage', { tableName: 'values',
		cursor: null });
	await query('frontend/getVersion');
	await query('cli/convexUrl:cloudUrl');

	// What is not served.
	await query('frontend/nothing');
	await mutate('cli/tables', first());
	await query('frontend/clearTablePage', { tableName: 'values',
		cursor: null });
	await query('cli/queryImport');
	for (const kind of ['query', 'mutation', 'action'])
		await client[kind](makeFunctionReference('app:list'), {})
			.catch((e) => console.log(kind, 'app:list fails:',
				e.message.split('\n').slice(-1)[0]));
	client.clearAuth();
	await query('cli/tables', first());
})();
