/* SPDX-License-Identifier: GPL-2.0 */
/* Events as text and as JSON. */
#ifndef KHCTL_EVENTS_H
#define KHCTL_EVENTS_H

#include <stdio.h>
#include "bpf/events.h"

struct json_object;

/** event_name() - of an enum kh_event_type */
const char *event_name(unsigned int type);

/** event_source() - of an enum kh_event_source, as in JSON */
const char *event_source(unsigned int source);

/** event_json() - type, tsc and so on, and its arguments by name, into @o */
void event_json(const struct kh_event *ev, struct json_object *o);

/** event_text() - one line without its end. Return: @buf. */
const char *event_text(const struct kh_event *ev, char *buf, size_t size);

/** bdf_text() - as sysfs writes it. Return: @buf of 16 bytes, "" for KH_NO_BDF. */
const char *bdf_text(__u32 bdf, char *buf);

/** bdf_number() - the other way. Return: KH_NO_BDF when it is none. */
__u32 bdf_number(const char *bdf);

#endif
