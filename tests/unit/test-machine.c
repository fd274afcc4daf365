// SPDX-License-Identifier: GPL-2.0
/* The machine as QEMU describes it, against its command line. The answers are those of QEMU 10.0, shortened. */
#include "unit.h"
#include <json-c/json.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/util.h"
#include "vm/vm_machine.h"
#include "vm/vm_opts.h"

#define ARGS(s) s, sizeof(s) - 1

static const char argv[] =
	"qemu\0-drive\0if=none,id=disk,file=/dev/vda,format=raw,cache=none,throttling.iops-total=100\0"
	"-device\0virtio-blk-pci,drive=disk\0"
	"-blockdev\0{\"driver\":\"raw\",\"node-name\":\"fmt\",\"file\":\"prot\"}\0"
	"-blockdev\0driver=file,filename=/img/b,node-name=prot\0"
	"-device\0virtio-blk-pci,drive=fmt,id=d1\0"
	"-cdrom\0/img/cd\0"
	"-object\0iothread,id=io\0-chardev\0socket,id=x,path=/run/x,server=on,wait=off\0"
	"-device\0virtio-serial-pci\0-serial\0chardev:x\0-qmp\0unix:/run/q,server=on,wait=off\0"
	"-netdev\0hubport,hubid=1,id=n0\0-device\0{\"driver\":\"e1000e\",\"netdev\":\"n0\",\"id\":\"nic0\"}\0";

static const char now[] =
	"{\"block\": ["
	" {\"device\": \"disk\", \"removable\": false, \"qdev\": \"/machine/peripheral-anon/device[0]/virtio-backend\","
	"  \"inserted\": {\"node-name\": \"#block1\", \"drv\": \"raw\", \"file\": \"/dev/vda\", \"iops\": 100,"
	"   \"iops_rd\": 0, \"bps\": 0}},"
	" {\"device\": \"\", \"removable\": false, \"qdev\": \"/machine/peripheral/d1/virtio-backend\","
	"  \"inserted\": {\"node-name\": \"fmt\", \"drv\": \"raw\", \"file\": \"/img/b\", \"iops\": 0}},"
	" {\"device\": \"ide2-cd0\", \"removable\": true, \"inserted\": {\"node-name\": \"#block3\", \"drv\": \"raw\","
	"  \"file\": \"/img/cd\"}},"
	" {\"device\": \"floppy0\", \"removable\": true}],"
	"\"nodes\": ["
	" {\"node-name\": \"#block1\", \"drv\": \"raw\", \"file\": \"/dev/vda\"},"
	" {\"node-name\": \"#block2\", \"drv\": \"host_device\", \"file\": \"/dev/vda\"},"
	" {\"node-name\": \"fmt\", \"drv\": \"raw\", \"file\": \"/img/b\"},"
	" {\"node-name\": \"prot\", \"drv\": \"file\", \"file\": \"/img/b\"},"
	" {\"node-name\": \"#block3\", \"drv\": \"raw\", \"file\": \"/img/cd\"},"
	" {\"node-name\": \"#block4\", \"drv\": \"file\", \"file\": \"/img/cd\"}],"
	"\"graph\": {\"nodes\": [{\"id\": 1, \"name\": \"disk\"}, {\"id\": 2, \"name\": \"#block1\"},"
	"  {\"id\": 3, \"name\": \"#block2\"}, {\"id\": 4, \"name\": \"fmt\"}, {\"id\": 5, \"name\": \"prot\"},"
	"  {\"id\": 6, \"name\": \"#block3\"}, {\"id\": 7, \"name\": \"#block4\"}],"
	" \"edges\": [{\"name\": \"root\", \"parent\": 1, \"child\": 2}, {\"name\": \"file\", \"parent\": 2, \"child\": 3},"
	"  {\"name\": \"file\", \"parent\": 4, \"child\": 5}, {\"name\": \"file\", \"parent\": 6, \"child\": 7}]},"
	"\"exports\": [], \"fdsets\": [], \"iothreads\": [], \"smp\": {\"cpus\": 2},"
	"\"cpus\": [{\"thread-id\": 1}, {\"thread-id\": 2}],"
	"\"chardevs\": [{\"label\": \"x\", \"filename\": \"disconnected:unix:/run/x,server=on\"},"
	" {\"label\": \"compat_monitor0\", \"filename\": \"unix:/run/q,server=on\"},"
	" {\"label\": \"khctl-resume\", \"filename\": \"fd:\"}],"
	"\"objects\": [{\"name\": \"type\", \"type\": \"string\"}, {\"name\": \"io\", \"type\": \"child<iothread>\"}],"
	"\"peripheral\": [{\"name\": \"type\", \"type\": \"string\"},"
	" {\"name\": \"d1\", \"type\": \"child<virtio-blk-pci>\", \"hotplugged\": false},"
	" {\"name\": \"nic0\", \"type\": \"child<e1000e>\", \"hotplugged\": false}],"
	"\"anon\": [{\"name\": \"device[0]\", \"type\": \"child<virtio-blk-pci>\", \"hotplugged\": false},"
	" {\"name\": \"device[1]\", \"type\": \"child<virtio-serial-pci>\", \"hotplugged\": false}],"
	"\"stdin\": \"/dev/null\","
	"\"network\": \"hub 1\\r\\n \\\\ n0: nic0: index=0,type=nic,model=e1000e,macaddr=52:54:00:12:34:56\\r\\n\"}";

