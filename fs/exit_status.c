#include "fs/exit_status.h"

#include <errno.h>

enum exit_status exit_status_of(int r)
{
	switch (r) {
	case 0:
		return EXIT_STATUS_DONE;
	case -EINVAL:
	case -ENOTSUP:
	case -EPERM:
		return EXIT_STATUS_WRONG_CALL;
	default:
		return EXIT_STATUS_LOCAL_TROUBLE;
	}
}
