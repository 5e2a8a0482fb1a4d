/*
 * option_table: the words that the command line of `convexfs mount` knows.
 *
 * Inside of options; others include fs/options.h.
 *
 * Threads: fixed.
 */
#ifndef CVX_FS_OPTION_TABLE_H
#define CVX_FS_OPTION_TABLE_H

#include <stddef.h>

enum option_kind {
	KIND_ON,    /* sets a bool */
	KIND_OFF,   /* clears it */
	KIND_TEXT,  /* char *, not empty */
	KIND_PLACE, /* char *, may be empty: a component */
	KIND_MODE,
	KIND_SIZE,    /* uint64_t bytes, with K, M, G, T */
	KIND_SECONDS, /* uint64_t, with s, m, h */
	KIND_ID,      /* uid_t and gid_t */
	KIND_OCTAL,   /* mode_t */
	KIND_NONE,
	KIND_REFUSED, /* known, and an error that says why */
};

enum option_group { GROUP_COMMON, GROUP_REMOTE, GROUP_HIDDEN };

struct option_spec {
	const char *name;
	const char *value; /* what stands for the value in help; NULL: none */
	const char *help;  /* of KIND_REFUSED: the reason */
	enum option_kind kind;
	enum option_group group;
	size_t offset; /* in struct mount_options */
};

/* The words of -o, in the order of the help. */
extern const struct option_spec option_words[];
extern const size_t option_word_count;

/* What stands in fstab for mount(8) and systemd, or says what holds for every
 * mount of ours anyway. Accepted with any value or none. */
extern const char *const option_fstab_words[];
extern const size_t option_fstab_word_count;

/* The words that begin with "-" or "--". letter 0: there is no short form. */
struct option_switch {
	char letter;
	struct option_spec spec;
};

extern const struct option_switch option_switches[];
#define OPTION_SWITCH_COUNT 11

#endif
