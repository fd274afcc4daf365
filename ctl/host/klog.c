// SPDX-License-Identifier: GPL-2.0
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/util.h"
#include "host/klog.h"

/* "fault" as a word of its own: "default" is none. */
static bool has_word(const char *line, const char *word)
{
	const char *p;

	for (p = line; (p = strstr(p, word)); p++)
		if (p == line || !isalpha((unsigned char)p[-1]))
			return true;
	return false;
}

bool klog_dma_fault(const void *ctx, const char *line)
{
	(void)ctx;
	return strstr(line, "DMAR") && has_word(line, "fault");
}

bool klog_reset(const void *bdf, const char *line)
{
	return strstr(line, bdf) && has_word(line, "reset");
}

int klog_copy(char *buf, size_t size)
{
	char rec[8192], *text;
	bool first = true, lost = false, full = false;
	size_t len = 0;
	ssize_t n;
	int fd;

	buf[0] = '\0';
	fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	/* Each read is one record: "priority,number,microseconds,flags;text". */
	while ((n = read(fd, rec, sizeof(rec) - 1)) > 0 || errno == EPIPE || errno == EINTR) {
		if (n <= 0) {
			lost |= errno == EPIPE;
			continue;
		}
		rec[n] = '\0';
		text = strchr(rec, ',');
		if (first && (!text || strtoull(text + 1, NULL, 10)))
			lost = true;
		first = false;
		text = strchr(rec, ';');
		/* A command line may name a device and any word. */
		if (!text || strstr(text, "ommand line: ") ||
		    !(has_word(text, "fault") || has_word(text, "reset")))
			continue;
		text[1 + strcspn(text + 1, "\n")] = '\0';
		n = snprintf(buf + len, size - len, "%s\n", text + 1);
		full |= (size_t)n >= size - len;
		len = full ? size - 1 : len + n;
	}
	close(fd);
	return full ? -ENOSPC : lost || first ? -ENODATA : 0;
}

int klog_find(const char *text, bool (*bad)(const void *ctx, const char *line), const void *ctx,
	      char *line, size_t size)
{
	char buf[1024];
	int found = 0;
	size_t len;

	line[0] = '\0';
	for (; *text; text += len + (text[len] == '\n')) {
		len = strcspn(text, "\n");
		snprintf(buf, sizeof(buf), "%.*s", (int)len, text);
		if (bad(ctx, buf) && !found++)
			copy_str(line, size, buf);
	}
	return found;
}
