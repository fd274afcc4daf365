/* SPDX-License-Identifier: GPL-2.0 */
/* Resuming VMs side by side, each in a thread of its own. */
#ifndef KHCTL_VM_JOBS_H
#define KHCTL_VM_JOBS_H

#include <pthread.h>
#include <stdatomic.h>
#include "vm/vm_load.h"

struct vm_jobs;

/**
 * struct vm_job - the resume of one VM
 * @started: there is, or was, a thread
 * @done: vm_load() has returned, and @e holds its result
 * @told, @ended: the caller's
 */
struct vm_job {
	struct vm_jobs *all;
	pthread_t thread;
	bool started;
	atomic_bool done;
	bool told;
	bool ended;
	struct vm_load l;
	struct kh_err e;
};

/**
 * struct vm_jobs - one for each VM of a plan
 * @wake: eventfd that is written to when a job is done
 * @job: in the order of the plan
 */
struct vm_jobs {
	int wake;
	unsigned int n;
	struct vm_job *job;
};

/** jobs_init() - Return: 0 or -errno; jobs_free() in either case */
int jobs_init(struct vm_jobs *j, unsigned int n);

/** jobs_start() - start the job of VM @i, whose @l is filled in. Return: 0 or -errno. */
int jobs_start(struct vm_jobs *j, unsigned int i);

/**
 * jobs_wait() - until a job is done, or for @ms
 *
 * Return: how many are not done.
 */
unsigned int jobs_wait(struct vm_jobs *j, int ms);

/** jobs_left() - how many are not done */
unsigned int jobs_left(const struct vm_jobs *j);

/** jobs_free() - all jobs must be done */
void jobs_free(struct vm_jobs *j);

/** job_loaded() - whether QEMU lets the guest of this job run */
bool job_loaded(const struct vm_job *job);

#endif
