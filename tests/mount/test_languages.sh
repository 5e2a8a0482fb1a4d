#!/usr/bin/env bash
# Programs in Python, Node.js and Perl: the close that they check is the
# commit (W-4; fuse-facts.md a4).
# shellcheck source=tests/mount/lib.sh disable=SC2119,SC2016
. "$(dirname "$0")/lib.sh"

write_program() {
	"${INTERPRETER[@]}" "$PROGRAM" "$@"
}

# prove_program INTERPRETER SEEN MODE PROGRAM [NAME]
prove_program() {
	need "$1"
	case $1 in
	node) INTERPRETER=(node --input-type=commonjs -e) ;;
	perl) INTERPRETER=(perl -e) ;;
	*) INTERPRETER=("$1" -c) ;;
	esac
	PROGRAM=$4
	prove_writer "$2" "$3" write_program "${5-documents.jsonl}"
}

# python_case NAME SEEN MODE PROGRAM: with the input in "rows", the path in "path".
python_case() {
	add_case "W4_python_$1" prove_program "$PYTHON" "$2" "$3" \
		"import os, shutil, subprocess, sys, tempfile
source, path = sys.argv[1:]
rows = open(source, 'rb').read()
$4"
}

python_case with_statement seen replace 'with open(path, "wb") as f:
    f.write(rows)'
python_case append seen append 'with open(path, "ab") as f:
    f.write(rows)'
python_case small_writes seen replace 'with open(path, "wb", buffering=0) as f:
    for row in rows.splitlines(True):
        f.write(row)'
python_case read_write seen replace 'with open(path, "r+b") as f:
    f.write(rows)
    f.truncate()'
python_case write_backwards seen replace 'with open(path, "wb") as f:
    half = len(rows) // 2
    f.seek(half)
    f.write(rows[half:])
    f.flush()
    f.seek(0)
    f.write(rows[:half])'
python_case rewrite_what_was_read seen replace 'with open(path, "w+b") as f:
    f.write(b"x" * len(rows) * 2)
    f.flush()
    f.seek(0)
    assert f.read(3) == b"xxx"
    f.seek(0)
    f.write(rows)
    f.truncate()'
python_case no_close silent replace 'f = open(path, "wb")
f.write(rows)'
python_case exit_without_close silent replace 'fd = os.open(path, os.O_WRONLY | os.O_TRUNC)
while rows:
    rows = rows[os.write(fd, rows):]
os._exit(0)'
python_case fsync_and_close seen replace 'with open(path, "wb") as f:
    f.write(rows)
    f.flush()
    os.fsync(f.fileno())'
python_case shutil_copy seen replace 'shutil.copy(source, path)'
python_case shutil_copy2 seen replace 'shutil.copy2(source, path)'
python_case subprocess seen replace 'with open(path, "wb") as f:
    subprocess.run(["cat", source], stdout=f, stderr=subprocess.DEVNULL)'
python_case dup seen replace 'fd = os.open(path, os.O_WRONLY | os.O_TRUNC)
copy = os.dup(fd)
os.write(fd, rows[:1000])
os.close(fd)
rows = rows[1000:]
while rows:
    rows = rows[os.write(copy, rows):]
os.close(copy)'
python_case fork seen replace 'with open(path, "wb", buffering=0) as f:
    f.write(rows[:1000])
    pid = os.fork()
    if pid == 0:
        f.write(rows[1000:2000])
        os._exit(0)
    os.waitpid(pid, 0)
    f.write(rows[2000:])'
python_case sendfile seen replace 'with open(path, "wb") as f, open(source, "rb") as s:
    done = 0
    while done < len(rows):
        done += os.sendfile(f.fileno(), s.fileno(), done, 1 << 20)'
python_case copy_file_range seen replace 'with open(path, "wb") as f:
    twin = path + ".scratch"
    with open(twin, "wb") as s:
        s.write(rows)
    left = len(rows)
    with open(twin, "rb") as s:
        while left:
            try:
                left -= os.copy_file_range(s.fileno(), f.fileno(), left)
            except OSError:
                f.write(s.read())
                left = 0
    os.unlink(twin)'

# node_case NAME SEEN MODE PROGRAM: with "rows" and "path" as above.
node_case() {
	add_case "W4_node_$1" prove_program node "$2" "$3" \
		"const fs = require('fs');
const [source, path] = process.argv.slice(1);
const rows = fs.readFileSync(source);
$4"
}

node_case writeFile seen replace 'fs.writeFile(path, rows, (e) => { if (e) throw e; });'
node_case promises seen replace 'fs.promises.writeFile(path, rows).catch((e) => {
	console.error(e); process.exitCode = 1; });'
