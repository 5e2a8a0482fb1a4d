/*
 * options: the command line of `convexfs mount`, and of mount.convexfs.
 *
 * The table of option_table.h says which words there are.
 *
 * Threads: getopt has state of its own; only one thread may read a command
 * line at a time.
 */
#ifndef CVX_FS_OPTIONS_H
#define CVX_FS_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "importer/import.h"

struct cvx_err;

struct mount_options {
	char *source; /* NULL: none was given */
	char *mountpoint;
	bool help;
	bool foreground;
	bool debug;
	bool debug_in_front; /* -d: debug, and in the foreground */
	bool dry_run;	     /* mount(8)'s --fake: check, but do not mount */
	bool read_only;
	bool allow_delete;
	bool allow_other;
	enum import_mode mode;
	char *component; /* "" is the root */
	uid_t uid;
	gid_t gid;
	mode_t umask;
	uint64_t reject_limit;
	char *cache_dir; /* NULL: the default */
	char *log;	 /* a file, "syslog", or NULL: the default */
	char *serve;	 /* where to serve it as well; NULL: nowhere */
	bool allow_remote;
	/* For deployments that are not on this machine. */
	uint64_t timeout_s;
	uint64_t cache_size;
	uint64_t cache_ttl_s;
	bool offline_reads;
	char *env_file; /* NULL: none; so are the following */
	char *url;
	bool prod;
	char *preview_name;
	char *deployment_name;
	char *deployment;
};

/* With the defaults; mount_options_fini ends it. */
void mount_options_init(struct mount_options *o);
void mount_options_fini(struct mount_options *o);

/*
 * Reads the words after "convexfs mount". Fails with -EINVAL and a sentence
 * that names the word; never with a value that could be a secret. With help
 * set the rest is not checked.
 */
int mount_options_read(struct mount_options *o, int argc, char *const argv[],
		       struct cvx_err *err);

/*
 * Reads what mount(8) calls mount.convexfs with:
 * SOURCE DIR [-sfnv] [-N NAMESPACE] [-o OPTIONS] [-t TYPE].
 */
int mount_options_read_helper(struct mount_options *o, int argc,
			      char *const argv[], struct cvx_err *err);

/* The options as pairs of names and values for .convex/deployment.json, no
 * secrets among them: texts[2 * i] and texts[2 * i + 1]. Those for deployments
 * that are not on this machine are told only with is_elsewhere. */
struct option_texts {
	const char **texts;
	size_t pair_count;
	char *storage; /* what texts point into */
};

int mount_options_describe(const struct mount_options *o, bool is_elsewhere,
			   struct option_texts *ret, struct cvx_err *err);
void option_texts_fini(struct option_texts *t);

#endif
