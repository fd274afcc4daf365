// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>
#include "base/util.h"
#include "host/initrd.h"

/* An entry of cpio's newc format: a magic number and 13 numbers of 8 hexadecimal digits. */
#define NEWC_HEADER	110
#define NEWC_FILESIZE	54
#define NEWC_NAMESIZE	94
/* More than this is no initial RAM disk. */
#define UNPACKED_MAX	(4ULL << 30)
#define READ_BYTES	(1 << 20)

extern char **environ;

static const struct packing {
	const char *name;
	const char *magic;
	size_t len;
	const char *program;	/* NULL: zlib */
} packings[] = {
	{ "gzip", "\x1f\x8b", 2, NULL },
	{ "zstd", "\x28\xb5\x2f\xfd", 4, "zstd" },
	{ "xz", "\xfd\x37zXZ\0", 6, "xz" },
	{ "lzma", "\x5d\x00\x00", 3, "lzma" },
	{ "bzip2", "BZh", 3, "bzip2" },
	{ "lzo", "\x89LZO", 4, "lzop" },
	{ "lz4", "\x02\x21\x4c\x18", 4, "lz4" },
};

static int hex8(const uint8_t *p, uint32_t *val)
{
	unsigned int i;

	for (*val = 0, i = 0; i < 8; i++) {
		if (!strchr("0123456789abcdefABCDEF", p[i]) || !p[i])
			return -EBADMSG;
		*val = *val << 4 | (p[i] <= '9' ? p[i] - '0' : (p[i] | 0x20) - 'a' + 10);
	}
	return 0;
}

/* "init", "./init" and "/init" are the same file. */
static bool same_path(const char *a, const char *b)
{
	a += strspn(a, "./");
	b += strspn(b, "./");
	return !strcmp(a, b);
}

static size_t pad4(size_t n)
{
	return (n + 3) & ~(size_t)3;
}

/* One archive, up to its trailer. Return: bytes, or 0 when it is damaged. */
static size_t read_archive(const uint8_t *d, size_t size, const char *init, struct initrd *rd)
{
	uint32_t file, name;
	const char *text;
	size_t at = 0;

	while (size - at >= NEWC_HEADER) {
		if ((memcmp(d + at, "070701", 6) && memcmp(d + at, "070702", 6)) ||
		    hex8(d + at + NEWC_FILESIZE, &file) || hex8(d + at + NEWC_NAMESIZE, &name) ||
		    !name || name > size - at - NEWC_HEADER || d[at + NEWC_HEADER + name - 1])
			return 0;
		text = (const char *)d + at + NEWC_HEADER;
		at += pad4(NEWC_HEADER + name);
		if (!strcmp(text, "TRAILER!!!"))
			return at < size ? at : size;
		rd->entries++;
		rd->has_init |= same_path(text, init);
		if (at > size || file > size - at)
			return 0;
		at += pad4(file);
		if (at > size)
			return 0;
	}
	return 0;
}

struct buffer {
	uint8_t *data;
	size_t len;
	size_t room;
};

static int grow(struct buffer *b)
{
	size_t room = b->room ? 2 * b->room : 8 * READ_BYTES;
	void *more;

	if (b->len < b->room)
		return 0;
	if (room > UNPACKED_MAX)
		return -EFBIG;
	more = realloc(b->data, room);
	if (!more)
		return -ENOMEM;
	b->data = more;
	b->room = room;
	return 0;
}

/* @used: bytes of @d that the stream took; another archive may follow it. */
static int unpack_gzip(const uint8_t *d, size_t size, size_t *used, struct buffer *out)
{
	z_stream z = { .next_in = (Bytef *)d };
	size_t left = size;
	int rc = 0, st = Z_OK;

	if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK)
		return -ENOMEM;
	while (!rc && st == Z_OK) {
		if (!z.avail_in) {
			z.avail_in = left > READ_BYTES ? READ_BYTES : left;
			left -= z.avail_in;
		}
		rc = grow(out);
		if (rc)
			break;
		z.next_out = out->data + out->len;
		z.avail_out = out->room - out->len > READ_BYTES ? READ_BYTES : out->room - out->len;
		st = inflate(&z, Z_NO_FLUSH);
		out->len = z.next_out - out->data;
		if (st == Z_BUF_ERROR && left)
			st = Z_OK;
	}
	*used = size - left - z.avail_in;
	inflateEnd(&z);
	return rc ? rc : st == Z_STREAM_END ? 0 : -EBADMSG;
}

