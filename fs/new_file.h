/*
 * new_file: a file that appears whole under its name, or not at all.
 *
 *   new_file_create -> write to fd -> new_file_publish -> new_file_fini
 *
 * Until it is published it has no name, so that nothing is left of it whatever
 * happens; on file systems that cannot do that it has a name beside, which
 * new_file_fini() removes. A file that is there already is never touched.
 *
 * Threads: not locked.
 */
#ifndef CVX_FS_NEW_FILE_H
#define CVX_FS_NEW_FILE_H

struct cvx_err;

struct new_file {
	int fd; /* for writing and reading; -1: there is none */
	char *path;
	int dir_fd;
	const char *name; /* of path */
	char *temp;	  /* the name beside; NULL: it has none */
};

/* -EEXIST if there is something at path. After a failure *ret is empty. */
int new_file_create(const char *path, struct new_file *ret,
		    struct cvx_err *err);

/* Makes the bytes durable, and gives them the name. -EEXIST as above. */
int new_file_publish(struct new_file *f, struct cvx_err *err);

/* An empty one, filled with zeros but for an fd of -1, is allowed. */
void new_file_fini(struct new_file *f);

#endif
