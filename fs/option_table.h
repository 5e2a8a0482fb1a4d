/*
 * option_table: the words that the command lines know.
 *
 * One table for each command. Reading a command line (option_read), --help
 * (option_print), the manual pages and the completions all come from it.
 *
 * Threads: fixed.
 */
#ifndef CVX_FS_OPTION_TABLE_H
#define CVX_FS_OPTION_TABLE_H

#include <stdbool.h>
#include <stddef.h>

enum option_kind {
	KIND_ON,    /* sets a bool */
	KIND_OFF,   /* clears it */
	KIND_HELP,  /* sets a bool; nothing behind it is read */
	KIND_TEXT,  /* char *, not empty */
	KIND_PLACE, /* char *, may be empty: a component */
	KIND_MODE,
	KIND_FORMAT,  /* enum file_format */
	KIND_SIZE,    /* uint64_t bytes, with K, M, G, T */
	KIND_SECONDS, /* uint64_t, with s, m, h */
	KIND_ID,      /* uid_t and gid_t */
	KIND_OCTAL,   /* mode_t */
	KIND_WORDS,   /* the words of -o */
	KIND_REFUSED, /* known, and an error that says why */
};

enum option_group { GROUP_COMMON, GROUP_REMOTE, GROUP_HIDDEN };

struct option_spec {
	const char *name;
	const char *value; /* what stands for the value in help; NULL: none */
	const char *help;  /* of KIND_REFUSED: the reason */
	enum option_kind kind;
	enum option_group group;
	size_t offset; /* in the struct of the command's options */
};

/* The words of mount's -o, in the order of the help. */
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

#define OPTION_SWITCHES_MAX 32

struct command_options {
	const char *name;     /* "import" */
	const char *summary;  /* a line of convexfs --help */
	const char *usage;    /* what stands behind the name */
	const char *about;    /* lines, the last without LF */
	const char *examples; /* command lines, as about; NULL: none */
	bool takes_source;    /* --help explains SOURCE */
	bool takes_words;     /* -o with option_words */
	const struct option_switch *switches;
	size_t switch_count; /* at most OPTION_SWITCHES_MAX */
};

extern const struct command_options mount_command_options;
extern const struct command_options import_command_options;
extern const struct command_options export_command_options;
extern const struct command_options status_command_options;
extern const struct command_options serve_command_options;

/* All of them, in the order of convexfs --help. */
extern const struct command_options *const command_options[];
extern const size_t command_options_count;

/* What a value of the kind can be: words up to a NULL; NULL: anything. */
const char *const *option_choices(enum option_kind kind);

#endif
