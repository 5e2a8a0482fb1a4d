#include "fs/option_table.h"

#include <stdint.h>

#include "fs/command_options.h"
#include "fs/options.h"

#define AT(field) offsetof(struct mount_options, field)
#define IMPORT_AT(field) offsetof(struct import_options, field)
#define EXPORT_AT(field) offsetof(struct export_options, field)
#define SERVE_AT(field) offsetof(struct serve_options, field)
#define STATUS_AT(field) offsetof(struct status_options, field)

#define COUNT(list) (sizeof(list) / sizeof(*(list)))

_Static_assert(sizeof(uid_t) == sizeof(uint32_t) &&
		       sizeof(gid_t) == sizeof(uint32_t),
	       "KIND_ID stores 32 bits");

/* C-5. The value is not even looked at. */
#define IS_A_SECRET                                                            \
	"keys do not belong on a command line, where every user of the "       \
	"machine can read them; use the environment or an env file"
const struct option_spec option_words[] = {
	{"mode", "MODE",
	 "how a dropped file meets what is there, when its name does not say: "
	 "require-empty (default), append, replace, or replace-all, which for "
	 "a backup removes all other tables",
	 KIND_MODE, GROUP_COMMON, AT(mode)},
	{"component", "PATH",
	 "show this component at the root of the mount (default: the root "
	 "component)",
	 KIND_PLACE, GROUP_COMMON, AT(component)},
	{"ro", NULL, "read only", KIND_ON, GROUP_COMMON, AT(read_only)},
	{"rw", NULL, "read and write (default)", KIND_OFF, GROUP_COMMON,
	 AT(read_only)},
	{"allow_delete", NULL,
	 "rm of documents.jsonl empties the table, of a stored file deletes "
	 "it; rmdir deletes an empty table or component",
	 KIND_ON, GROUP_COMMON, AT(allow_delete)},
	{"uid", "ID", "owner of everything shown (default: you)", KIND_ID,
	 GROUP_COMMON, AT(uid)},
	{"gid", "ID", "group of everything shown (default: yours)", KIND_ID,
	 GROUP_COMMON, AT(gid)},
	{"umask", "OCTAL", "permissions that nobody gets (default: 022)",
	 KIND_OCTAL, GROUP_COMMON, AT(umask)},
	{"allow_other", NULL,
	 "let other users in; for users other than root, user_allow_other must "
	 "stand in "
	 "/etc/fuse.conf",
	 KIND_ON, GROUP_COMMON, AT(allow_other)},
	{"cache_dir", "DIR",
	 "where written bytes wait for their import and refused files are kept "
	 "(default: "
	 "$XDG_CACHE_HOME/convexfs, else ~/.cache/convexfs)",
	 KIND_TEXT, GROUP_COMMON, AT(cache_dir)},
	{"reject_limit", "SIZE",
	 "keep refused files up to this size, the newest first (default: 1G)",
	 KIND_SIZE, GROUP_COMMON, AT(reject_limit)},
	{"log", "FILE",
	 "append messages to this file; syslog: to the system's log (default: "
	 "standard error "
	 "in the foreground, else the system's log)",
	 KIND_TEXT, GROUP_COMMON, AT(log)},
	{"debug", NULL, "log every operation", KIND_ON, GROUP_COMMON,
	 AT(debug)},
	{"serve", "ADDR:PORT",
	 "serve the deployment to Convex's own client as well, as convexfs "
	 "serve does",
	 KIND_TEXT, GROUP_COMMON, AT(serve)},
	{"allow_remote", NULL,
	 "serve on addresses that other machines reach, too; what is sent is "
	 "not encrypted",
	 KIND_ON, GROUP_COMMON, AT(allow_remote)},
	{"timeout", "TIME",
	 "give up after this time without progress (default: 60s)",
	 KIND_SECONDS, GROUP_REMOTE, AT(timeout_s)},
	{"cache_size", "SIZE",
	 "keep tables and stored files that were read up to this size, those "
	 "read last (default: 10G)",
	 KIND_SIZE, GROUP_REMOTE, AT(cache_size)},
	{"cache_ttl", "TIME",
	 "ask for what others have changed no sooner than this after the last "
	 "time (default: at each look)",
	 KIND_SECONDS, GROUP_REMOTE, AT(cache_ttl_s)},
	{"offline_reads", NULL,
	 "while the deployment is away, show what was read before as it was "
	 "then; .convex/deployment.json says since when",
	 KIND_ON, GROUP_REMOTE, AT(offline_reads)},
	{"env_file", "FILE",
	 "take the deployment and its key from this file, which only you may "
	 "read",
	 KIND_TEXT, GROUP_REMOTE, AT(env_file)},

	{"admin_key", "", IS_A_SECRET, KIND_REFUSED, GROUP_HIDDEN, 0},
	{"deploy_key", "", IS_A_SECRET, KIND_REFUSED, GROUP_HIDDEN, 0},
	{"key", "", IS_A_SECRET, KIND_REFUSED, GROUP_HIDDEN, 0},
	{"token", "", IS_A_SECRET, KIND_REFUSED, GROUP_HIDDEN, 0},
	{"password", "", IS_A_SECRET, KIND_REFUSED, GROUP_HIDDEN, 0},
	{"remount", NULL,
	 "a mount cannot be changed; unmount it, then mount again",
	 KIND_REFUSED, GROUP_HIDDEN, 0},
};

