/*
 * convexfs: picks the sub-command.
 */
#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "fs/closest.h"
#include "fs/exit_status.h"
#include "fs/export_command.h"
#include "fs/import_command.h"
#include "fs/mount.h"
#include "fs/option_table.h"
#include "fs/serve.h"
#include "fs/status_command.h"

/* From this size on memory goes back to the system when it is freed. Left to
 * itself the library raises it up to 32 MiB, and then the parts of an upload
 * that were freed count against the bounds of what comes after. Less than that
 * much is kept for the next write. */
#define MAPPED_SIZE_MIN (4 << 20)
#define KEPT_SIZE_MAX (8 << 20)

static const struct command {
	const struct command_options *options;
	enum exit_status (*run)(int argc, char *const argv[]);
} commands[] = {
	{&mount_command_options, mount_command},
	{&import_command_options, import_command},
	{&export_command_options, export_command},
	{&status_command_options, status_command},
	{&serve_command_options, serve_command},
};
#define COMMAND_COUNT (sizeof(commands) / sizeof(*commands))

static void print_help(FILE *out)
{
	size_t i;

	fputs("Usage: convexfs COMMAND [...]\n\n"
	      "Convex deployments as file systems.\n\n",
	      out);
	for (i = 0; i < COMMAND_COUNT; i++)
		fprintf(out, "  %-8s %s\n", commands[i].options->name,
			commands[i].options->summary);
	fputs("\n  --help, --version; convexfs COMMAND --help tells more\n",
	      out);
}

static enum exit_status fail_unknown(const char *word)
{
	const char *name;
	size_t i;

	fprintf(stderr, "convexfs: unknown command '%s'", word);
	for (i = 0; i < COMMAND_COUNT; i++) {
		name = commands[i].options->name;
		if (word_is_close(word, name)) {
			fprintf(stderr, "; did you mean '%s'?\n", name);
			return EXIT_STATUS_WRONG_CALL;
		}
	}
	fputs("; convexfs --help lists them\n", stderr);
	return EXIT_STATUS_WRONG_CALL;
}

static enum exit_status run_command(int argc, char *const argv[])
{
	size_t i;

	for (i = 0; i < COMMAND_COUNT; i++)
		if (strcmp(argv[0], commands[i].options->name) == 0)
			return commands[i].run(argc, argv);
	return fail_unknown(argv[0]);
}

static bool is_one_of(const char *word, const char *a, const char *b)
{
	return strcmp(word, a) == 0 || strcmp(word, b) == 0;
}

/* Called as mount.convexfs, by mount(8)? */
static bool is_mount_helper(const char *program)
{
	const char *slash = strrchr(program, '/');

	return strcmp(slash ? slash + 1 : program, "mount.convexfs") == 0;
}

int main(int argc, char *argv[])
{
	/* If it can be: */
	(void)mallopt(M_MMAP_THRESHOLD, MAPPED_SIZE_MIN);
	(void)mallopt(M_TRIM_THRESHOLD, KEPT_SIZE_MAX);
	if (argc > 0 && is_mount_helper(argv[0]))
		return (int)mount_helper(argc, argv);
	if (argc < 2) {
		print_help(stderr);
		return EXIT_STATUS_WRONG_CALL;
	}
	if (is_one_of(argv[1], "--help", "-h")) {
		print_help(stdout);
		return EXIT_STATUS_DONE;
	}
	if (is_one_of(argv[1], "--version", "-V")) {
		puts("convexfs " CONVEXFS_VERSION);
		return EXIT_STATUS_DONE;
	}
	return (int)run_command(argc - 1, argv + 1);
}