static char found[2048];
static unsigned int differences;

static void note(void *ctx, enum machine_check check, const char *text)
{
	size_t used = strlen(found);

	(void)ctx;
	differences++;
	snprintf(found + used, sizeof(found) - used, "%s: %s\n", machine_text(check)->id, text);
}

static unsigned int compare(const char *args, size_t len, const char *machine)
{
	const struct machine_sink sink = { note, NULL };
	struct json_object *opts = vm_opts_parse(args, len), *m = json_tokener_parse(machine);

	assert_non_null(m);
	found[0] = '\0';
	differences = 0;
	machine_compare(opts, m, &sink);
	json_object_put(m);
	json_object_put(opts);
	return differences;
}

/* The machine after one text in its description was replaced by another. */
static unsigned int changed(const char *was, const char *is)
{
	char *text = calloc(1, sizeof(now) + strlen(is));
	const char *at = strstr(now, was);
	unsigned int n;

	assert_non_null(at);
	memcpy(text, now, at - now);
	strcat(text, is);
	strcat(text, at + strlen(was));
	n = compare(ARGS(argv), text);
	free(text);
	return n;
}

static void expect(const char *id, const char *says)
{
	if (!differences || !strstr(found, id) || !strstr(found, says))
		fail_msg("not found: %s, %s, in:\n%s", id, says, found);
}

static void the_same(void **ctx)
{
	(void)ctx;
	compare(ARGS(argv), now);
	assert_string_equal(found, "");
}

