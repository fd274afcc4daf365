// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include "base/util.h"
#include "vm/vm_migrate.h"

/* "a, b, c"; what does not fit ends in "...". */
static void append(char *buf, size_t size, const char *text)
{
	size_t n = strlen(buf);

	if (n + strlen(text) + 6 > size) {
		if (n >= 3 && strcmp(buf + n - 3, "..."))
			snprintf(buf + n, size - n, "...");
		return;
	}
	snprintf(buf + n, size - n, "%s%s", n ? ", " : "", text);
}

int migrate_read_jobs(struct json_object *query_jobs, struct vm_migrate *m)
{
	struct json_object *job;
	char text[192];
	size_t i;

	if (!json_object_is_type(query_jobs, json_type_array))
		return -EPROTO;
	for (i = 0; i < json_object_array_length(query_jobs); i++) {
		job = json_object_array_get_idx(query_jobs, i);
		if (!json_object_is_type(job, json_type_object))
			return -EPROTO;
		append(m->jobs, sizeof(m->jobs),
		       path_fmt(text, sizeof(text), "%.80s (%.40s, %.40s)", jstr(job, "id"),
				jstr(job, "type"), jstr(job, "status")));
	}
	return 0;
}

/* QEMU tells no status before the first migration. */
int migrate_read_status(struct json_object *query_migrate, struct vm_migrate *m)
{
	static const char * const over[] = { "", "none", "completed", "failed", "cancelled" };
	const char *status;
	size_t i;

	if (!json_object_is_type(query_migrate, json_type_object))
		return -EPROTO;
	status = jstr(query_migrate, "status");
	for (i = 0; i < ARRAY_SIZE(over); i++)
		if (!strcmp(status, over[i]))
			return 0;
	copy_str(m->busy, sizeof(m->busy), status);
	return 0;
}

int migrate_read_blocked(struct json_object *query_migrate, struct vm_migrate *m)
{
	struct json_object *reasons;
	size_t i;

	if (!json_object_is_type(query_migrate, json_type_object))
		return -EPROTO;
	if (!json_object_object_get_ex(query_migrate, "blocked-reasons", &reasons))
		return 0;
	if (!json_object_is_type(reasons, json_type_array))
		return -EPROTO;
	for (i = 0; i < json_object_array_length(reasons); i++)
		append(m->blocked, sizeof(m->blocked),
		       json_object_get_string(json_object_array_get_idx(reasons, i)));
	return 0;
}

/* khctl sets the first two itself; the others are of no importance to a stream that stands. */
static bool cap_is_harmless(const char *name)
{
	static const char * const harmless[] = {
		"x-ignore-shared", "events", "auto-converge", "dirty-limit", "xbzrle", "return-path",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(harmless); i++)
		if (!strcmp(name, harmless[i]))
			return true;
	return false;
}

int migrate_read_caps(struct json_object *query_caps, struct vm_migrate *m)
{
	struct json_object *cap;
	size_t i;

	if (!json_object_is_type(query_caps, json_type_array))
		return -EPROTO;
	for (i = 0; i < json_object_array_length(query_caps); i++) {
		cap = json_object_array_get_idx(query_caps, i);
		if (!json_object_is_type(cap, json_type_object))
			return -EPROTO;
		if (jbool(cap, "state") && !cap_is_harmless(jstr(cap, "capability")))
			append(m->caps, sizeof(m->caps), jstr(cap, "capability"));
	}
	return 0;
}

/* A backend's block has the id of the backend, or its QOM path. */
static bool is_backend(const struct vm *vm, const char *block)
{
	const char *base = strrchr(block, '/');
	unsigned int i;

	base = base ? base + 1 : block;
	for (i = 0; i < vm->nr_ram; i++)
		if (!strcmp(vm->ram[i].id, base))
			return true;
	return false;
}

