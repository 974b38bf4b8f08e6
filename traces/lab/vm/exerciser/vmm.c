/* What QEMU would do: open the device, tell it the memory and the rings, switch logging. */
#include "exercise.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <linux/vhost.h>

/* The target port that vm/scsi-target.sh makes. */
static const char TARGET_PORT[] = "naa.600140554cf3a18e";

enum device device = DEVICE_SCSI;
int vhost_fd = -1;
u64 features;
bool log_all;

long vmm_ioctl(const char *name, unsigned long command, void *argument)
{
	long result = ioctl(vhost_fd, command, argument);
	if (result < 0) {
		journal("ioctl_error", ",\"name\":\"%s\",\"errno\":%d", name, errno);
		fprintf(stderr, "  ioctl %s: %s\n", name, strerror(errno));
	}
	return result;
}

static void must(const char *name, unsigned long command, void *argument)
{
	if (vmm_ioctl(name, command, argument) < 0)
		die("%s", name);
}

void vmm_set_features(bool log)
{
	u64 value = features | (log ? 1ull << VHOST_F_LOG_ALL : 0);
	journal("set_features", ",\"features\":%llu", (unsigned long long)value);
	vmm_ioctl("SET_FEATURES", VHOST_SET_FEATURES, &value);
	log_all = log;
}

void vmm_set_log_base(void)
{
	u64 host = (uintptr_t)log_memory();
	journal("set_log_base", ",\"bytes\":%llu", (unsigned long long)log_bytes());
	vmm_ioctl("SET_LOG_BASE", VHOST_SET_LOG_BASE, &host);
}

void vmm_set_vring_addr(int index, bool log)
{
	const struct queue *q = &queues[index];
	struct vhost_vring_addr a = {
		.index = index,
		.flags = log ? 1 << VHOST_VRING_F_LOG : 0,
		.desc_user_addr = (uintptr_t)memory_host(q->desc, 1),
		.avail_user_addr = (uintptr_t)memory_host(q->avail, 1),
		.used_user_addr = (uintptr_t)memory_host(q->used, 1),
		.log_guest_addr = q->used,
	};
	vmm_ioctl("SET_VRING_ADDR", VHOST_SET_VRING_ADDR, &a);
}

void vmm_set_all_vring_addr(bool log)
{
	for (int i = 0; i < MAX_QUEUES; i++)
		if (queues[i].on)
			vmm_set_vring_addr(i, log);
}

/* QEMU's order, vhost_dev_set_log() in hw/virtio/vhost.c. */
void vmm_log(bool on)
{
	if (on)
		vmm_set_log_base();
	vmm_set_features(on);
	vmm_set_all_vring_addr(on);
}

static void set_mem_table(void)
{
	int n = memory_regions();
	struct vhost_memory *table = calloc(1, sizeof *table + n * sizeof table->regions[0]);
	table->nregions = n;
	for (int i = 0; i < n; i++) {
		u64 gpa, size;
		void *host;
		memory_region(i, &gpa, &size, &host);
		table->regions[i].guest_phys_addr = gpa;
		table->regions[i].memory_size = size;
		table->regions[i].userspace_addr = (uintptr_t)host;
	}
	must("SET_MEM_TABLE", VHOST_SET_MEM_TABLE, table);
	free(table);
}

static void start_ring(int index)
{
	struct queue *q = &queues[index];
	struct vhost_vring_file file = { .index = index };
	vmm_set_vring_addr(index, log_all);
	file.fd = q->kick = eventfd(0, EFD_CLOEXEC);
	must("SET_VRING_KICK", VHOST_SET_VRING_KICK, &file);
	file.fd = q->call = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	must("SET_VRING_CALL", VHOST_SET_VRING_CALL, &file);
}

void vmm_setup(void)
{
	static const char *const nodes[] = { "/dev/vhost-scsi", "/dev/vhost-net",
					     "/dev/vhost-vsock" };
	u64 offered = 0;
	vhost_fd = open(nodes[device], O_RDWR | O_CLOEXEC);
	if (vhost_fd < 0)
		die("%s", nodes[device]);
	must("SET_OWNER", VHOST_SET_OWNER, NULL);
	must("GET_FEATURES", VHOST_GET_FEATURES, &offered);
	if (features & ~offered) {
		fprintf(stderr, "  skipped: this kernel does not offer features %#llx\n",
			(unsigned long long)(features & ~offered));
		journal_close();
		exit(EXIT_SKIPPED);
	}
	vmm_set_features(false);
	set_mem_table();
	for (int i = 0; i < MAX_QUEUES; i++) {
		if (!queues[i].on)
			continue;
		struct vhost_vring_state state = { .index = i, .num = queues[i].num };
		must("SET_VRING_NUM", VHOST_SET_VRING_NUM, &state);
		state.num = queues[i].base;
		must("SET_VRING_BASE", VHOST_SET_VRING_BASE, &state);
		if (!queues[i].late)
			start_ring(i);
	}
}

void vmm_attach_late(int index)
{
	start_ring(index);
}

void vmm_endpoint(bool set)
{
	struct vhost_scsi_target target = { .abi_version = 1, .vhost_tpgt = 1 };
	memcpy(target.vhost_wwpn, TARGET_PORT, sizeof TARGET_PORT);
	must("ENDPOINT", set ? VHOST_SCSI_SET_ENDPOINT : VHOST_SCSI_CLEAR_ENDPOINT, &target);
}

/* One worker for each I/O queue: VHOST_NEW_WORKER of Linux 6.5 and later; older kernels refuse. */
void vmm_workers(void)
{
	struct worker_state {
		u32 worker_id;
	} worker;
	struct vring_worker {
		u32 index, worker_id;
	} attach;
	for (int i = 2; i < MAX_QUEUES; i++) {
		if (!queues[i].on)
			continue;
		if (vmm_ioctl("NEW_WORKER", _IOR(VHOST_VIRTIO, 0x8, worker), &worker) < 0)
			return;
		attach.index = i;
		attach.worker_id = worker.worker_id;
		vmm_ioctl("ATTACH_VRING_WORKER", _IOW(VHOST_VIRTIO, 0x15, attach), &attach);
	}
}

void vmm_barrier(void)
{
	int fd = -1;
	vmm_ioctl("SET_LOG_FD", VHOST_SET_LOG_FD, &fd);
}

void vmm_settle(void)
{
	for (int quiet = 0; quiet < 2;) {
		vmm_barrier();
		if (reap_all()) {
			quiet = 0;
		} else {
			quiet++;
			usleep(2000);
		}
	}
}