static void disks(void **ctx)
{
	(void)ctx;
	/* A mirror, then a pivot. */
	changed("\"drv\": \"host_device\", \"file\": \"/dev/vda\"", "\"drv\": \"host_device\", \"file\": \"/dev/vdb\"");
	expect("vm-block", "drive disk has /dev/vdb");
	/* The overlay of a snapshot. */
	changed("\"node-name\": \"#block1\", \"drv\": \"raw\"", "\"node-name\": \"#block1\", \"drv\": \"qcow2\"");
	expect("vm-block", "format qcow2");
	changed("\"inserted\": {\"node-name\": \"fmt\"", "\"inserted\": {\"node-name\": \"other\"");
	expect("vm-block", "has node other");
	changed("\"parent\": 4, \"child\": 5", "\"parent\": 4, \"child\": 3");
	expect("vm-block", "file of node fmt is #block2");
	changed("{\"node-name\": \"prot\", \"drv\": \"file\", \"file\": \"/img/b\"},", "");
	expect("vm-block", "node prot was removed");
	changed("\"nodes\": [", "\"nodes\": [{\"node-name\": \"hot\", \"drv\": \"raw\", \"file\": \"/x\"},");
	expect("vm-block", "node hot (/x) was added");
	changed("\"node-name\": \"prot\", \"drv\": \"file\", \"file\": \"/img/b\"",
		"\"node-name\": \"prot\", \"drv\": \"file\", \"file\": \"/img/c\"");
	expect("vm-block", "node prot has /img/c");
	changed("\"device\": \"disk\"", "\"device\": \"disk9\"");
	expect("vm-block", "drive disk9 has /dev/vda, which no option names");
	expect("vm-block", "no drive has if=none,id=disk");
}

static void media_and_limits(void **ctx)
{
	(void)ctx;
	changed("\"drv\": \"file\", \"file\": \"/img/cd\"", "\"drv\": \"file\", \"file\": \"/img/cd2\"");
	expect("vm-block", "/img/cd2");
	changed(", \"inserted\": {\"node-name\": \"#block3\", \"drv\": \"raw\",  \"file\": \"/img/cd\"}", "");
	expect("vm-block", "no drive has /img/cd any more");
	changed("\"iops\": 100", "\"iops\": 200");
	expect("vm-throttle", "iops is 200, the command line has 100");
	changed("\"file\": \"/img/b\", \"iops\": 0", "\"file\": \"/img/b\", \"bps\": 5");
	expect("vm-throttle", "bps is 5");
	changed("\"node-name\": \"fmt\", \"drv\": \"raw\", \"file\": \"/img/b\"},",
		"\"node-name\": \"fmt\", \"drv\": \"raw\", \"file\": \"/img/b\", \"dirty-bitmaps\": [{\"name\": \"b0\", \"persistent\": false}]},");
	expect("vm-bitmap", "b0");
	changed("\"exports\": []", "\"exports\": [{\"id\": \"e\", \"node-name\": \"fmt\"}]");
	expect("vm-export", "e exports node fmt");
}

static void devices(void **ctx)
{
	(void)ctx;
	changed("\"d1\", \"type\": \"child<virtio-blk-pci>\", \"hotplugged\": false",
		"\"d1\", \"type\": \"child<virtio-blk-pci>\", \"hotplugged\": true");
	expect("vm-device", "d1 was added");
	changed(" {\"name\": \"nic0\"", " {\"name\": \"nic1\"");
	expect("vm-device", "nic1 was added");
	expect("vm-device", "e1000e nic0 was removed");
	changed("\"device[1]\", \"type\": \"child<virtio-serial-pci>\", \"hotplugged\": false",
		"\"device[7]\", \"type\": \"child<virtio-serial-pci>\", \"hotplugged\": true");
	expect("vm-device", "child<virtio-serial-pci> was added");
	expect("vm-device", "1 devices without an id, the command line has 2");
	changed(", {\"thread-id\": 2}", "");
	expect("vm-cpu", "1 vCPUs");
	changed("\"name\": \"io\"", "\"name\": \"ob\"");
	expect("vm-object", "ob was added");
	expect("vm-object", "iothread io was removed");
	changed("\"label\": \"x\"", "\"label\": \"y\"");
	expect("vm-chardev", "y (disconnected");
	expect("vm-chardev", "x was removed");
	changed("\"disconnected:unix:/run/x,server=on\"", "\"file\"");
	expect("vm-chardev", "x is file");
	changed("\"filename\": \"unix:/run/q,server=on\"", "\"filename\": \"stdio\"");
	assert_string_equal(found, "");
	changed("\"stdin\": \"/dev/null\"", "\"stdin\": \"/dev/pts/1\"");
	assert_string_equal(found, "");
	changed("\"fdsets\": []", "\"fdsets\": [{}]");
	expect("vm-argv", "add-fd");
	changed("macaddr=52:54:00:12:34:56", "x\\r\\nn9: index=0,type=hubport,x");
	expect("vm-net", "hubport n9 was added");
	changed("hub 1\\r\\n", "hub 3\\r\\n \\\\ n5\\r\\n");
	expect("vm-net", "port n5 was added");
	changed("n0: nic0", "n1: nic0");
	expect("vm-net", "n0 was removed");
}

