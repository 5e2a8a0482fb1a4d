#include "fs/option_table.h"

#include <stdint.h>

#include "fs/options.h"

#define AT(field) offsetof(struct mount_options, field)

_Static_assert(sizeof(uid_t) == sizeof(uint32_t) &&
		       sizeof(gid_t) == sizeof(uint32_t),
	       "KIND_ID stores 32 bits");

/* C-5. The value is not even looked at. */
#define IS_A_SECRET                                                            \
	"keys do not belong on a command line, where every user of the "       \
	"machine can read them; use the environment or an env file"
#define IS_REMOTE                                                              \
	"mounting a deployment that is not on this machine is not built yet; " \
	"the embedded one is mounted with: convexfs mount local MOUNTPOINT"

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
	 "rm of documents.jsonl empties the table, rmdir of an empty table "
	 "deletes it",
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
	{"timeout", "TIME",
	 "give up after this time without progress (default: 60s)",
	 KIND_SECONDS, GROUP_REMOTE, AT(timeout_s)},
	{"cache_size", "SIZE", "keep fetched tables up to this size ",
	 KIND_SIZE, GROUP_REMOTE, AT(cache_size)},
	{"cache_ttl", "TIME",
	 "ask again whether a table has changed after this time", KIND_SECONDS,
	 GROUP_REMOTE, AT(cache_ttl_s)},
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

const struct option_switch option_switches[OPTION_SWITCH_COUNT] = {
	{'o',
	 {"options", "OPT[,OPT...]", "mount options, see below", KIND_NONE,
	  GROUP_COMMON, 0}},
	{'f',
	 {"foreground", NULL, "stay in the foreground", KIND_ON, GROUP_COMMON,
	  AT(foreground)}},
	{'d',
	 {"debug", NULL, "log every operation; implies -f", KIND_ON,
	  GROUP_COMMON, AT(debug)}},
	{'h', {"help", NULL, "print this", KIND_ON, GROUP_COMMON, AT(help)}},
	{0, {"admin-key", "", IS_A_SECRET, KIND_REFUSED, GROUP_HIDDEN, 0}},
	{0, {"url", "", IS_REMOTE, KIND_REFUSED, GROUP_HIDDEN, 0}},
	{0, {"prod", NULL, IS_REMOTE, KIND_REFUSED, GROUP_HIDDEN, 0}},
	{0, {"preview-name", "", IS_REMOTE, KIND_REFUSED, GROUP_HIDDEN, 0}},
	{0, {"deployment", "", IS_REMOTE, KIND_REFUSED, GROUP_HIDDEN, 0}},
	{0, {"deployment-name", "", IS_REMOTE, KIND_REFUSED, GROUP_HIDDEN, 0}},
	{0, {"env-file", "", IS_REMOTE, KIND_REFUSED, GROUP_HIDDEN, 0}},
};
