// SPDX-License-Identifier: GPL-2.0
/* what was counted, as one line of JSON; asked for over TCP or written to a serial line */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "khload.h"

#define REPORT_MAX	65536
#define LOG_LINES	128
#define LOG_LINE	240

/* Kernel messages that matter at whatever level they come. */
static const char *const notable[] = {
	"Link is Down", "Tx hang", "Unit Hang", "Reset adapter", "lockup", "stall",
	"clocksource", "BUG", "Oops", "Call Trace", "WARNING", "taint",
};

static char log_lines[LOG_LINES][LOG_LINE];
static unsigned int nr_log_lines;

struct out {
	char *buf;
	size_t size;
	size_t len;
};

__attribute__((format(printf, 2, 3)))
static void put(struct out *o, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(o->buf + o->len, o->size - o->len, fmt, ap);
	va_end(ap);
	o->len += n;
	if (o->len >= o->size)
		o->len = o->size - 1;
}

static void put_string(struct out *o, const char *s)
{
	put(o, "\"");
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			put(o, "\\%c", *s);
		else if ((unsigned char)*s < ' ' || (unsigned char)*s > '~')
			put(o, "?");
		else
			put(o, "%c", *s);
	}
	put(o, "\"");
}

/* One record: "<prio>,<seq>,<usec>,<flags>;<text>\n" */
static void keep_record(char *rec)
{
	unsigned int i, prio;
	unsigned long long usec;
	char *text = strchr(rec, ';');
	bool keep;

	if (!text || sscanf(rec, "%u,%*u,%llu", &prio, &usec) != 2)
		return;
	text++;
	text[strcspn(text, "\n")] = 0;
	keep = (prio & 7) <= 4;
	for (i = 0; i < ARRAY_SIZE(notable); i++)
		keep = keep || strcasestr(text, notable[i]);
	/* user space may write to the log as well; only the kernel's word counts */
	if (prio >> 3 || !keep || nr_log_lines == LOG_LINES)
		return;
	snprintf(log_lines[nr_log_lines++], LOG_LINE, "[%5llu.%06llu] %s", usec / 1000000,
		 usec % 1000000, text);
}

static void read_kernel_log(void)
{
	static int fd = -1;
	char rec[8192];
	ssize_t n;

	if (fd < 0)
		fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	while (fd >= 0) {
		n = read(fd, rec, sizeof(rec) - 1);
		if (n < 0 && errno == EPIPE)	/* overrun: go on with the oldest */
			continue;
		if (n <= 0)
			return;
		rec[n] = 0;
		keep_record(rec);
	}
}

static void put_log(struct out *o)
{
	unsigned int i;

	read_kernel_log();
	put(o, ",\"kernel_log\":[");
	for (i = 0; i < nr_log_lines; i++) {
		put(o, "%s", i ? "," : "");
		put_string(o, log_lines[i]);
	}
	put(o, "]");
}

static void read_line(const char *path, char *buf, size_t size)
{
	FILE *f = fopen(path, "r");

	if (!f || !fgets(buf, size, f))
		buf[0] = 0;
	buf[strcspn(buf, "\n")] = 0;
	if (f)
		fclose(f);
}

static void put_link(struct out *o, const char *iface)
{
	static const char *const files[] = {
		"operstate", "carrier_changes", "carrier_down_count", "carrier_up_count",
	};
	char path[256], value[64];
	unsigned int i;

	put(o, ",\"link\":{\"name\":");
	put_string(o, iface);
	for (i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(path, sizeof(path), "/sys/class/net/%s/%s", iface, files[i]);
		read_line(path, value, sizeof(value));
		put(o, ",\"%s\":", files[i]);
		if (i)
			put(o, "%s", value[0] ? value : "null");
		else
			put_string(o, value);
	}
	put(o, "}");
}

/* "  26:   1234   0   PCI-MSIX-0000:00:06.0    0-edge      eth0-rx-0" */
static void put_irq_line(struct out *o, char *line, const char *iface, bool *first)
{
	char *name, *p;
	unsigned long long sum = 0;

	line[strcspn(line, "\n")] = 0;
	name = strrchr(line, ' ');
	p = strchr(line, ':');
	if (!name || !p || strncmp(name + 1, iface, strlen(iface)))
		return;
	for (p++;; ) {
		char *end;
		unsigned long long n = strtoull(p, &end, 10);

		if (end == p)
			break;
		sum += n;
		p = end;
	}
	put(o, "%s", *first ? "" : ",");
	put_string(o, name + 1);
	put(o, ":%llu", sum);
	*first = false;
}