/* Feeds @d to the program and reads what it makes of it. */
static int pump(int in, int out_fd, const uint8_t *d, size_t size, struct buffer *out)
{
	struct pollfd p[2] = { { .fd = in, .events = POLLOUT }, { .fd = out_fd, .events = POLLIN } };
	size_t done = 0;
	ssize_t n;
	int rc;

	for (;;) {
		if (poll(p, 2, -1) < 0)
			return -errno;
		if (p[0].fd >= 0 && p[0].revents) {
			n = send(p[0].fd, d + done, size - done, MSG_NOSIGNAL);
			done += n > 0 ? n : 0;
			if ((n < 0 && errno != EAGAIN) || done == size) {
				close(p[0].fd);
				p[0].fd = -1;
			}
		}
		if (!p[1].revents)
			continue;
		rc = grow(out);
		if (rc)
			return rc;
		n = read(out_fd, out->data + out->len, out->room - out->len);
		if (n <= 0) {
			if (p[0].fd >= 0)
				close(p[0].fd);
			return n < 0 ? -errno : 0;
		}
		out->len += n;
	}
}

/* Return: -ENOENT when the program is not there. */
static int unpack_with(const char *program, const uint8_t *d, size_t size, struct buffer *out)
{
	char *argv[] = { (char *)program, (char *)"-dcq", NULL };
	posix_spawn_file_actions_t fa;
	int in[2], back[2], rc, status;
	pid_t pid;

	/* A socket, not a pipe: a program that ends early must not end khctl with SIGPIPE. */
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, in))
		return -errno;
	if (pipe2(back, O_CLOEXEC)) {
		close(in[0]);
		close(in[1]);
		return -errno;
	}
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_adddup2(&fa, in[0], 0);
	posix_spawn_file_actions_adddup2(&fa, back[1], 1);
	posix_spawn_file_actions_addopen(&fa, 2, "/dev/null", O_WRONLY, 0);
	rc = -posix_spawnp(&pid, program, &fa, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&fa);
	close(in[0]);
	close(back[1]);
	if (rc) {
		close(in[1]);
	} else {
		fcntl(in[1], F_SETFL, O_NONBLOCK);
		rc = pump(in[1], back[0], d, size, out);
	}
	close(back[0]);
	if (!rc && waitpid(pid, &status, 0) == pid && (!WIFEXITED(status) || WEXITSTATUS(status)))
		rc = -EBADMSG;
	return rc;
}

static const struct packing *packing_of(const uint8_t *d, size_t size)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(packings); i++)
		if (size >= packings[i].len && !memcmp(d, packings[i].magic, packings[i].len))
			return &packings[i];
	return NULL;
}

static int read_all_of(const uint8_t *d, size_t size, const char *init, bool packed, struct initrd *rd,
		       struct kh_err *e);

static int read_packed(const struct packing *p, const uint8_t *d, size_t size, size_t *used,
		       const char *init, struct initrd *rd, struct kh_err *e)
{
	struct buffer out = { 0 };
	int rc;

	*used = size;
	rc = p->program ? unpack_with(p->program, d, size, &out) : unpack_gzip(d, size, used, &out);
	if (rc == -ENOENT) {
		rd->packed = p->name;
		rc = 0;
	} else if (rc) {
		rc = err_set(e, rc == -ENOMEM ? rc : -EBADMSG, "its %s data is damaged or cut short",
			     p->name);
	} else {
		rc = read_all_of(out.data, out.len, init, true, rd, e);
	}
	free(out.data);
	return rc;
}

static int read_all_of(const uint8_t *d, size_t size, const char *init, bool packed, struct initrd *rd,
		       struct kh_err *e)
{
	const struct packing *p;
	size_t at = 0, used;
	int rc;

	while (at < size) {
		if (!d[at]) {	/* archives may be padded */
			at++;
			continue;
		}
		p = packed ? NULL : packing_of(d + at, size - at);
		if (p) {
			rc = read_packed(p, d + at, size - at, &used, init, rd, e);
			if (rc)
				return rc;
		} else {
			used = read_archive(d + at, size - at, init, rd);
			if (!used)
				return err_set(e, -EBADMSG, "no cpio archive at byte %zu%s, or one that is cut short",
					       at, packed ? " of the unpacked data" : "");
		}
		at += used;
	}
	return 0;
}

int initrd_check(const void *data, size_t size, const char *init, struct initrd *rd, struct kh_err *e)
{
	int rc;

	memset(rd, 0, sizeof(*rd));
	rc = read_all_of(data, size, init, false, rd, e);
	if (!rc && !rd->entries && !rd->packed)
		rc = err_set(e, -EBADMSG, "it holds no file");
	return rc;
}
