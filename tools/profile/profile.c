// SPDX-License-Identifier: GPL-2.0
/*
 * A plugin of the outer QEMU: where the virtual time of L1 goes.
 *
 * For -icount only. At the last instruction of each translated block the clock may be read;
 * what has passed since the block before is this block's. So the sum over all blocks is
 * the time that passed, to the nanosecond, and a CPU that halts is seen as time without
 * instructions. What to look at comes in a text file, written by profile.py:
 *
 *	kernel VIRTUAL PHYSICAL		where the first kernel's text lies, so that the physical
 *					address of any code can be told
 *	guest START END			physical addresses of L2's memory
 *	switch|comm|fork ADDRESS	__switch_to, __set_task_comm, wake_up_new_task
 *	wait ADDRESS NAME		a function in which tasks sleep
 *	leaf START END NAME		a function whose time is told by caller
 *	stage ADDRESS START END		a step of the boot, when called from between START and END
 *	initcall ADDRESS		do_one_initcall: each is such a step
 *	reset ADDRESS			start_kernel: the tasks of the kernel before are gone
 *	section NAME at ADDRESS | exec COMM | after NS
 *					begins then, and only after the section before it has
 *
 * Nothing is counted before the first section; the section "end" ends the profile.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "profile.h"

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

/* Of QEMU itself, exported by tools/profile/build. vCPU indices given to plugins are wrong when vCPUs run in turn. */
extern int64_t qemu_clock_get_ns(int type);
extern __thread void *current_cpu;
#define QEMU_CLOCK_VIRTUAL	1

#define IDLE_NS			2000	/* more than this beyond a block's own time is a halt */

struct section sections[64];
unsigned int nr_sections;
int current = -1;		/* the section that runs */
bool ended;
struct leaf leaves[64];
unsigned int nr_leaves;
GHashTable *hooks;		/* address -> GArray of struct hook */
GHashTable *leaf_ns;		/* "section leaf caller" -> int64_t */
GPtrArray *blocks;
struct task tasks[65536];	/* 0: before the first switch */
unsigned int nr_tasks = 1;
uint64_t text_virt, text_phys, guest_start, guest_end;
char out_path[4096];
FILE *idle_out;
char *idle_text;
size_t idle_size;
static struct cpu cpus[64];
static unsigned int nr_cpus;
static uint64_t host_base;
static int64_t last_ns;
static unsigned int sleeper;		/* the task that last left a CPU */
static uint64_t stage;			/* the one that begins with the next block */

static struct cpu *this_cpu(void)
{
	unsigned int i;

	for (i = 0; i < nr_cpus; i++)
		if (cpus[i].id == current_cpu)
			return &cpus[i];
	return &cpus[0];
}

static uint64_t get_register(struct qemu_plugin_register *reg)
{
	static GByteArray *buf;
	uint64_t value = 0;

	if (!buf)
		buf = g_byte_array_new();
	g_byte_array_set_size(buf, 0);
	if (reg && qemu_plugin_read_register(reg, buf) >= 8)
		memcpy(&value, buf->data, 8);
	return value;
}

static bool get_memory(uint64_t address, void *to, size_t size)
{
	static GByteArray *buf;

	if (!buf)
		buf = g_byte_array_new();
	if (!qemu_plugin_read_memory_vaddr(address, buf, size))
		return false;
	memcpy(to, buf->data, size);
	return true;
}

static uint64_t get_caller(const struct cpu *cpu)
{
	uint64_t address = 0;

	get_memory(get_register(cpu->rsp), &address, sizeof(address));
	return address;
}

static unsigned int task_of(uint64_t address)
{
	unsigned int i;

	/* the youngest first: after a kexec addresses are used again */
	for (i = nr_tasks; i-- > 1; )
		if (tasks[i].address == address)
			return i;
	if (nr_tasks == ARRAY_SIZE(tasks))
		return 0;
	tasks[nr_tasks].address = address;
	strcpy(tasks[nr_tasks].comm, "?");
	return nr_tasks++;
}

static void new_task(uint64_t address, const char *comm)
{
	if (nr_tasks == ARRAY_SIZE(tasks))
		return;
	tasks[nr_tasks].address = address;
	g_strlcpy(tasks[nr_tasks].comm, comm, NAME);
	nr_tasks++;
}

static void begin(unsigned int i)
{
	if (ended || (int)i != current + 1)
		return;
	current = i;
	if (!strcmp(sections[i].name, "end"))
		ended = true;
}

static void begin_exec(const char *comm)
{
	unsigned int next = current + 1;

	if (next < nr_sections && sections[next].kind == BEGIN_EXEC && !strcmp(sections[next].comm, comm))
		begin(next);
}