static void refuses(const char *args, size_t len, const char *id, const char *says)
{
	compare(args, len, "{}");
	expect(id, says);
}

#define REFUSES(args, id, says) refuses("qemu\0" args "\0", sizeof("qemu\0" args "\0") - 1, id, says)

static void options(void **ctx)
{
	(void)ctx;
	REFUSES("-snapshot", "vm-snapshot", "-snapshot");
	REFUSES("-drive\0file=x,snapshot=on", "vm-snapshot", "snapshot=on");
	REFUSES("-readconfig\0/x", "vm-argv", "-readconfig /x");
	REFUSES("--preconfig", "vm-argv", "-preconfig");
	REFUSES("-add-fd\0fd=3,set=1", "vm-argv", "-add-fd");
	REFUSES("-netdev\0tap,fd=5", "vm-argv", "fd=5");
	REFUSES("-netdev\0tap,id=x,vhostfds=5:6", "vm-argv", "vhostfds");
	REFUSES("-netdev\0{\"type\":\"tap\",\"id\":\"x\",\"vhostfd\":\"5\"}", "vm-argv", "vhostfd");
	REFUSES("-drive\0file=/dev/fdset/1", "vm-argv", "fdset");
	REFUSES("-drive\0file.filename=/dev/fdset/1", "vm-argv", "fdset");
	REFUSES("-blockdev\0{\"driver\":\"raw\",\"file\":{\"driver\":\"file\",\"filename\":\"/dev/fdset/9\"}}",
		"vm-argv", "fdset");
	REFUSES("-chardev\0socket,id=m,fd=7,server=on,wait=off", "vm-argv", "fd=7");
	REFUSES("-serial\0pty", "vm-chardev", "pseudo terminal");
	REFUSES("-monitor\0pty:/x", "vm-chardev", "pseudo terminal");
	REFUSES("-chardev\0pty,id=p", "vm-chardev", "pseudo terminal");
	REFUSES("-serial\0file:/x", "vm-chardev", "would empty");
	REFUSES("-qmp\0tcp:10.0.0.1:44,server=on", "vm-chardev", "network");
	REFUSES("-vnc\0" "192.168.0.1:1", "vm-chardev", "network");
	REFUSES("-vnc\0" "127.0.0.1:1,password=on", "vm-password", "cannot be read");
	REFUSES("-chardev\0socket,id=c,path=/run/peer", "vm-helper", "client");
	REFUSES("-serial\0unix:/run/peer", "vm-helper", "client");
	REFUSES("-device\0vhost-user-fs-pci,chardev=c", "vm-helper", "vhost-user");
	REFUSES("-tpmdev\0emulator,id=t,chardev=c", "vm-helper", "TPM");
	REFUSES("-netdev\0vhost-user,id=n,chardev=c", "vm-helper", "vhost-user");
	REFUSES("-netdev\0tap,id=n,ifname=tap0,script=no", "vm-net", "tap0");
	REFUSES("-device\0pcnet,netdev=n", "vm-net", "link");
	REFUSES("-daemonize\0-drive\0file=img,format=raw", "vm-argv", "relative path img");
	REFUSES("-daemonize\0-pidfile\0x.pid", "vm-argv", "relative path x.pid");
	REFUSES("-daemonize\0-blockdev\0{\"driver\":\"file\",\"filename\":\"img\",\"node-name\":\"n\"}",
		"vm-argv", "relative path img");
}