const size_t option_word_count = sizeof(option_words) / sizeof(*option_words);

/* Every mount of ours is without devices, set-user-id and files that can be
 * executed, and has times that only an import changes. */
const char *const option_fstab_words[] = {
	"_netdev",    "async",	    "atime",	   "auto",    "comment",
	"dev",	      "defaults",   "diratime",	   "dirsync", "exec",
	"group",      "lazytime",   "noatime",	   "noauto",  "nodev",
	"nodiratime", "noexec",	    "nofail",	   "nogroup", "nolazytime",
	"noowner",    "norelatime", "nosuid",	   "nouser",  "nousers",
	"owner",      "relatime",   "strictatime", "suid",    "sync",
	"user",	      "users",
};

const size_t option_fstab_word_count =
	sizeof(option_fstab_words) / sizeof(*option_fstab_words);

/* --- what selects a deployment, but for --source ------------------------- */

/* Of a command whose fields lie AT(…). */
#define SELECTING_SWITCHES(AT)                                                 \
	{0,                                                                    \
	 {"url", "URL", "the deployment behind this URL", KIND_TEXT,           \
	  GROUP_REMOTE, AT(url)}},                                             \
		{0,                                                            \
		 {"admin-key", "KEY",                                          \
		  "its key, for every user of the machine to read; better "    \
		  "set CONVEX_SELF_HOSTED_ADMIN_KEY",                          \
		  KIND_TEXT, GROUP_REMOTE, AT(admin_key)}},                    \
		{0,                                                            \
		 {"prod", NULL, "the project's production deployment",         \
		  KIND_ON, GROUP_REMOTE, AT(prod)}},                           \
		{0,                                                            \
		 {"preview-name", "NAME",                                      \
		  "the project's preview deployment NAME", KIND_TEXT,          \
		  GROUP_REMOTE, AT(preview_name)}},                            \
		{0,                                                            \
		 {"deployment-name", "NAME", "the project's deployment NAME",  \
		  KIND_TEXT, GROUP_REMOTE, AT(deployment_name)}},              \
	{                                                                      \
		0,                                                             \
		{                                                              \
			"deployment", "SELECTOR",                              \
				"a deployment's name or reference, or "        \
				"[[TEAM:]PROJECT:]REFERENCE",                  \
				KIND_TEXT, GROUP_REMOTE, AT(deployment)        \
		}                                                              \
	}

#define SOURCE_HELP                                                            \
	"the deployment: see below (default: what the environment selects, "   \
	"else local)"

/* --- mount --------------------------------------------------------------- */

static const struct option_switch mount_switches[] = {
	{'o',
	 {"options", "OPT[,OPT...]", "mount options, see below", KIND_WORDS,
	  GROUP_COMMON, 0}},
	{'f',
	 {"foreground", NULL, "stay in the foreground", KIND_ON, GROUP_COMMON,
	  AT(foreground)}},
	{'d',
	 {"debug", NULL, "log every operation; implies -f", KIND_ON,
	  GROUP_COMMON, AT(debug_in_front)}},
	{'h', {"help", NULL, "print this", KIND_HELP, GROUP_COMMON, AT(help)}},
	{0, {"admin-key", "", IS_A_SECRET, KIND_REFUSED, GROUP_HIDDEN, 0}},
	{0,
	 {"url", "URL", "the deployment behind this URL", KIND_TEXT,
	  GROUP_COMMON, AT(url)}},
	{0,
	 {"prod", NULL, "the project's production deployment", KIND_ON,
	  GROUP_COMMON, AT(prod)}},
	{0,
	 {"preview-name", "NAME", "the project's preview deployment NAME",
	  KIND_TEXT, GROUP_COMMON, AT(preview_name)}},
	{0,
	 {"deployment-name", "NAME", "the project's deployment NAME", KIND_TEXT,
	  GROUP_COMMON, AT(deployment_name)}},
	{0,
	 {"deployment", "SELECTOR",
	  "a deployment's name or reference, or [[TEAM:]PROJECT:]REFERENCE",
	  KIND_TEXT, GROUP_COMMON, AT(deployment)}},
	{0,
	 {"env-file", "FILE", "the same as -o env_file=FILE", KIND_TEXT,
	  GROUP_COMMON, AT(env_file)}},
};

