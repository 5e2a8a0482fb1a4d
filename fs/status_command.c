#include "fs/status_command.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "fs/command_options.h"
#include "fs/json_out.h"
#include "fs/mount_status.h"
#include "fs/mountinfo.h"
#include "fs/open_source.h"
#include "fs/option_print.h"
#include "fs/option_read.h"
#include "fs/outcome.h"
#include "importer/deployment.h"
#include "importer/deployment_key.h"

/* Failed or not: a program that asked for JSON gets it. */
static int print_json(const struct mounted *list, size_t count,
		      enum exit_status status, const struct cvx_err *cause)
{
	struct mount_status s;
	struct json_out j;
	size_t i;
	int r;

	outcome_begin(&j);
	json_out_open(&j, "mounts", "[");
	for (i = 0; i < count; i++) {
		mount_status_read(&list[i], &s);
		mount_status_add(&s, &j);
		mount_status_fini(&s);
	}
	json_out_close(&j, "]");
	outcome_add_error(&j, status, cause, NULL);
	json_out_close(&j, "}");
	r = json_out_flush(&j);
	json_out_fini(&j);
	return r;
}

static int print_readable(const struct mounted *list, size_t count)
{
	struct mount_status s;
	size_t i;

	if (count == 0)
		puts("No deployment is mounted.");
	for (i = 0; i < count; i++) {
		if (i > 0)
			putchar('\n');
		mount_status_read(&list[i], &s);
		mount_status_print(&s, stdout);
		mount_status_fini(&s);
	}
	return fflush(stdout) == 0 ? 0 : -errno;
}

/* Puts the mount that is meant first; -ENOENT if it is none of ours. A mount
 * that is dead has no path that could be resolved. */
static int find_mount(struct mounted *list, size_t count, const char *path,
		      struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) char *real = realpath(path, NULL);
	const char *wanted = real ? real : path;
	struct mounted found;
	size_t i;

	for (i = 0; i < count; i++) {
		if (strcmp(list[i].dir, wanted) != 0)
			continue;
		found = list[i];
		list[i] = list[0];
		list[0] = found;
		return 0;
	}
	return cvx_fail(err, -ENOENT, "%s is no mount of convexfs", path);
}

static enum exit_status show(const struct status_options *o,
			     struct cvx_err *err)
{
	struct mounted *list = NULL;
	size_t count = 0, shown;
	int r = mountinfo_list(&list, &count, err);

	if (r < 0)
		return EXIT_STATUS_LOCAL_TROUBLE;
	if (o->place && find_mount(list, count, o->place, err) < 0) {
		mountinfo_free(list, count);
		return EXIT_STATUS_WRONG_CALL;
	}
	shown = o->place ? 1 : count;
	r = o->json ? print_json(list, shown, EXIT_STATUS_DONE, NULL)
		    : print_readable(list, shown);
	mountinfo_free(list, count);
	if (r < 0)
		(void)cvx_fail(err, r, "cannot write to standard output: %s",
			       strerror(-r));
	return r < 0 ? EXIT_STATUS_LOCAL_TROUBLE : EXIT_STATUS_DONE;
}

/* C-5: this is the one place that tells it. */
static enum exit_status show_key(const struct status_options *o,
				 struct cvx_err *err)
{
	const struct source_words words = {
		.source = o->place,
		.env_file = o->env_file,
		.only_reads = true,
	};
	CVX_AUTO(cvx_freep) char *key = NULL;
	struct deployment *d = NULL;
	enum exit_status status = open_source(&words, &d, err);
	int r;

	if (status != EXIT_STATUS_DONE)
		return status;
	r = deployment_admin_key(d, &key, err);
	deployment_close(d);
	if (r == 0 && (printf("%s\n", key) < 0 || fflush(stdout) != 0))
		r = cvx_fail(err, -errno, "cannot write to standard output: %s",
			     strerror(errno));
	return r < 0 ? EXIT_STATUS_LOCAL_TROUBLE : EXIT_STATUS_DONE;
}

static int add_place(void *options, const char *word, struct cvx_err *err)
{
	struct status_options *o = options;

	if (!*word)
		return cvx_fail(err, -EINVAL, "an empty word is no folder");
	if (o->place)
		return cvx_fail(err, -EINVAL, "too many words");
	return options_set_text(&o->place, word, err);
}

static int read_options(struct status_options *o, int argc, char *const argv[],
			struct cvx_err *err)
{
	int r = options_read(&status_command_options, o, argc, argv, add_place,
			     err);

	if (r != 0)
		return r < 0 ? r : 0;
	if (o->show_key && o->json)
		return cvx_fail(err, -EINVAL,
				"--show-key prints the key alone; --json does "
				"not go with it");
	return 0;
}

enum exit_status status_command(int argc, char *const argv[])
{
	struct status_options options = {.place = NULL};
	struct cvx_err err = CVX_ERR_INIT;
	enum exit_status status = EXIT_STATUS_DONE;

	if (read_options(&options, argc, argv, &err) < 0)
		status = EXIT_STATUS_WRONG_CALL;
	else if (options.help)
		options_print_help(&status_command_options, stdout);
	else
		status = options.show_key ? show_key(&options, &err)
					  : show(&options, &err);
	if (status != EXIT_STATUS_DONE)
		fprintf(stderr, "convexfs: %s\n", err.msg);
	if (status != EXIT_STATUS_DONE && options.json)
		(void)print_json(NULL, 0, status, &err);
	free(options.place);
	options_free(&status_command_options, &options);
	return status;
}
