// SPDX-License-Identifier: GPL-2.0
/*
 * qmp SOCKET COMMAND...: QMP commands, as JSON, to a QEMU in L1. "event:NAME" waits for an event.
 * Prints the last answer. Without a command it only connects. "qmp listen SOCKET" waits for a client.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

/* Longer than any answer that a scenario asks for. */
#define LINE_BYTES (4 << 20)
#define MAX_EVENTS 64
#define TIMEOUT_SECONDS 60

static FILE *stream;
static char line[LINE_BYTES];
static char *event[MAX_EVENTS];
static int nr_events;

static void fail(const char *what)
{
	fprintf(stderr, "qmp: %s\n", what);
	exit(1);
}

static int open_socket(const char *path, struct sockaddr_un *sa)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	sa->sun_family = AF_UNIX;
	if (fd < 0 || strlen(path) >= sizeof(sa->sun_path))
		fail(path);
	strcpy(sa->sun_path, path);
	return fd;
}

static void serve(const char *path)
{
	struct sockaddr_un sa = { 0 };
	int fd = open_socket(path, &sa);

	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) || listen(fd, 1))
		fail(path);
	fd = accept(fd, NULL, NULL);
	while (read(fd, line, sizeof(line)) > 0)
		;
}

/* One message. An event is kept for a later event:NAME. */
static void next_line(void)
{
	if (!fgets(line, sizeof(line), stream))
		fail("no answer");
	if (strstr(line, "\"event\": \"") && nr_events < MAX_EVENTS)
		event[nr_events++] = strdup(line);
}

static void wait_answer(void)
{
	do
		next_line();
	while (!strstr(line, "\"return\"") && !strstr(line, "\"error\""));
	if (strstr(line, "\"error\""))
		fail(line);
}

static void wait_event(const char *name)
{
	int i;

	for (i = 0;; i++) {
		while (i == nr_events)
			next_line();
		if (strstr(event[i], name))
			return;
	}
}

int main(int argc, char **argv)
{
	struct timeval limit = { .tv_sec = TIMEOUT_SECONDS };
	struct sockaddr_un sa = { 0 };
	int fd, i;

	if (argc < 2)
		fail("no socket");
	if (argc == 3 && !strcmp(argv[1], "listen")) {
		serve(argv[2]);
		return 0;
	}
	fd = open_socket(argv[1], &sa);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)))
		fail(argv[1]);
	if (argc == 2)
		return 0;
	stream = fdopen(fd, "r");
	next_line();
	dprintf(fd, "{\"execute\": \"qmp_capabilities\"}\n");
	wait_answer();
	for (i = 2; i < argc; i++) {
		if (!strncmp(argv[i], "event:", 6)) {
			wait_event(argv[i] + 6);
			continue;
		}
		dprintf(fd, "%s\n", argv[i]);
		wait_answer();
	}
	printf("%s", line);
	return 0;
}
