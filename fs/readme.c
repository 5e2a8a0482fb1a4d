#include "fs/readme.h"

#include "cache/base/buf.h"
#include "cache/base/err.h"

static const char body[] =
	"Each folder is a table. Its documents are the lines of\n"
	"documents.jsonl; reading it always gives one whole revision.\n"
	"\n"
	"    ls                                     the tables\n"
	"    head users/documents.jsonl             its documents\n"
	"    cp new.jsonl users/documents.jsonl     replaces them\n"
	"    echo '{\"name\":\"Ada\"}' >> users/documents.jsonl\n"
	"                                           adds one\n"
	"    cp users.csv users/                    imports into users, if\n"
	"                                           it is empty\n"
	"    cp more.csv users/more.append.csv      adds rows\n"
	"    cp more.csv users/more.replace.csv     replaces all rows\n"
	"    cp *.jsonl .                           a table for each file\n"
	"    mkdir orders                           an empty table\n"
	"    cp photo.png _storage/                 stores a file, under a new "
	"id\n"
	"    mkdir _components/mail                 a component: the same "
	"tree\n"
	"                                           once more\n"
	"\n"
	"CSV, JSON (an array of objects) and JSON Lines are understood. A\n"
	"file is imported when it is closed for the last time: all of it,\n"
	"or, if anything in it is wrong, nothing. Then the reason stands\n"
	"beside it in FILE.error, the file itself is kept as FILE.rejected,\n"
	"and .convex/last-error has the last reason of all. Mend\n"
	"FILE.rejected and rename it to FILE to try again.\n"
	"\n"
	"Some programs do not tell that closing failed (echo, unzip). Write\n"
	"under another name and rename, and the error is always seen:\n"
	"\n"
	"    cp new.jsonl users/.new && mv users/.new users/documents.jsonl\n"
	"\n"
	".convex/imports.jsonl lists all imports, .convex/deployment.json\n"
	"says what is mounted, .convex/schema.json is the schema, for\n"
	"reading and writing. `cp .convex/snapshot.zip backup.zip` makes a\n"
	"backup of this moment that `convex import` restores, and\n"
	".convex/snapshot-with-storage.zip one with the stored files; a\n"
	"backup, or what was unpacked of it, can be copied in.\n";

int readme_print(const char *deployment, struct cvx_buf *out,
		 struct cvx_err *err)
{
	if (cvx_buf_printf(out, "# Convex deployment %s\n\n", deployment) < 0 ||
	    cvx_buf_puts(out, body) < 0)
		return cvx_fail_memory(err);
	return 0;
}