static void put_irqs(struct out *o, const char *iface)
{
	FILE *f = fopen("/proc/interrupts", "r");
	bool first = true;
	char line[1024];

	put(o, ",\"interrupts\":{");
	while (f && fgets(line, sizeof(line), f))
		put_irq_line(o, line, iface, &first);
	if (f)
		fclose(f);
	put(o, "}");
}

#define U64(x)	((unsigned long long)(x))

static void put_net(struct out *o, const struct options *opt)
{
	static const char *const status[] = { "off", "waiting", "up", "down" };
	const struct udp_state *u = &shared->udp;
	const struct tcp_state *t = &shared->tcp;

	if (opt->have_udp)
		put(o, ",\"udp\":{\"rate\":%u,\"sent\":%llu,\"send_errors\":%llu,\"received\":%llu,"
		    "\"unique\":%llu,\"duplicated\":%llu,\"reordered\":%llu,\"corrupt\":%llu,"
		    "\"missing\":%llu,\"next_seq\":%llu,\"max_gap_ns\":%llu}", opt->rate,
		    U64(u->sent), U64(u->send_errors), U64(u->received), U64(u->unique),
		    U64(u->duplicated), U64(u->reordered), U64(u->corrupt),
		    U64(u->next_seq - u->unique), U64(u->next_seq), U64(u->max_gap_ns));
	if (opt->have_tcp)
		put(o, ",\"tcp\":{\"status\":\"%s\",\"error\":%llu,\"sent\":%llu,"
		    "\"verified\":%llu,\"bad\":%llu}", status[t->status & 3], U64(t->error),
		    U64(t->sent), U64(t->verified), U64(t->bad));
}

static void put_storage(struct out *o, const struct options *opt)
{
	const struct mem_state *m = &shared->mem;
	const struct disk_state *d = &shared->disk;

	if (opt->mem_percent)
		put(o, ",\"mem\":{\"bytes\":%llu,\"requested\":%llu,\"begun\":%llu,\"passes\":%llu,"
		    "\"errors\":%llu,\"first_bad\":%llu}", U64(m->bytes), U64(m->requested),
		    U64(m->begun), U64(m->passes), U64(m->errors), U64(m->first_bad));
	if (opt->disk)
		put(o, ",\"disk\":{\"blocks\":%llu,\"writes\":%llu,\"reads\":%llu,\"passes\":%llu,"
		    "\"errors\":%llu,\"io_errors\":%llu}", U64(d->blocks), U64(d->writes),
		    U64(d->reads), U64(d->passes), U64(d->errors), U64(d->io_errors));
}

static void put_spin(struct out *o)
{
	const struct spin_state *s = &shared->spin;

	put(o, ",\"spin\":{\"readings\":%llu,\"tsc_per_s\":%llu,\"card_per_s\":%llu,"
	    "\"tsc_max_ns\":%.0f,\"card_max_ns\":%.0f,\"lost_max_ns\":%llu,\"lost_most_ns\":%llu}", U64(s->readings),
	    U64(s->tsc_per_s), U64(s->card_per_s), spin_ns(s->tsc_max, s->tsc_per_s),
	    spin_ns(s->card_max, s->card_per_s), U64(s->lost_max_ns), U64(s->lost_most_ns));
}

bool all_ready(const struct options *opt)
{
	bool ready = true;

	if (opt->mem_percent)
		ready = ready && shared->mem.bytes;
	if (opt->disk)
		ready = ready && shared->disk.blocks;
	if (opt->have_tcp)
		ready = ready && shared->tcp.verified;
	if (opt->have_udp)
		ready = ready && shared->udp.received;
	if (opt->spin)
		ready = ready && shared->spin.related;
	if (ready && !shared->ready_ns)
		shared->ready_ns = now_ns(CLOCK_MONOTONIC);
	return shared->ready_ns;
}

int format_report(const struct options *opt, char *buf, size_t size, bool with_log)
{
	struct out o = { .buf = buf, .size = size };
	char line[128];

	put(&o, "{\"schema_version\":1,\"name\":");
	put_string(&o, opt->name);
	read_line("/proc/sys/kernel/random/boot_id", line, sizeof(line));
	put(&o, ",\"boot_id\":");
	put_string(&o, line);
	read_line("/proc/sys/kernel/osrelease", line, sizeof(line));
	put(&o, ",\"release\":");
	put_string(&o, line);
	read_line("/sys/devices/system/clocksource/clocksource0/current_clocksource", line,
		  sizeof(line));
	put(&o, ",\"clocksource\":");
	put_string(&o, line);
	read_line("/proc/sys/kernel/tainted", line, sizeof(line));
	put(&o, ",\"tainted\":%s", line[0] ? line : "null");
	put(&o, ",\"ready\":%s", all_ready(opt) ? "true" : "false");
	put(&o, ",\"ready_ns\":%llu,\"uptime_ns\":%llu,\"realtime_ns\":%llu,\"ticks\":%llu,"
	    "\"tick_max_gap_ns\":%llu,\"dead_workers\":%llu", U64(shared->ready_ns),
	    U64(now_ns(CLOCK_MONOTONIC)), U64(now_ns(CLOCK_REALTIME)), U64(shared->ticks),
	    U64(shared->tick_max_gap_ns), U64(shared->dead));
	put_net(&o, opt);
	put_storage(&o, opt);
	if (opt->spin)
		put_spin(&o);
	if (opt->iface) {
		put_link(&o, opt->iface);
		put_irqs(&o, opt->iface);
	}
	if (with_log)
		put_log(&o);
	put(&o, "}\n");
	return o.len;
}

