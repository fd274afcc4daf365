// SPDX-License-Identifier: GPL-2.0
#include <stdarg.h>
#include <stdio.h>
#include "base/opts.h"
#include "base/out.h"

struct json_object *out_new(const char *verb)
{
	struct json_object *o = json_object_new_object();

	out_u64(o, "schema_version", OUT_SCHEMA_VERSION);
	out_str(o, "verb", verb);
	return o;
}

void out_str(struct json_object *o, const char *key, const char *val)
{
	json_object_object_add(o, key, json_object_new_string(val));
}

void out_u64(struct json_object *o, const char *key, uint64_t val)
{
	json_object_object_add(o, key, json_object_new_uint64(val));
}

void out_hex(struct json_object *o, const char *key, uint64_t val)
{
	char buf[24];

	snprintf(buf, sizeof(buf), "%#llx", (unsigned long long)val);
	out_str(o, key, buf);
}

void out_bool(struct json_object *o, const char *key, bool val)
{
	json_object_object_add(o, key, json_object_new_boolean(val));
}

struct json_object *out_array(struct json_object *o, const char *key)
{
	struct json_object *a = json_object_new_array();

	json_object_object_add(o, key, a);
	return a;
}

struct json_object *out_object(struct json_object *o, const char *key)
{
	struct json_object *n = json_object_new_object();

	json_object_object_add(o, key, n);
	return n;
}

struct json_object *out_element(struct json_object *array)
{
	struct json_object *n = json_object_new_object();

	json_object_array_add(array, n);
	return n;
}

void out_json(struct json_object *o)
{
	puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
					    JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(o);
}

static const char *scaled(char *buf, size_t size, uint64_t val, uint64_t step,
			  const char * const *unit, int nr_units)
{
	double v = val;
	int i;

	for (i = 0; i + 1 < nr_units && v >= step; i++)
		v /= step;
	snprintf(buf, size, i ? "%.1f %s" : "%.0f %s", v, unit[i]);
	return buf;
}

const char *out_ns(char *buf, size_t size, uint64_t ns, bool human)
{
	static const char * const unit[] = { "ns", "us", "ms", "s" };

	if (human)
		return scaled(buf, size, ns, 1000, unit, 4);
	snprintf(buf, size, "%llu", (unsigned long long)ns);
	return buf;
}

const char *out_bytes(char *buf, size_t size, uint64_t bytes, bool human)
{
	static const char * const unit[] = { "B", "KiB", "MiB", "GiB", "TiB" };

	if (human)
		return scaled(buf, size, bytes, 1024, unit, 5);
	snprintf(buf, size, "%llu", (unsigned long long)bytes);
	return buf;
}

int out_done(int rc)
{
	if (fflush(stdout) || ferror(stdout)) {
		perror("khctl: stdout");
		return rc ? rc : EXIT_FAILED;
	}
	return rc;
}

int out_result(const char *verb, bool json, int rc, const char *result, const char *why)
{
	struct json_object *j;

	talk("%s: %s", verb, why);
	if (json) {
		j = out_new(verb);
		out_str(j, "result", result);
		out_str(j, rc ? "error" : "reason", why);
		out_json(j);
	}
	return out_done(rc);
}

void talk(const char *fmt, ...)
{
	va_list ap;

	fputs("khctl: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}
