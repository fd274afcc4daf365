// SPDX-License-Identifier: GPL-2.0
/*
 * The first process of the host under test, of which nothing is asked but to be
 * quick: what guests wait for comes first, the rest is the script's, l1-init.
 *
 * It mounts what a resume looks at, runs it if the kernel's command line says
 * that guests wait (khctl.state=, or kh.stock=...,care of tools/bench), and
 * becomes the script, which finds the exit status in $RESUMED.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PORTS "/sys/class/virtio-ports"

static void say(const char *what)
{
	dprintf(2, "first: %s: %s\n", what, strerror(errno));
}

static void mount_all(void)
{
	static const struct {
		const char *type, *on;
	} mounts[] = { { "proc", "/proc" }, { "sysfs", "/sys" }, { "tmpfs", "/run" } };
	size_t i;

	for (i = 0; i < sizeof(mounts) / sizeof(*mounts); i++)
		if (mount(mounts[i].type, mounts[i].on, mounts[i].type, 0, NULL))
			say(mounts[i].on);
	if (access("/dev/null", F_OK) && mount("devtmpfs", "/dev", "devtmpfs", 0, NULL))
		say("/dev");
}

/* Return: bytes, without the newline at the end. */
static ssize_t read_file(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);

	if (fd >= 0)
		close(fd);
	if (n < 0)
		return n;
	while (n && buf[n - 1] == '\n')
		n--;
	buf[n] = '\0';
	return n;
}

/* Ports by their names: a guest's console is one of them. */
static void name_ports(void)
{
	char path[512], name[64], link[128], to[300];
	struct dirent *d;
	DIR *dir;

	mkdir("/dev/virtio-ports", 0755);
	dir = opendir(PORTS);
	while (dir && (d = readdir(dir))) {
		snprintf(path, sizeof(path), PORTS "/%s/name", d->d_name);
		if (d->d_name[0] == '.' || read_file(path, name, sizeof(name)) <= 0)
			continue;
		snprintf(link, sizeof(link), "/dev/virtio-ports/%s", name);
		snprintf(to, sizeof(to), "../%s", d->d_name);
		if (symlink(to, link))
			say(link);
	}
	if (dir)
		closedir(dir);
}

static void run(const char *program)
{
	char status[16];
	int st = 0;
	pid_t pid = vfork();

	if (!pid) {
		execl(program, program, "resume", NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &st, 0) != pid) {
		say(program);
		return;
	}
	snprintf(status, sizeof(status), "%d", WIFEXITED(st) ? WEXITSTATUS(st) : 128 + WTERMSIG(st));
	setenv("RESUMED", status, 1);
}

/* tools/bench: a stock host that was left by kexec does the same in its way. */
static void run_stock(void)
{
	if (symlink("/usr/bin/qemu-stock", "/run/qemu-system-x86_64"))
		say("/run/qemu-system-x86_64");
	run("/usr/bin/l1-stock");
	unsetenv("RESUMED");
}

/* The value of a parameter, up to the next one; NULL without it. */
static const char *parameter(char *cmdline, const char *name)
{
	size_t len = strlen(name);
	char *p, *rest = cmdline;

	while ((p = strsep(&rest, " ")))
		if (!strncmp(p, name, len))
			return p + len;
	return NULL;
}

int main(void)
{
	char cmdline[4096], copy[4096];
	const char *stock;

	setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
	setenv("HOME", "/root", 1);
	mount_all();
	name_ports();
	if (read_file("/proc/cmdline", cmdline, sizeof(cmdline)) < 0) {
		say("/proc/cmdline");
		*cmdline = '\0';
	}
	strcpy(copy, cmdline);
	stock = parameter(copy, "kh.stock=");
	if (parameter(cmdline, "khctl.state="))
		run("/usr/bin/khctl");
	else if (stock && strstr(stock, ",care"))
		run_stock();
	execl("/sbin/l1-init", "/sbin/l1-init", NULL);
	say("/sbin/l1-init");
	return 1;
}