/* To RAM; returns when the machine was woken up again. */
static int suspend(void)
{
	int fd = open("/sys/power/state", O_WRONLY | O_CLOEXEC), ret;

	if (fd < 0)
		return -errno;
	ret = write(fd, "mem", 3) == 3 ? 0 : -errno;
	close(fd);
	return ret;
}

/* Returns the length of the answer. */
static int answer(const struct options *opt, char *command, char *buf, size_t size)
{
	command[strcspn(command, "\r\n")] = 0;
	if (!strcmp(command, "memcheck")) {
		/* a pass that is under way began too early to count */
		shared->mem.requested = shared->mem.begun + 1;
		return snprintf(buf, size, "{\"pass\":%llu}\n", U64(shared->mem.requested));
	}
	if (!strcmp(command, "stop"))
		shared->tx_stopped = 1;
	else if (!strcmp(command, "suspend"))
		return snprintf(buf, size, "{\"suspended\":%d}\n", suspend());
	else if (!strcmp(command, "spin"))
		shared->spin.wanted = 1;
	else if (strcmp(command, "report"))
		return snprintf(buf, size, "{\"error\":\"unknown command\"}\n");
	return format_report(opt, buf, size, true);
}

static void serve(const struct options *opt, int fd)
{
	static char buf[REPORT_MAX];
	struct timeval limit = { .tv_sec = 10 };
	char command[64];
	ssize_t n;
	int len, done;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	n = recv(fd, command, sizeof(command) - 1, 0);
	if (n <= 0)
		return;
	command[n] = 0;
	len = answer(opt, command, buf, sizeof(buf));
	for (done = 0; done < len; done += n) {
		n = send(fd, buf + done, len - done, MSG_NOSIGNAL);
		if (n <= 0)
			return;
	}
}

void query_worker(const struct options *opt)
{
	struct sockaddr_in any = {
		.sin_family = AF_INET,
		.sin_port = htons(opt->query_port),
	};
	int one = 1, conn, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof(any)) || listen(fd, 8)) {
		fprintf(stderr, "khload: query port: %s\n", strerror(errno));
		return;
	}
	for (;;) {
		conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
		if (conn < 0)
			continue;
		serve(opt, conn);
		close(conn);
	}
}

void serial_worker(const struct options *opt)
{
	static char buf[REPORT_MAX];
	int fd = open(opt->serial, O_WRONLY | O_NOCTTY | O_CLOEXEC), len;

	if (fd < 0) {
		fprintf(stderr, "khload: %s: %s\n", opt->serial, strerror(errno));
		return;
	}
	for (;;) {
		/* on a console, messages of the kernel may come in between: begin a line */
		len = snprintf(buf, sizeof(buf), "\nkhload: ");
		len += format_report(opt, buf + len, sizeof(buf) - len, false);
		if (write(fd, buf, len) != len)
			fprintf(stderr, "khload: %s: %s\n", opt->serial, strerror(errno));
		sleep_ns(2 * NSEC_PER_SEC);
	}
}

int query(const char *where, const char *command)
{
	struct timeval limit = { .tv_sec = 20 };
	struct sockaddr_in addr;
	char buf[4096];
	int fd, ret = 0;
	ssize_t n;

	if (parse_addr(where, &addr)) {
		fprintf(stderr, "khload: bad address: %s\n", where);
		return -EINVAL;
	}
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) ||
	    send(fd, command, strlen(command), MSG_NOSIGNAL) < 0) {
		ret = -errno;
	} else {
		while ((n = recv(fd, buf, sizeof(buf), 0)) > 0)
			fwrite(buf, 1, n, stdout);
		ret = n < 0 ? -errno : 0;
	}
	if (ret)
		fprintf(stderr, "khload: %s: %s\n", where, strerror(-ret));
	if (fd >= 0)
		close(fd);
	return ret;
}
