#include "importer/server/turn.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "cache/base/cleanup.h"
#include "importer/embedded/embedded.h"

void turn_init(struct turn *t, struct deployment *d)
{
	t->d = d;
	t->fd = -1;
	(void)pthread_mutex_init(&t->lock, NULL);
}

void turn_fini(struct turn *t)
{
	cvx_closep(&t->fd); /* which unlocks it */
	(void)pthread_mutex_destroy(&t->lock);
}

bool turn_is_ours(struct turn *t)
{
	bool ours;
	int fd;

	(void)pthread_mutex_lock(&t->lock);
	if (t->fd < 0) {
		fd = openat(t->d->dir_fd, "server.lock",
			    O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
			t->fd = fd;
		else
			cvx_closep(&fd);
	}
	ours = t->fd >= 0;
	(void)pthread_mutex_unlock(&t->lock);
	return ours;
}