/* A new comm is a new task for us: time before and after an exec stays apart. */
static void on_comm(struct cpu *cpu)
{
	uint64_t task = get_register(cpu->rdi);
	bool self = tasks[cpu->task].address == task;
	char comm[NAME] = "";

	if (!get_memory(get_register(cpu->rsi), comm, 15))
		return;
	new_task(task, comm);
	if (self)
		cpu->task = nr_tasks - 1;
	begin_exec(comm);
}

static void on_stage(const struct hook *h, const struct cpu *cpu)
{
	uint64_t caller;

	if (current < 0)
		return;
	caller = get_caller(cpu);
	if (caller >= h->start && caller < h->end)
		stage = h->address;
}

/* Tasks are told by their address, and these will be used again. */
static void forget_tasks(void)
{
	unsigned int i;

	for (i = 1; i < nr_tasks; i++)
		tasks[i].address = 0;
	for (i = 0; i < nr_cpus; i++)
		cpus[i].task = 0;
}

static void on_hook(const struct hook *h, struct cpu *cpu)
{
	switch (h->kind) {
	case HOOK_SWITCH:
		sleeper = cpu->task;
		cpu->task = task_of(get_register(cpu->rsi));
		break;
	case HOOK_COMM:
		on_comm(cpu);
		break;
	case HOOK_FORK:
		new_task(get_register(cpu->rdi), tasks[cpu->task].comm);
		break;
	case HOOK_WAIT:
		g_strlcpy(tasks[cpu->task].wait, h->name, NAME);
		tasks[cpu->task].wait_caller = get_caller(cpu);
		break;
	case HOOK_LEAF:
		if (current >= 0)
			leaves[h->index].caller = get_caller(cpu);
		break;
	case HOOK_SECTION:
		begin(h->index);
		break;
	case HOOK_STAGE:
		on_stage(h, cpu);
		break;
	case HOOK_INITCALL:
		if (current >= 0)
			stage = get_register(cpu->rdi);
		break;
	case HOOK_RESET:
		forget_tasks();
		break;
	}
}

static void hooked(unsigned int cpu_index, void *userdata)
{
	const GArray *list = userdata;
	unsigned int i;

	(void)cpu_index;
	for (i = 0; !ended && i < list->len; i++)
		on_hook(&g_array_index(list, struct hook, i), this_cpu());
}

static struct count *count_of(struct block *b, unsigned int task)
{
	struct count *c;
	unsigned int i;

	if (b->nr_counts) {
		c = &b->counts[b->last];
		if (c->section == current && c->task == task)
			return c;
	}
	for (i = 0; i < b->nr_counts; i++) {
		c = &b->counts[i];
		if (c->section == current && c->task == task) {
			b->last = i;
			return c;
		}
	}
	b->counts = g_realloc_n(b->counts, b->nr_counts + 1, sizeof(*c));
	b->last = b->nr_counts++;
	b->counts[b->last] = (struct count){ .section = current, .task = task };
	return &b->counts[b->last];
}

static void count_leaf(const struct block *b, int64_t ns)
{
	char *key = g_strdup_printf("%d %d %" PRIx64, current, b->leaf, leaves[b->leaf].caller);
	int64_t *sum = g_hash_table_lookup(leaf_ns, key);

	if (!sum) {
		sum = g_new0(int64_t, 1);
		g_hash_table_insert(leaf_ns, g_strdup(key), sum);
	}
	*sum += ns;
	g_free(key);
}

static void start_section(int64_t now)
{
	unsigned int next = current + 1;

	if (!sections[current].start)
		sections[current].start = now;
	if (next < nr_sections && sections[next].kind == BEGIN_AFTER &&
	    now >= sections[current].start + sections[next].after) {
		begin(next);
		sections[current].start = now;
	}
}

static void executed(unsigned int cpu_index, void *userdata)
{
	struct block *b = userdata;
	const struct task *t;
	int64_t now, ns;
	struct count *c;

	(void)cpu_index;
	if (current < 0 || !last_ns) {
		if (current >= 0)
			last_ns = sections[current].start = qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);
		return;
	}
	if (ended && sections[current].start)
		return;
	now = qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);
	ns = now - last_ns;
	if (stage)
		fprintf(idle_out, "stage %d %" PRId64 " %" PRIx64 "\n", current, last_ns, stage);
	stage = 0;
	last_ns = now;
	start_section(now);
	if (ns > (int64_t)b->insns + IDLE_NS) {
		t = &tasks[sleeper];
		fprintf(idle_out, "idle %d %" PRId64 " %" PRId64 " %s %s %" PRIx64 "\n", current,
			now - ns, ns - b->insns, t->comm, t->wait[0] ? t->wait : "-",
			t->wait_caller);
		ns = b->insns;
	}
	c = count_of(b, b->guest ? 0 : this_cpu()->task);
	c->runs++;
	c->ns += ns;
	if (b->leaf >= 0)
		count_leaf(b, ns);
	if (ended)
		write_out();
}