#define ACCEPTS(args) do { \
	compare("qemu\0" args "\0", sizeof("qemu\0" args "\0") - 1, "{}"); \
	if (strstr(found, "vm-argv") || strstr(found, "vm-helper") || strstr(found, "vm-snapshot") || \
	    strstr(found, "-serial") || strstr(found, "-vnc")) \
		fail_msg("%s", found); \
	} while (0)

static void good_options(void **ctx)
{
	(void)ctx;
	ACCEPTS("-append\0fd=1 x,fd=2");
	ACCEPTS("-incoming\0fd:5");
	ACCEPTS("-drive\0file=/x/fd=1");
	ACCEPTS("-drive\0file=/x,snapshot=off");
	ACCEPTS("-serial\0unix:/run/x,server=on");
	ACCEPTS("-serial\0tcp:127.0.0.1:1,server,nowait");
	ACCEPTS("-serial\0tcp::1,server=on");
	ACCEPTS("-serial\0file:/dev/null");
	ACCEPTS("-vnc\0:1");
	ACCEPTS("-daemonize\0-blockdev\0driver=raw,file=prot,node-name=n");
	ACCEPTS("-chardev\0socket,id=khctl-resume,fd=7\0-mon\0chardev=khctl-resume,mode=control");
	ACCEPTS("-chardev\0socket,id=c,path=/run/peer,reconnect-ms=1000");
}

/* Forms in which an image may be named. */
static bool names_image(const char *args, size_t len, const char *file)
{
	char machine[1024];

	snprintf(machine, sizeof(machine),
		 "{\"block\": [{\"device\": \"d\", \"inserted\": {\"node-name\": \"#b1\", \"drv\": \"raw\"}}],"
		 "\"nodes\": [{\"node-name\": \"#b1\", \"file\": \"json:{}\"}, {\"node-name\": \"#b2\", \"file\": \"%s\"}],"
		 "\"graph\": {\"nodes\": [{\"id\": 1, \"name\": \"#b1\"}, {\"id\": 2, \"name\": \"#b2\"}],"
		 " \"edges\": [{\"name\": \"file\", \"parent\": 1, \"child\": 2}]}}", file);
	compare(args, len, machine);
	return !strstr(found, "vm-block");
}

static void names_of_images(void **ctx)
{
	(void)ctx;
	assert_true(names_image(ARGS("qemu\0-drive\0id=d,file=/x\0"), "/x"));
	assert_false(names_image(ARGS("qemu\0-drive\0id=d,file=/x\0"), "/y"));
	assert_true(names_image(ARGS("qemu\0-drive\0id=d,file=file:/x\0"), "/x"));
	assert_true(names_image(ARGS("qemu\0-drive\0id=d,file.driver=file,file.filename=/a,,b\0"), "/a,b"));
	assert_true(names_image(ARGS("qemu\0-drive\0id=d,driver=raw,file.driver=throttle,file.file.filename=/x\0"), "/x"));
	assert_true(names_image(ARGS("qemu\0-drive\0id=d,file=/x,backing.file.filename=/base\0"), "/x"));
	assert_true(names_image(ARGS("qemu\0-drive\0id=d,file=json:{\"driver\":\"raw\",,\"file\":{\"filename\":\"/x\"}}\0"), "/x"));
	assert_true(names_image(ARGS("qemu\0-drive\0id=d,file.driver=nbd,file.host=h,file.port=1\0"), "nbd://h:1"));
	assert_false(names_image(ARGS("qemu\0-drive\0id=d,file.driver=nbd,file.host=h,file.port=1\0"), "nbd://g:1"));
}

static int other;

static void *answer(void *text)
{
	assert_int_equal(write(other, text, strlen(text)), (ssize_t)strlen(text));
	return NULL;
}

