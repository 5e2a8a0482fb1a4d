// parse-lines: JSON.parse of each line of a file and nothing else. Prints the
// seconds it took, without the start of Node, and fails on the wrong count.
//
//   node parse-lines.js FILE ROWS
//
// Lines are decoded one at a time: ASCII ones become one-byte strings, which
// parse faster than slices of one large two-byte string.
'use strict';
const fs = require('node:fs');

const CHUNK = 1 << 20;
const [file, rows] = process.argv.slice(2);
const start = process.hrtime.bigint();
const fd = fs.openSync(file, 'r');
const buffer = Buffer.allocUnsafe(2 * CHUNK); // a line is shorter than CHUNK
let kept = 0;
let count = 0;

for (;;) {
  const size = fs.readSync(fd, buffer, kept, CHUNK, null);
  if (size === 0) break;
  const bytes = buffer.subarray(0, kept + size);
  let at = 0;
  for (let end; (end = bytes.indexOf(10, at)) >= 0; at = end + 1) {
    JSON.parse(bytes.toString('utf8', at, end));
    count++;
  }
  bytes.copyWithin(0, at);
  kept = bytes.length - at;
}
if (kept !== 0 || count !== Number(rows))
  throw new Error(`${count} lines instead of ${rows}`);
console.log(Number(process.hrtime.bigint() - start) / 1e9);
