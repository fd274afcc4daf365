/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of the survey use of each other. */
#ifndef KHCTL_SURVEY_PARTS_H
#define KHCTL_SURVEY_PARTS_H

#include "preflight/survey.h"

/* survey_src.c: reading. All paths are relative to the root and begin with "proc/" or "sys/". */

int survey_src_open(struct survey_src *src, const char *root, bool archive, struct kh_err *e);
void survey_src_close(struct survey_src *src);

/** survey_src_save() - write the archive to @path. Return: 0 or -errno with a message. */
int survey_src_save(struct survey_src *src, const char *path, struct kh_err *e);

/**
 * survey_read() - a file
 * @buf: zero terminated; a longer file is cut
 *
 * A file that is there and cannot be read is noted in @src. Return: bytes or -errno.
 */
ssize_t survey_read(struct survey_src *src, const char *path, void *buf, size_t size);

/** survey_open() - a file to read from, like survey_read(). Return: a descriptor or -errno. */
int survey_open(struct survey_src *src, const char *path);

/** survey_read_u64() - a number, hexadecimal with or without 0x if @hex. Return: 0 or -errno. */
int survey_read_u64(struct survey_src *src, const char *path, bool hex, uint64_t *val);

/** survey_link() - last part of where a symbolic link points. Return: 0 or -errno. */
int survey_link(struct survey_src *src, const char *path, char *buf, size_t size);

/** survey_has() - is there a file or folder; its contents are not looked at */
bool survey_has(struct survey_src *src, const char *path);

/** survey_foreach() - names in a folder, in order. @fn returns nonzero to stop. Return: that, 0 or -errno. */
int survey_foreach(struct survey_src *src, const char *path, int (*fn)(void *ctx, const char *name), void *ctx);

/** survey_note_unread() - a file that was read only in part, or in vain */
void survey_note_unread(struct survey_src *src, const char *path, int rc);

/* survey_archive.c: a copy of what was read. */

struct survey_archive *archive_new(void);
void archive_free(struct survey_archive *a);
void archive_file(struct survey_archive *a, const char *path, const void *data, size_t len);
void archive_link(struct survey_archive *a, const char *path, const char *to);
void archive_folder(struct survey_archive *a, const char *path);
int archive_write(struct survey_archive *a, const char *path, struct kh_err *e);

/* survey_fn.c, survey_unit.c, survey_host.c, survey_plan.c: one part of the host each. */

int survey_host(struct survey *s);
int survey_units(struct survey *s);
int survey_functions(struct survey *s);
void survey_judge(struct survey *s);
int survey_plan(struct survey *s);

/** survey_guests() - note the sizes that are asked for. Return: 0, or -EINVAL with a message. */
int survey_guests(struct survey *s, const struct str_list *guests, struct kh_err *e);

/** survey_memmap() - a range as an argument of memmap=. Return: @buf. */
const char *survey_memmap(char *buf, size_t size, const struct mem_range *r);

/** survey_find() - a function by its address. Return: NULL if there is none. */
struct survey_fn *survey_find(const struct survey *s, uint32_t segment, uint8_t bus, uint8_t devfn);

/** survey_bridge_above() - the bridge that a function is behind. Return: NULL on a root bus. */
const struct survey_fn *survey_bridge_above(const struct survey *s, const struct survey_fn *f);

/** survey_covers() - does a scope of an entry of the DMAR table name a function, or a bridge above it */
bool survey_covers(const struct survey *s, const struct dmar_entry *n, const struct survey_fn *f);

/** survey_cmdline_has() - is @word in the comma-separated values of any parameter @name */
bool survey_cmdline_has(const struct survey *s, const char *name, const char *word);

typedef void (*survey_note_fn)(void *ctx, const char *id, const char *text);

/** survey_notes() - survey_notes.c: calls @fn for each remark on the host */
void survey_notes(const struct survey *s, survey_note_fn fn, void *ctx);

static inline bool survey_hit(const struct survey_fn *f, enum survey_reason r)
{
	return f->reasons >> r & 1;
}

#endif