const struct command_options mount_command_options = {
	.name = "mount",
	.summary = "mount a deployment as a file system",
	.usage = "[-o OPT[,OPT...]] [-f] [-d] [SOURCE] MOUNTPOINT",
	.about = "Mounts a deployment as a file system. Returns when the "
		 "mount answers.\n"
		 "Unmount with: fusermount3 -u MOUNTPOINT",
	.takes_source = true,
	.takes_words = true,
	.switches = mount_switches,
	.switch_count = COUNT(mount_switches),
};

/* --- import -------------------------------------------------------------- */

static const struct option_switch import_switches[] = {
	{0,
	 {"table", "TABLE",
	  "the table that the rows go to, which is made if it is not there; a "
	  "zip names its own",
	  KIND_TEXT, GROUP_COMMON, IMPORT_AT(table)}},
	{0,
	 {"format", "FORMAT",
	  "csv, jsonLines, jsonArray or zip (default: as the name of the file "
	  "ends: .csv, .jsonl, .json, .zip)",
	  KIND_FORMAT, GROUP_COMMON, IMPORT_AT(format)}},
	{0,
	 {"append", NULL, "add the rows to the documents that are there",
	  KIND_ON, GROUP_COMMON, IMPORT_AT(append)}},
	{0,
	 {"replace", NULL,
	  "replace the documents of the tables in the file (without any of "
	  "the three, they must be empty)",
	  KIND_ON, GROUP_COMMON, IMPORT_AT(replace)}},
	{0,
	 {"replace-all", NULL,
	  "as replace, and remove all other tables of all components", KIND_ON,
	  GROUP_COMMON, IMPORT_AT(replace_all)}},
	{'y',
	 {"yes", NULL, "do not ask before documents are deleted", KIND_ON,
	  GROUP_COMMON, IMPORT_AT(yes)}},
	{0,
	 {"component", "PATH",
	  "import into this component, which is made if it is not there "
	  "(default: the root component)",
	  KIND_PLACE, GROUP_COMMON, IMPORT_AT(component)}},
	{0,
	 {"json", NULL,
	  "print the outcome, wrong calls too, as one line of JSON on standard "
	  "output",
	  KIND_ON, GROUP_COMMON, IMPORT_AT(json)}},
	{0,
	 {"source", "SOURCE", SOURCE_HELP, KIND_TEXT, GROUP_COMMON,
	  IMPORT_AT(source)}},
	{0,
	 {"env-file", "FILE", "take what selects the deployment from this file",
	  KIND_TEXT, GROUP_REMOTE, IMPORT_AT(env_file)}},
	{'h',
	 {"help", NULL, "print this", KIND_HELP, GROUP_COMMON,
	  IMPORT_AT(help)}},
	SELECTING_SWITCHES(IMPORT_AT),
};

const struct command_options import_command_options = {
	.name = "import",
	.summary = "import a file",
	.usage = "[--table TABLE] [--append | --replace | --replace-all] "
		 "[-y] PATH|-",
	.about = "Imports the file PATH, or standard input, as the mount does "
		 "when it is copied in:\n"
		 "all of it in one step, or nothing.",
	.examples = "convexfs import --table people people.csv\n"
		    "convexfs import --table people --append more.jsonl\n"
		    "convexfs import --replace -y backup.zip\n"
		    "curl -s URL | convexfs import --table people --format "
		    "jsonArray -",
	.takes_source = true,
	.switches = import_switches,
	.switch_count = COUNT(import_switches),
};

/* --- export -------------------------------------------------------------- */

static const struct option_switch export_switches[] = {
	{0,
	 {"path", "PATH",
	  "the file to make, which must not be there; a folder gets a file "
	  "snapshot_NAME_TIME.zip; - is standard output",
	  KIND_TEXT, GROUP_COMMON, EXPORT_AT(path)}},
	{0,
	 {"include-file-storage", NULL, "and the stored files", KIND_ON,
	  GROUP_COMMON, EXPORT_AT(include_file_storage)}},
	{0,
	 {"json", NULL,
	  "print the outcome, wrong calls too, as one line of JSON on standard "
	  "output",
	  KIND_ON, GROUP_COMMON, EXPORT_AT(json)}},
	{0,
	 {"source", "SOURCE", SOURCE_HELP, KIND_TEXT, GROUP_COMMON,
	  EXPORT_AT(source)}},
	{'h',
	 {"help", NULL, "print this", KIND_HELP, GROUP_COMMON,
	  EXPORT_AT(help)}},
	{0,
	 {"env-file", "FILE", "take what selects the deployment from this file",
	  KIND_TEXT, GROUP_REMOTE, EXPORT_AT(env_file)}},
	SELECTING_SWITCHES(EXPORT_AT),
};

