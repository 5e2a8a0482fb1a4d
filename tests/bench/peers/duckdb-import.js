// duckdb-import: a file of JSON lines becomes a table of a DuckDB database
// file. Prints the seconds from opening to closing it, without the start of
// Node, and fails on the wrong count.
//
//   node duckdb-import.js read_ndjson_objects|read_json FILE ROWS DATABASE
'use strict';
const { DuckDBInstance } = require('@duckdb/node-api');

async function main() {
  const [reader, file, rows, database] = process.argv.slice(2);
  if (!['read_ndjson_objects', 'read_json'].includes(reader))
    throw new Error(`no such reader: ${reader}`);
  const start = process.hrtime.bigint();
  const instance = await DuckDBInstance.create(database);
  const connection = await instance.connect();
  const path = file.replaceAll("'", "''");
  await connection.run(`CREATE TABLE t AS SELECT * FROM ${reader}('${path}')`);
  const result = await connection.runAndReadAll('SELECT count(*) FROM t');
  const count = Number(result.getRows()[0][0]);
  if (count !== Number(rows)) throw new Error(`${count} rows instead of ${rows}`);
  connection.closeSync();
  instance.closeSync();
  console.log(Number(process.hrtime.bigint() - start) / 1e9);
}

main().catch((error) => {
  console.error(`duckdb-import: ${error.message}`);
  process.exit(1);
});
