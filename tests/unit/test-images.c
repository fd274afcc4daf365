// SPDX-License-Identifier: GPL-2.0
/* Which descriptors of a process are its images. */
#include <fcntl.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "unit.h"
#include "vm/vm_images.h"

static bool has(const struct vm_images *im, int fd)
{
	struct stat a, b;
	unsigned int i, n = 0;

	assert_int_equal(fstat(fd, &a), 0);
	for (i = 0; i < im->n; i++) {
		assert_int_equal(fstat(im->fd[i], &b), 0);
		n += a.st_dev == b.st_dev && a.st_ino == b.st_ino;
	}
	assert_true(n <= 1);
	return n;
}

static void files_that_are_written_to(void **ctx)
{
	char path[] = "/tmp/khctl-images.XXXXXX", other[] = "/tmp/khctl-images.XXXXXX";
	int rw = mkstemp(path), again = open(path, O_WRONLY), ro, null, sv[2];
	struct kh_err e = { 0 };
	struct vm_images im;

	(void)ctx;
	close(mkstemp(other));
	ro = open(other, O_RDONLY);
	null = open("/dev/null", O_RDWR);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	assert_true(rw >= 0 && again >= 0 && ro >= 0 && null >= 0);
	assert_int_equal(images_open(&im, getpid(), &e), 0);
	assert_true(has(&im, rw));
	assert_true(has(&im, again));	/* the same file, once */
	assert_false(has(&im, ro));
	assert_false(has(&im, null));
	assert_false(has(&im, sv[0]));
	assert_int_equal(images_sync(&im, &e), 0);
	images_close(&im);
	assert_int_equal(im.n, 0);
	close(rw);
	close(again);
	close(ro);
	close(null);
	close(sv[0]);
	close(sv[1]);
	unlink(path);
	unlink(other);
}

/* What cannot be written is an error with a name, not a success. */
static void a_sync_that_fails(void **ctx)
{
	struct kh_err e = { 0 };
	int *fd = malloc(sizeof(*fd));
	struct vm_images im = { .fd = fd, .n = 1 };

	(void)ctx;
	fd[0] = 1000000;	/* not open */
	assert_int_equal(images_sync(&im, &e), -EBADF);
	assert_non_null(strstr(e.msg, "cannot be written to disk"));
	free(fd);
}

static void a_process_that_is_gone(void **ctx)
{
	struct kh_err e = { 0 };
	struct vm_images im;

	(void)ctx;
	assert_int_equal(images_open(&im, 0x7ffffff0, &e), -ENOENT);
	assert_true(e.msg[0]);
	images_close(&im);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_that_are_written_to),
		cmocka_unit_test(a_sync_that_fails),
		cmocka_unit_test(a_process_that_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
