// SPDX-License-Identifier: GPL-2.0
/* Identities of disks, and arguments that name a disk which has another name now. */
#include "unit.h"
#include <fcntl.h>
#include <json-c/json.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/util.h"
#include "vm/qmp.h"
#include "vm/vm_disk.h"

static char sys[] = "/tmp/khctl-unit-XXXXXX";

static void put(const char *name, const char *text)
{
	char path[256];
	int fd;

	path_fmt(path, sizeof(path), "%s/%s", sys, name);
	assert_int_equal(make_parents(path), 0);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

/* A block device as sysfs shows it. */
static void disk(const char *name, const char *dev, const char *file, const char *id)
{
	char path[256], target[256], text[32];

	put(path_fmt(path, sizeof(path), "devices/%s/dev", name), path_fmt(text, sizeof(text), "%s\n", dev));
	if (file)
		put(path_fmt(path, sizeof(path), "devices/%s/%s", name, file), id);
	path_fmt(target, sizeof(target), "../../devices/%s", name);
	path_fmt(path, sizeof(path), "%s/dev/block/%s", sys, dev);
	assert_int_equal(make_parents(path), 0);
	assert_int_equal(symlink(target, path), 0);
	path_fmt(path, sizeof(path), "%s/class/block/%s", sys, strchr(name, '/') ? strchr(name, '/') + 1 : name);
	assert_int_equal(make_parents(path), 0);
	assert_int_equal(symlink(target, path), 0);
}

static int make_tree(void **ctx)
{
	(void)ctx;
	assert_non_null(mkdtemp(sys));
	disk("vda", "254:0", "serial", "first\n");
	disk("vdb", "254:16", "serial", "second\n");
	disk("vdb/vdb1", "254:17", "partition", "1\n");
	disk("vdc", "254:32", NULL, NULL);
	disk("vdd", "254:48", "serial", "   \n");
	disk("sda", "8:0", "device/wwid", "naa.5000\n");
	disk("sdb", "8:16", "device/wwid", "naa.5000\n");
	disk("dm-0", "253:0", "dm/uuid", "LVM-abc\n");
	return 0;
}

static int remove_tree(void **ctx)
{
	char command[128];

	(void)ctx;
	return system(path_fmt(command, sizeof(command), "rm -r %s", sys));
}

static void identities(void **ctx)
{
	char id[DISK_ID_SIZE], name[64];

	(void)ctx;
	assert_int_equal(disk_block_id(sys, 254, 0, id), 0);
	assert_string_equal(id, "serial=first");
	assert_int_equal(disk_find(sys, id, name), 0);
	assert_string_equal(name, "vda");
	assert_int_equal(disk_block_id(sys, 254, 17, id), 0);
	assert_string_equal(id, "serial=second part=1");
	assert_int_equal(disk_find(sys, id, name), 0);
	assert_string_equal(name, "vdb1");
	assert_int_equal(disk_block_id(sys, 253, 0, id), 0);
	assert_string_equal(id, "dm=LVM-abc");
	/* Nothing, or blanks, names no disk. */
	assert_int_equal(disk_block_id(sys, 254, 32, id), -ENODATA);
	assert_int_equal(disk_block_id(sys, 254, 48, id), -ENODATA);
	assert_int_equal(disk_block_id(sys, 1, 1, id), -ENOENT);
	/* Two paths to one disk. */
	assert_int_equal(disk_block_id(sys, 8, 0, id), 0);
	assert_int_equal(disk_find(sys, id, name), -EEXIST);
	assert_int_equal(disk_find(sys, "serial=third", name), -ENOENT);
}

static void files(void **ctx)
{
	char id[DISK_ID_SIZE], other[DISK_ID_SIZE], path[256];
	int rc;

	(void)ctx;
	put("image", "x");
	put("image2", "x");
	/* Where tests run, /tmp may lie in memory; that has to be said. */
	rc = disk_id(path_fmt(path, sizeof(path), "%s/image", sys), id);
	assert_true(rc == 0 || rc == -EXDEV);
	if (!rc) {
		assert_int_equal(disk_id(path_fmt(path, sizeof(path), "%s/image2", sys), other), 0);
		assert_string_not_equal(id, other);
		assert_true(has_prefix(id, "inode="));
	}
	assert_int_equal(disk_id("/dev/shm", id), -ENODATA);
	assert_int_equal(disk_id("/no/such/file", id), -ENOENT);
	assert_int_equal(disk_id("/dev/null", id), 0);
	assert_string_equal(id, "mode=20000 device=1:3");
}

static void what_became_of_files(void **ctx)
{
	struct json_object *disks = json_object_new_object(), *moved;
	struct kh_err e = { 0 };

	(void)ctx;
	json_object_object_add(disks, "/dev/null", json_object_new_string("mode=20000 device=1:3"));
	moved = disks_moved(disks, "/", &e);
	assert_non_null(moved);
	assert_int_equal(json_object_object_length(moved), 0);
	json_object_put(moved);
	json_object_object_add(disks, "/dev/null", json_object_new_string("serial=no such disk"));
	assert_null(disks_moved(disks, "/", &e));
	assert_non_null(strstr(e.msg, "/dev/null is another disk now, and the right one, serial=no such disk, is not there"));
	memset(&e, 0, sizeof(e));
	json_object_object_add(disks, "/dev/null", json_object_new_string("inode=5 fsid=1"));
	assert_null(disks_moved(disks, "/", &e));
	assert_non_null(strstr(e.msg, "is another file now"));
	json_object_put(disks);
}

static void renamed(const char *arg, const char *want)
{
	struct json_object *moved = json_tokener_parse(
		"{\"/dev/vda\": \"/dev/vdb\", \"/dev/vdb\": \"/dev/vda\", \"img\": \"/dev/vdc\"}");
	char *out = disk_rename(arg, moved);

	if (want)
		assert_string_equal(out, want);
	else
		assert_null(out);
	free(out);
	json_object_put(moved);
}

static void arguments(void **ctx)
{
	(void)ctx;
	renamed("if=none,id=d,file=/dev/vda,format=raw", "if=none,id=d,file=/dev/vdb,format=raw");
	/* Both at once, not one after the other. */
	renamed("file=/dev/vda,backing.file.filename=/dev/vdb", "file=/dev/vdb,backing.file.filename=/dev/vda");
	renamed("{\"driver\":\"host_device\",\"filename\":\"/dev/vda\"}", "{\"driver\":\"host_device\",\"filename\":\"/dev/vdb\"}");
	renamed("/dev/vda", "/dev/vdb");
	renamed("file=host_device:/dev/vda", "file=host_device:/dev/vdb");
	renamed("file=/dev/vda1", NULL);
	renamed("file=/x/dev/vda", NULL);
	renamed("id=img,file=img,format=raw", "id=img,file=/dev/vdc,format=raw");
	renamed("id=img,if=none", NULL);
	renamed("", NULL);
}

static void note(void *ctx, const char *path, int rc)
{
	(void)path;
	*(int *)ctx = rc;
}

static void images_of_a_machine(void **ctx)
{
	struct json_object *now = json_tokener_parse(
		"{\"nodes\": [{\"drv\": \"host_device\", \"file\": \"/dev/null\"}, {\"drv\": \"raw\", \"file\": \"/x\"},"
		" {\"drv\": \"file\", \"file\": \"no-such-image\"}]}"), *disks;
	int rc = 0;

	(void)ctx;
	disks = disks_of(now, "/nowhere", note, &rc);
	assert_int_equal(rc, -ENOENT);
	assert_int_equal(json_object_object_length(disks), 1);
	assert_string_equal(jstr(disks, "/dev/null"), "mode=20000 device=1:3");
	json_object_put(disks);
	json_object_put(now);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(identities),
		cmocka_unit_test(files),
		cmocka_unit_test(what_became_of_files),
		cmocka_unit_test(arguments),
		cmocka_unit_test(images_of_a_machine),
	};

	return cmocka_run_group_tests(tests, make_tree, remove_tree);
}