/* One line: name, page size, its unit, then offset, used and total bytes. A block without a name is not saved. */
static int read_block(const char *line, const struct vm *vm, struct vm_migrate *m)
{
	char before[320], name[256], size[32], unit[16];
	const char *numbers = strstr(line, " 0x");
	uint64_t offset, used, total;
	int words;

	if (!numbers || (size_t)(numbers - line) >= sizeof(before) ||
	    sscanf(numbers, " 0x%" SCNx64 " 0x%" SCNx64 " 0x%" SCNx64, &offset, &used, &total) != 3 ||
	    used > total)
		return -EPROTO;
	memcpy(before, line, numbers - line);
	before[numbers - line] = '\0';
	words = sscanf(before, "%255s %31s %15s", name, size, unit);
	if (words < 2)
		return -EPROTO;
	if (words == 3 && !is_backend(vm, name))
		m->stream_max += used;
	return 0;
}

int migrate_read_blocks(const char *text, const struct vm *vm, struct vm_migrate *m)
{
	const char *nl;
	char line[512];
	unsigned int n = 0;
	size_t len;

	m->stream_max = VM_STATE_BYTES;
	for (; *text; text = *nl ? nl + 1 : nl) {
		nl = text + strcspn(text, "\n");
		len = nl - text;
		if (len && text[len - 1] == '\r')
			len--;
		if (len >= sizeof(line))
			return -EPROTO;
		memcpy(line, text, len);
		line[len] = '\0';
		/* The first line names the columns. */
		if (!len || strstr(line, "Block Name"))
			continue;
		if (read_block(line, vm, m))
			return -EPROTO;
		n++;
	}
	return n ? 0 : -EPROTO;
}

static int ask(struct vm *vm, const char *cmd, int (*read)(struct json_object *, struct vm_migrate *),
	       struct vm_migrate *m, struct kh_err *e)
{
	struct json_object *ret;
	int rc = qmp_cmd(&vm->q, cmd, NULL, &ret, e);

	if (rc)
		return rc;
	rc = read(ret, m);
	json_object_put(ret);
	return rc ? err_set(e, rc, "%s: the answer is not understood", cmd) : 0;
}

static int set_mode(struct vm *vm, const char *mode, struct kh_err *e)
{
	struct json_object *args = json_object_new_object();

	json_object_object_add(args, "mode", json_object_new_string(mode));
	return qmp_cmd(&vm->q, "migrate-set-parameters", args, NULL, e);
}

static int ask_blocked(struct vm *vm, struct vm_migrate *m, struct kh_err *e)
{
	struct json_object *ret;
	struct kh_err mine = { 0 };
	char mode[32];
	int rc;

	rc = qmp_cmd(&vm->q, "query-migrate-parameters", NULL, &ret, e);
	if (rc)
		return rc;
	copy_str(mode, sizeof(mode), jstr(ret, "mode"));
	json_object_put(ret);
	rc = set_mode(vm, "cpr-reboot", e);
	if (rc)
		return rc;
	rc = ask(vm, "query-migrate", migrate_read_blocked, m, e);
	if (set_mode(vm, mode, &mine) && !rc)
		rc = err_set(e, mine.rc, "%s", mine.msg);
	return rc;
}

static int ask_blocks(struct vm *vm, struct vm_migrate *m, struct kh_err *e)
{
	struct json_object *ret;
	int rc = qmp_cmd(&vm->q, "x-query-ramblock", NULL, &ret, e);

	if (rc)
		return rc;
	rc = migrate_read_blocks(jstr(ret, "human-readable-text"), vm, m);
	json_object_put(ret);
	return rc ? err_set(e, rc, "x-query-ramblock: the answer is not understood") : 0;
}

int vm_learn_migrate(struct vm *vm, struct vm_migrate *m, struct kh_err *e)
{
	int rc;

	memset(m, 0, sizeof(*m));
	rc = ask(vm, "query-jobs", migrate_read_jobs, m, e);
	if (!rc)
		rc = ask(vm, "query-migrate", migrate_read_status, m, e);
	/* The mode of a migration that is under way is not touched. */
	if (!rc && !m->busy[0])
		rc = ask_blocked(vm, m, e);
	if (!rc)
		rc = ask(vm, "query-migrate-capabilities", migrate_read_caps, m, e);
	if (!rc)
		rc = ask_blocks(vm, m, e);
	return rc;
}