static struct block *new_block(struct qemu_plugin_tb *tb, struct qemu_plugin_insn *first)
{
	struct block *b = g_new0(struct block, 1);
	uint64_t host = (uintptr_t)qemu_plugin_insn_haddr(first);
	unsigned int i;

	b->vaddr = qemu_plugin_tb_vaddr(tb);
	b->insns = qemu_plugin_tb_n_insns(tb);
	if (!host_base && b->vaddr >= text_virt && b->vaddr < text_virt + 0x400000 && host)
		host_base = host - (b->vaddr - text_virt + text_phys);
	/* one block of RAM: what does not fit below 4 GiB goes on above */
	if (host && host_base) {
		b->phys = host - host_base;
		if (b->phys >= 0x80000000)
			b->phys += 0x80000000;
	}
	b->guest = b->phys >= guest_start && b->phys < guest_end;
	b->leaf = -1;
	for (i = 0; i < nr_leaves && !b->guest; i++)
		if (b->vaddr >= leaves[i].start && b->vaddr < leaves[i].end)
			b->leaf = i;
	g_ptr_array_add(blocks, b);
	return b;
}

static void copy_code(struct block *b, struct qemu_plugin_insn *insn)
{
	unsigned char data[16];
	size_t n = qemu_plugin_insn_data(insn, data, sizeof(data));

	if (b->code_len + n > MAX_CODE)
		return;
	memcpy(b->code + b->code_len, data, n);
	b->code_len += n;
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t n = qemu_plugin_tb_n_insns(tb), i;
	struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, 0);
	struct block *b;
	GArray *list;
	uint64_t at;

	(void)id;
	if (ended)
		return;
	b = new_block(tb, insn);
	for (i = 0; i < n; i++) {
		insn = qemu_plugin_tb_get_insn(tb, i);
		copy_code(b, insn);
		at = qemu_plugin_insn_vaddr(insn);
		list = b->guest ? NULL : g_hash_table_lookup(hooks, &at);
		if (list)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, hooked, QEMU_PLUGIN_CB_R_REGS, list);
	}
	qemu_plugin_register_vcpu_insn_exec_cb(insn, executed, QEMU_PLUGIN_CB_NO_REGS, b);
}

static void vcpu_init(qemu_plugin_id_t id, unsigned int index)
{
	GArray *regs = qemu_plugin_get_registers();
	struct cpu *cpu = &cpus[nr_cpus];
	unsigned int i;

	(void)id;
	(void)index;
	if (nr_cpus == ARRAY_SIZE(cpus))
		return;
	cpu->id = current_cpu;
	for (i = 0; i < regs->len; i++) {
		qemu_plugin_reg_descriptor *r = &g_array_index(regs, qemu_plugin_reg_descriptor, i);

		if (!strcmp(r->name, "rdi"))
			cpu->rdi = r->handle;
		else if (!strcmp(r->name, "rsi"))
			cpu->rsi = r->handle;
		else if (!strcmp(r->name, "rsp"))
			cpu->rsp = r->handle;
	}
	nr_cpus++;
	g_array_free(regs, TRUE);
}

/* Only a profile that reached its end is one. */
static void at_exit(qemu_plugin_id_t id, void *userdata)
{
	(void)id;
	(void)userdata;
	if (!ended)
		fprintf(stderr, "profile: ended in section %d of %u, nothing written\n", current, nr_sections);
}

QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv)
{
	const char *config = NULL;
	int i;

	for (i = 0; i < argc; i++) {
		if (!strncmp(argv[i], "config=", 7))
			config = argv[i] + 7;
		else if (!strncmp(argv[i], "out=", 4))
			g_strlcpy(out_path, argv[i] + 4, sizeof(out_path));
	}
	if (!info->system_emulation || !config || !out_path[0]) {
		fprintf(stderr, "profile: wants config=FILE,out=FILE\n");
		return -1;
	}
	hooks = g_hash_table_new(g_int64_hash, g_int64_equal);
	leaf_ns = g_hash_table_new(g_str_hash, g_str_equal);
	blocks = g_ptr_array_new();
	idle_out = open_memstream(&idle_text, &idle_size);
	if (read_config(config))
		return -1;
	qemu_plugin_register_vcpu_init_cb(id, vcpu_init);
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	qemu_plugin_register_atexit_cb(id, at_exit, NULL);
	return 0;
}
