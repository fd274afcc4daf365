/* SPDX-License-Identifier: GPL-2.0 */
/* stdout is data, stderr is talk. */
#ifndef KHCTL_OUT_H
#define KHCTL_OUT_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

/* Raised when a field of the JSON output changes its meaning or goes away. */
#define OUT_SCHEMA_VERSION 1

/** out_new() - the top-level object of a verb */
struct json_object *out_new(const char *verb);

void out_str(struct json_object *o, const char *key, const char *val);
void out_u64(struct json_object *o, const char *key, uint64_t val);
void out_hex(struct json_object *o, const char *key, uint64_t val);
void out_bool(struct json_object *o, const char *key, bool val);
/** out_array() - a new array in @o, of which the caller has no reference */
struct json_object *out_array(struct json_object *o, const char *key);
struct json_object *out_object(struct json_object *o, const char *key);
/** out_element() - a new object at the end of an array */
struct json_object *out_element(struct json_object *array);

/** out_json() - print and put. out_done() tells whether it arrived. */
void out_json(struct json_object *o);

/** out_ns() - a duration, with a unit if @human. Return: @buf. */
const char *out_ns(char *buf, size_t size, uint64_t ns, bool human);
const char *out_bytes(char *buf, size_t size, uint64_t bytes, bool human);

/**
 * out_done() - flush stdout; a full disk is no success
 * @rc: exit code so far
 *
 * Return: @rc, or EXIT_FAILED for a success that could not be written.
 */
int out_done(int rc);

/**
 * out_result() - all that a verb has to say when it comes to nothing else
 * @rc: exit code so far
 * @result: one word, for JSON
 * @why: the error, or the reason if @rc is 0
 *
 * Return: out_done() of @rc.
 */
int out_result(const char *verb, bool json, int rc, const char *result, const char *why);

/** talk() - a line on stderr */
void talk(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