node_case writeFileSync seen replace 'fs.writeFileSync(path, rows);'
node_case appendFile seen append 'fs.appendFile(path, rows, (e) => { if (e) throw e; });'
node_case appendFileSync seen append 'fs.appendFileSync(path, rows);'
node_case copyFileSync seen replace 'fs.copyFileSync(source, path);'
node_case createWriteStream seen replace 'const s = fs.createWriteStream(path);
s.on("error", (e) => { throw e; });
for (let i = 0; i < rows.length; i += 5000) s.write(rows.subarray(i, i + 5000));
s.end();'
node_case pipeline seen replace 'require("stream").pipeline(fs.createReadStream(source),
	fs.createWriteStream(path), (e) => { if (e) throw e; });'
node_case spawn seen replace 'const fd = fs.openSync(path, "w");
const child = require("child_process").spawn("cat", [source],
	{ stdio: ["ignore", fd, "ignore"] });
child.on("exit", () => fs.closeSync(fd));'

# perl_case NAME SEEN MODE PROGRAM
perl_case() {
	add_case "W4_perl_$1" prove_program perl "$2" "$3" \
		"open(my \$in, '<', \$ARGV[0]) or die; local \$/; my \$rows = <\$in>;
my \$path = \$ARGV[1]; $4"
}

# shellcheck disable=SC2016
perl_case close seen replace 'open(my $f, ">", $path) or die;
print $f $rows or die $!; close($f) or die $!;'
# shellcheck disable=SC2016
perl_case no_close silent replace 'open(my $f, ">", $path) or die;
print $f $rows or die $!;'
# shellcheck disable=SC2016
perl_case append seen append 'open(my $f, ">>", $path) or die;
print $f $rows or die $!; close($f) or die $!;'

# --- renaming programs (W-6) ---

# prove_replacer PROGRAM: it writes a file beside the path and renames it.
prove_replacer() {
	PROGRAM="import os, shutil, sys, tempfile
source, path = sys.argv[1:]
rows = open(source, 'rb').read()
$1"
	INTERPRETER=("$PYTHON" -c)
	make_inputs
	start_mount
	seed t 1 2
	prove_good replace write_program documents.jsonl
	prove_bad seen write_program documents.jsonl
	expect_said 'OSError: .*Invalid argument'
	expect_alive
	# What could not be renamed is still there.
	find "$MNT/t" -type f -size +200k ! -name documents.jsonl \
		! -name '*.rejected' >left
	expect_file "$(cat left)" bad.jsonl
}

case_W6_python_os_replace() {
	prove_replacer 'with open(path + ".tmp", "wb") as f:
    f.write(rows)
os.replace(path + ".tmp", path)'
}

case_W6_python_named_temporary_file() {
	prove_replacer '
with tempfile.NamedTemporaryFile(dir=os.path.dirname(path), delete=False) as f:
    f.write(rows)
    f.flush()
    os.fsync(f.fileno())
os.replace(f.name, path)'
}

# Renamed while it is still open: the commit comes with the last close.
case_W6_python_rename_before_close() {
	start_mount
	make_rows 1 3000 >good.jsonl
	seed t 1 2
	mark
	"$PYTHON" - good.jsonl "$MNT/t" <<-'END'
		import os, sys
		rows = open(sys.argv[1], "rb").read()
		f = open(sys.argv[2] + "/tmp", "wb")
		f.write(rows[:100000])
		os.rename(sys.argv[2] + "/tmp", sys.argv[2] + "/documents.jsonl")
		f.write(rows[100000:])
		f.close()
	END
	expect_committed replace 3000
	numbers t | cmp - <(seq 3000)
}

# --- mapped memory (W-3) ---

case_W3_shared_writable_mapping_is_refused() {
	start_mount
	seed t 1 2
	mark
	expect_status 0 "$PYTHON" - "$MNT/t" <<-'END'
		import errno, mmap, sys
		for name, mode in ("documents.jsonl", "r+b"), ("new.append.jsonl", "w+b"):
		    with open(sys.argv[1] + "/" + name, mode) as f:
		        if mode == "w+b":
		            f.write(b'{"n":3}\n')
		            f.flush()
		        try:
		            mmap.mmap(f.fileno(), 0)
		        except OSError as e:
		            assert e.errno == errno.ENODEV, e
		        else:
		            sys.exit("mapped")
	END
	expect_imports 1 completed
	expect_numbers t 1 2 3
}

case_T2_readers_may_map() {
	start_mount
	make_rows 1 3000 >good.jsonl
	mkdir "$MNT/t"
	cp good.jsonl "$MNT/t/documents.jsonl"
	"$PYTHON" - "$MNT/t/documents.jsonl" <<-'END'
		import mmap, sys
		with open(sys.argv[1], "rb") as f:
		    want = f.read()
		    got = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)
		    assert got[:] == want
	END
}

run_cases "$@"
