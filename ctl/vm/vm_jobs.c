// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "vm/vm_jobs.h"

int jobs_init(struct vm_jobs *j, unsigned int n)
{
	unsigned int i;

	*j = (struct vm_jobs){ .wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), .n = n };
	if (j->wake < 0)
		return -errno;
	j->job = calloc(n + 1, sizeof(*j->job));
	if (!j->job)
		return -ENOMEM;
	for (i = 0; i < n; i++)
		j->job[i].all = j;
	return 0;
}

static void *run(void *arg)
{
	struct vm_job *job = arg;
	const uint64_t one = 1;

	vm_load(&job->l, &job->e);
	atomic_store(&job->done, true);
	/* The counter cannot overflow, so this does not fail. */
	return write(job->all->wake, &one, sizeof(one)) < 0 ? job : NULL;
}

int jobs_start(struct vm_jobs *j, unsigned int i)
{
	int rc = pthread_create(&j->job[i].thread, NULL, run, &j->job[i]);

	j->job[i].started = !rc;
	return -rc;
}

unsigned int jobs_left(const struct vm_jobs *j)
{
	unsigned int i, n = 0;

	for (i = 0; i < j->n; i++)
		n += j->job[i].started && !atomic_load(&j->job[i].done);
	return n;
}

unsigned int jobs_wait(struct vm_jobs *j, int ms)
{
	struct pollfd p = { .fd = j->wake, .events = POLLIN };
	uint64_t n;

	if (jobs_left(j) && poll(&p, 1, ms) > 0 && read(j->wake, &n, sizeof(n)) < 0)
		return jobs_left(j);
	return jobs_left(j);
}

bool job_loaded(const struct vm_job *job)
{
	return job->started && atomic_load(&job->done) && !job->e.rc;
}

void jobs_free(struct vm_jobs *j)
{
	unsigned int i;

	for (i = 0; j->job && i < j->n; i++)
		if (j->job[i].started)
			pthread_join(j->job[i].thread, NULL);
	for (i = 0; j->job && i < j->n; i++)
		json_object_put(j->job[i].l.roles);
	free(j->job);
	j->job = NULL;
	if (j->wake >= 0)
		close(j->wake);
	j->wake = -1;
}
