/* SPDX-License-Identifier: GPL-2.0 */
/* The command line of a QEMU, option by option, as QEMU itself understands it. */
#ifndef KHCTL_VM_OPTS_H
#define KHCTL_VM_OPTS_H

#include <stdbool.h>
#include <stddef.h>

struct json_object;

/**
 * vm_opts_parse() - split a command line into its options
 * @argv: arguments, zero-separated as in /proc/PID/cmdline, with the program first
 * @len: bytes of @argv
 *
 * Both spellings of an option's values give the same result: "file.filename=x" and
 * {"file": {"filename": "x"}} each become the key "file.filename" with the value "x".
 *
 * Return: an array of {"opt": NAME, "arg": TEXT, "set": {KEY: VALUE}}; the caller puts it.
 * An argument without an option before it has the name "".
 */
struct json_object *vm_opts_parse(const char *argv, size_t len);

/** opt_is() - @o is the option @name */
bool opt_is(struct json_object *o, const char *name);

/** opt_arg() - the whole value of an option as text, "" when it takes none */
const char *opt_arg(struct json_object *o);

/** opt_get() - the value of @key, "" when it is not set */
const char *opt_get(struct json_object *o, const char *key);

/** opt_has() - @key is set, be it to "" */
bool opt_has(struct json_object *o, const char *key);

/** opt_on() - the value of @key reads as true */
bool opt_on(struct json_object *o, const char *key);

/** opt_set() - the keys and values of an option; NULL when it takes none */
struct json_object *opt_set(struct json_object *o);

/** opts_flatten() - add what @json holds to @set; each key is @prefix and the path to its value */
void opts_flatten(struct json_object *set, const char *prefix, struct json_object *json);

/** opts_find() - the option @name whose @key is @value. Return: borrowed, NULL: there is none. */
struct json_object *opts_find(struct json_object *opts, const char *name, const char *key,
			      const char *value);

#endif
