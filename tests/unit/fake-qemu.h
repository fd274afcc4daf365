/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A program that speaks as much QMP as khctl resume needs. The test starts itself under the name
 * fake-qemu; the first argument says how the "QEMU" behaves, the second is the path of its QMP socket.
 *
 * good: takes the whole device state, and says that the guest runs
 * fails: takes it, and says that the load failed
 * dies: takes it, and ends without a word
 * runs-and-dies: takes it, says RESUME, and ends
 * hangs: never greets
 * takes-nothing: greets, and does not read the device state
 */
#ifndef FAKE_QEMU_H
#define FAKE_QEMU_H

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct {
	const char *how;
	const char *status;
	const char *migration;
	int stream;
	int client[8];
	int n;
} fake = { .status = "inmigrate", .migration = "none", .stream = -1 };

static void fake_say(int fd, const char *text)
{
	if (send(fd, text, strlen(text), MSG_NOSIGNAL) < 0)
		_exit(3);
}

static void fake_greet(int fd)
{
	fake.client[fake.n++] = fd;
	fake_say(fd, "{\"QMP\": {\"version\": {}, \"capabilities\": []}}\n");
}

static void fake_event(const char *name, const char *data)
{
	char text[200];

	snprintf(text, sizeof(text), "{\"event\": \"%s\", \"timestamp\": {\"seconds\": 1, \"microseconds\": 0}, \"data\": {%s}}\n",
		 name, data);
	fake_say(fake.client[0], text);
}

static void fake_loaded(void)
{
	if (!strcmp(fake.how, "dies"))
		_exit(1);
	if (!strcmp(fake.how, "fails")) {
		fake.migration = "failed";
		fake_event("MIGRATION", "\"status\": \"failed\"");
		return;
	}
	fake_event("RESUME", "");
	if (!strcmp(fake.how, "runs-and-dies"))
		_exit(1);
	fake.status = "running";
	fake.migration = "completed";
	fake_event("MIGRATION", "\"status\": \"completed\"");
}

static void fake_command(int fd, char *line)
{
	const char *id = strstr(line, "\"id\":");
	char text[300], ret[160] = "";

	if (strstr(line, "query-status"))
		snprintf(ret, sizeof(ret), "\"status\": \"%s\"", fake.status);
	else if (strstr(line, "query-migrate\""))
		snprintf(ret, sizeof(ret), "\"status\": \"%s\", \"error-desc\": \"made up\"", fake.migration);
	snprintf(text, sizeof(text), "{\"return\": {%s}, \"id\": %lld}\n", ret,
		 id ? strtoll(id + 5, NULL, 10) : 0);
	fake_say(fd, text);
	if (strstr(line, "migrate-incoming"))
		fake.migration = "active";
}

/* One command at a time, as khctl sends them. */
static int fake_read(int fd)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} ctl;
	char line[4096];
	struct iovec iov = { .iov_base = line, .iov_len = sizeof(line) - 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &ctl,
			    .msg_controllen = sizeof(ctl) };
	ssize_t n = recvmsg(fd, &m, 0);
	struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;

	if (n <= 0)
		return -1;
	line[n] = '\0';
	if (c)
		memcpy(&fake.stream, CMSG_DATA(c), sizeof(int));
	fake_command(fd, line);
	return 0;
}

static int fake_listen(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	unlink(path);
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) || listen(fd, 4))
		_exit(4);
	return fd;
}

static int fake_qemu(int argc, char **argv)
{
	char buf[65536];
	const char *fd = NULL;
	struct pollfd p[10];
	int i, n, listening;

	fake.how = argv[1];
	for (i = 1; i < argc; i++)
		if (strstr(argv[i], ",fd="))
			fd = strstr(argv[i], ",fd=") + 4;
	listening = fake_listen(argv[2]);
	if (!fd)
		return 5;
	if (!strcmp(fake.how, "hangs"))
		pause();
	fake_greet(atoi(fd));
	for (;;) {
		p[0] = (struct pollfd){ .fd = listening, .events = POLLIN };
		p[1] = (struct pollfd){ .events = POLLIN };
		p[1].fd = fake.migration[0] == 'a' && strcmp(fake.how, "takes-nothing") ?
			  fake.stream : -1;
		for (i = 0; i < fake.n; i++)
			p[2 + i] = (struct pollfd){ .fd = fake.client[i], .events = POLLIN };
		n = fake.n;
		poll(p, 2 + n, -1);
		if (p[0].revents && fake.n < 8)
			fake_greet(accept(listening, NULL, NULL));
		for (i = 0; i < n; i++)
			if (p[2 + i].revents && fake_read(fake.client[i]))
				fake.client[i] = -1;
		/* The end of the stream is its last byte, which the test makes 'E'. */
		if (p[1].revents) {
			ssize_t got = read(fake.stream, buf, sizeof(buf));

			if (got <= 0)
				_exit(6);
			if (buf[got - 1] == 'E')
				fake_loaded();
		}
	}
}

#endif