/* Answers that are wrong are an error, not a machine without disks. */
static void wrong_answers(void **ctx)
{
	static const char * const bad[] = {
		"{\"return\": {}, \"id\": 2}\r\n",
		"{\"return\": [], \"id\": 2}\r\n{\"return\": 7, \"id\": 3}\r\n",
		"{\"return\": [], \"id\": 2}\r\n{\"error\": {\"desc\": \"no\"}, \"id\": 3}\r\n",
		"{\"return\": null, \"id\": 2}\r\n",
	};
	struct json_object *m;
	struct kh_err e;
	struct qmp q;
	int fds[2];
	size_t i;

	(void)ctx;
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		memset(&q, 0, sizeof(q));
		memset(&e, 0, sizeof(e));
		q.timeout_ms = 100;
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
		other = fds[1];
		answer("{\"QMP\": {}}\r\n{\"return\": {}, \"id\": 1}\r\n");
		assert_int_equal(qmp_attach(&q, fds[0], -1, &e), 0);
		answer((void *)bad[i]);
		assert_int_not_equal(machine_learn(&q, &m, &e), 0);
		assert_null(m);
		assert_int_not_equal(e.rc, 0);
		qmp_close(&q);
		close(other);
	}
}

/* A device that somebody adds between the checks and the pause. Two members of the answer are enough. */
static void asked_again(void **ctx)
{
	static const char * const names[] = { "block", "nodes", "graph", "exports", "chardevs", "fdsets", "cpus",
					      "iothreads" };
	static const char none[] = "{\"error\": {\"desc\": \"x\"}, \"id\": %d}\r\n";
	struct json_object *m = json_tokener_parse(now);
	struct kh_err e = { 0 };
	struct qmp q = { .timeout_ms = 100 };
	char text[8192] = "{\"QMP\": {}}\r\n{\"return\": {}, \"id\": 1}\r\n", *p = text + strlen(text);
	int fds[2], id = 2;
	size_t i;

	(void)ctx;
	for (i = 0; i < ARRAY_SIZE(names); i++)
		p += sprintf(p, "{\"return\": %s, \"id\": %d}\r\n", json_object_to_json_string(jget(m, names[i])), id++);
	for (i = 0; i < 2; i++)
		p += sprintf(p, none, id++);
	p += sprintf(p, "{\"return\": \"%s\", \"id\": %d}\r\n", "n0: index=0,type=hubport", id++);
	p += sprintf(p, "{\"return\": {\"cpus\": 2}, \"id\": %d}\r\n", id++);
	p += sprintf(p, "{\"return\": %s, \"id\": %d}\r\n", json_object_to_json_string(jget(m, "objects")), id++);
	/* The devices with a name: nothing is left of d1 and nic0. */
	p += sprintf(p, "{\"return\": [], \"id\": %d}\r\n", id++);
	sprintf(p, "{\"return\": [], \"id\": %d}\r\n", id++);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	other = fds[1];
	answer(text);
	assert_int_equal(qmp_attach(&q, fds[0], -1, &e), 0);
	assert_int_equal(machine_unchanged(&q, ARGS(argv), "/dev/null", &e), -EBUSY);
	assert_non_null(strstr(e.msg, "changed after it was checked: vm-device: virtio-blk-pci d1 was removed"));
	/* QEMU has ended. */
	close(other);
	memset(&e, 0, sizeof(e));
	assert_int_not_equal(machine_unchanged(&q, ARGS(argv), "/dev/null", &e), 0);
	assert_int_not_equal(e.rc, 0);
	qmp_close(&q);
	json_object_put(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same),
		cmocka_unit_test(disks),
		cmocka_unit_test(media_and_limits),
		cmocka_unit_test(devices),
		cmocka_unit_test(options),
		cmocka_unit_test(good_options),
		cmocka_unit_test(names_of_images),
		cmocka_unit_test(wrong_answers),
		cmocka_unit_test(asked_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