const struct command_options export_command_options = {
	.name = "export",
	.summary = "export a deployment to an archive",
	.usage = "[--include-file-storage] --path PATH|-",
	.about = "Writes a backup of the deployment, as it is at this moment, "
		 "into a zip:\n"
		 "all tables of all components.",
	.examples = "convexfs export --path backups/\n"
		    "convexfs export --include-file-storage --path "
		    "backup.zip\n"
		    "convexfs export --path - | ssh host 'cat > backup.zip'",
	.takes_source = true,
	.switches = export_switches,
	.switch_count = COUNT(export_switches),
};

/* --- serve --------------------------------------------------------------- */

static const struct option_switch serve_switches[] = {
	{0,
	 {"listen", "ADDR:PORT",
	  "where clients connect (default: 127.0.0.1:3210; port 0: any that is "
	  "free)",
	  KIND_TEXT, GROUP_COMMON, SERVE_AT(listen)}},
	{0,
	 {"allow-remote", NULL,
	  "listen on addresses that other machines reach, too; what is sent "
	  "is not encrypted",
	  KIND_ON, GROUP_COMMON, SERVE_AT(allow_remote)}},
	{0,
	 {"env-file", "FILE", "take what selects the deployment from this file",
	  KIND_TEXT, GROUP_REMOTE, SERVE_AT(env_file)}},
	{'d',
	 {"debug", NULL, "log what the server does", KIND_ON, GROUP_COMMON,
	  SERVE_AT(debug)}},
	{'h',
	 {"help", NULL, "print this", KIND_HELP, GROUP_COMMON, SERVE_AT(help)}},
	{0, {"admin-key", "", IS_A_SECRET, KIND_REFUSED, GROUP_HIDDEN, 0}},
};

const struct command_options serve_command_options = {
	.name = "serve",
	.summary = "serve the embedded deployment to Convex's own client",
	.usage = "[--listen ADDR:PORT] [--allow-remote] [SOURCE]",
	.about = "Serves an embedded deployment with Convex's protocol, until "
		 "it is interrupted.\n"
		 "Convex's own client works with it, while it is mounted, too:",
	.examples = "convexfs serve\n"
		    "npx convex import --url http://127.0.0.1:3210 "
		    "--admin-key \"$(convexfs status --show-key)\" \\\n"
		    "    --table people people.jsonl",
	.takes_source = true,
	.switches = serve_switches,
	.switch_count = COUNT(serve_switches),
};

/* --- status -------------------------------------------------------------- */

static const struct option_switch status_switches[] = {
	{0,
	 {"json", NULL, "print it as one line of JSON", KIND_ON, GROUP_COMMON,
	  STATUS_AT(json)}},
	{0,
	 {"show-key", NULL,
	  "print the admin key of the embedded deployment SOURCE, and nothing "
	  "else; it opens everything to who has it",
	  KIND_ON, GROUP_COMMON, STATUS_AT(show_key)}},
	{0,
	 {"env-file", "FILE",
	  "with --show-key: take what selects the deployment from this file",
	  KIND_TEXT, GROUP_REMOTE, STATUS_AT(env_file)}},
	{'h',
	 {"help", NULL, "print this", KIND_HELP, GROUP_COMMON,
	  STATUS_AT(help)}},
};

const struct command_options status_command_options = {
	.name = "status",
	.summary = "show the mounts and their imports",
	.usage = "[--json] [MOUNTPOINT] | --show-key [SOURCE]",
	.about =
		"Shows which deployments are mounted and from where, the files "
		"staged in them, the\n"
		"imports that run, and the outcome of the last ones.",
	.takes_source = true,
	.switches = status_switches,
	.switch_count = COUNT(status_switches),
};

/* ------------------------------------------------------------------------- */

const struct command_options *const command_options[] = {
	&mount_command_options,	 &import_command_options,
	&export_command_options, &status_command_options,
	&serve_command_options,
};
const size_t command_options_count = COUNT(command_options);

const char *const *option_choices(enum option_kind kind)
{
	static const char *const modes[] = {"require-empty", "append",
					    "replace", "replace-all", NULL};
	static const char *const formats[] = {"csv", "jsonLines", "jsonArray",
					      "zip", NULL};

	if (kind == KIND_MODE)
		return modes;
	return kind == KIND_FORMAT ? formats : NULL;
}

const char *file_format_name(enum file_format format)
{
	return format == FILE_FORMAT_NONE
		       ? ""
		       : option_choices(KIND_FORMAT)[format - FILE_FORMAT_CSV];
}
