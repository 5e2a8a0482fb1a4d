#include "fs/serve.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/log.h"
#include "fs/command_options.h"
#include "fs/option_print.h"
#include "fs/option_read.h"
#include "fs/source.h"
#include "importer/deployment.h"
#include "importer/server/server.h"

/* The one word that is no option: SOURCE. */
static int add_word(void *options, const char *word, struct cvx_err *err)
{
	struct serve_options *o = options;

	if (o->source)
		return cvx_fail(err, -EINVAL,
				"too many words: only SOURCE is expected");
	return options_set_text(&o->source, word, err);
}

/* The signals that end it, which no thread but this one takes. */
static void block_stop_signals(sigset_t *set)
{
	(void)sigemptyset(set);
	(void)sigaddset(set, SIGINT);
	(void)sigaddset(set, SIGTERM);
	(void)sigaddset(set, SIGHUP);
	(void)pthread_sigmask(SIG_BLOCK, set, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
}

/* A connection is a descriptor. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max < 65536 ? limit.rlim_max : 65536;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		log_warning("limit of open files: %s", strerror(errno));
}

static int serve(struct deployment *d, const struct server_settings *settings,
		 const sigset_t *stop, struct cvx_err *err)
{
	struct server *server;
	int r = server_start(d, settings, &server, err), sig;

	if (r < 0)
		return r;
	printf("serving %s at %s\n"
	       "its admin key is printed by: convexfs status --show-key "
	       "local:%s\n",
	       deployment_name(d), server_url(server), deployment_dir(d));
	(void)fflush(stdout);
	while (sigwait(stop, &sig) != 0)
		continue;
	server_stop(server);
	return 0;
}

static int open_and_serve(const struct serve_options *o, struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) char *dir = NULL, *address = NULL;
	struct deployment_settings deployment = {.read_only = false};
	struct server_settings settings = {.allow_remote = o->allow_remote};
	struct deployment *d;
	sigset_t stop;
	int r = server_read_listen(o->listen ? o->listen : "", &address,
				   &settings.port, err);

	if (r == 0)
		r = source_find(o->source, o->env_file, &dir, err);
	if (r < 0)
		return r;
	(void)umask(077);
	block_stop_signals(&stop);
	raise_descriptor_limit();
	settings.address = address;
	deployment.dir = dir;
	r = deployment_open(&deployment, &d, err);
	if (r < 0)
		return r;
	r = serve(d, &settings, &stop, err);
	deployment_close(d);
	return r;
}

enum exit_status serve_command(int argc, char *const argv[])
{
	struct serve_options o = {.help = false};
	struct cvx_err err = CVX_ERR_INIT;
	int r = options_read(&serve_command_options, &o, argc, argv, add_word,
			     &err);

	if (r == 1) {
		options_print_help(&serve_command_options, stdout);
		r = 0;
	} else if (r == 0) {
		if (o.debug)
			log_set_level(LOG_LEVEL_DEBUG);
		r = open_and_serve(&o, &err);
	}
	if (r < 0)
		fprintf(stderr, "convexfs: %s\n", err.msg);
	free(o.source);
	options_free(&serve_command_options, &o);
	return exit_status_of(r);
}
