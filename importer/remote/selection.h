/*
 * selection: which deployment is meant, decided as the official client does
 * (protocol.md 2.3 to 2.6), from words and settings alone: no request is made.
 * provision.h turns the result into a URL and a key.
 *
 * What the official client silently ignores, a half of two settings, or a flag
 * that another one beats, is refused with a sentence.
 *
 * Threads: any.
 */
#ifndef CVX_IMPORTER_REMOTE_SELECTION_H
#define CVX_IMPORTER_REMOTE_SELECTION_H

#include <stdbool.h>

struct cvx_err;
struct settings;

/* The words of a command line; NULL or false: not given. */
struct selection_flags {
	const char *url;
	const char *admin_key; /* NULL with url: the key is in the settings */
	bool prod;
	const char *preview_name;
	const char *deployment_name;
	const char *deployment; /* a selector */
	/* A deployment's name as in CONVEX_DEPLOYMENT, in place of it. */
	const char *source;
};

enum selection_kind {
	SELECTION_NONE,	      /* nothing selects a deployment */
	SELECTION_DIRECT,     /* url and key */
	SELECTION_DEPLOY_KEY, /* key; its URL is asked for (PRV-1, PRV-2) */
	SELECTION_PROJECT,    /* target and choice */
	SELECTION_LOCAL,      /* on this machine (LOC-2): name, may be NULL */
	SELECTION_ANONYMOUS,  /* on this machine (LOC-3): name */
};

/* What the right to a project's deployment comes from. */
enum selection_target {
	TARGET_PREVIEW_KEY, /* team and project */
	TARGET_PROJECT_KEY,
	TARGET_NAME, /* name and type: a deployment of the project */
	TARGET_TEAM, /* team and project, from --deployment T:P:X */
};

/* Which of the project's deployments. */
enum selection_choice {
	CHOICE_DEFAULT,
	CHOICE_PROD,
	CHOICE_PREVIEW,	       /* text */
	CHOICE_NAME,	       /* text */
	CHOICE_SELECTOR_PROD,  /* --deployment prod */
	CHOICE_SELECTOR_DEV,   /* --deployment dev */
	CHOICE_SELECTOR_OTHER, /* --deployment REFERENCE: text */
};

struct selection {
	enum selection_kind kind;
	char *url;
	char *key;
	enum selection_target target;
	enum selection_choice choice;
	char *name;
	const char *type; /* "prod", "dev", "preview", "local"; NULL: unknown */
	char *team;
	char *project;
	char *text;
	/* --deployment PROJECT:X or T:P:local: a project other than the
	 * target's in the same team, or what the record must belong to. */
	char *other_team;
	char *other_project;
	/* PRV-0: the bearer of provisioning calls; NULL: none. */
	char *credential;
	const char *warning; /* static: a flag that is passed over; or NULL */
};

/*
 * -EINVAL: a conflict, or half of what is needed; the sentence names the
 * variables and flags, never their values where these could be keys.
 */
int selection_decide(struct selection *ret, const struct selection_flags *flags,
		     const struct settings *settings, struct cvx_err *err);
void selection_fini(struct selection *s);

#endif
