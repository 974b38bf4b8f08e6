/* vhost-vsock: a socket on the host's side, packets of the guest. */
#include "exercise.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/vhost.h>
#include <linux/vm_sockets.h>

enum { HEADER = 44, GUEST_PORT = 1234, CREDIT = 1 << 20, LARGEST = 70000, OP_RW = 5 };

static int host_socket = -1;
static u32 guest_cid = 3, host_port, forwarded;
static int messages_sent;

void vsock_cid(u32 cid)
{
	u64 value = guest_cid = cid;
	if (vmm_ioctl("SET_GUEST_CID", VHOST_VSOCK_SET_GUEST_CID, &value) < 0)
		die("SET_GUEST_CID");
}

void vsock_run(int on)
{
	if (vmm_ioctl("SET_RUNNING", VHOST_VSOCK_SET_RUNNING, &on) < 0)
		die("SET_RUNNING");
}

void vsock_connect(void)
{
	struct sockaddr_vm a = { .svm_family = AF_VSOCK,
				 .svm_cid = guest_cid,
				 .svm_port = GUEST_PORT };
	host_socket = socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (host_socket < 0)
		die("AF_VSOCK");
	if (connect(host_socket, (void *)&a, sizeof a) < 0 && errno != EINPROGRESS)
		die("connect");
}

void vsock_wait_connected(void)
{
	struct pollfd p = { .fd = host_socket, .events = POLLOUT };
	if (poll(&p, 1, 8000) != 1 || !(p.revents & POLLOUT) || p.revents & (POLLERR | POLLHUP))
		die("the socket is not connected (revents %#x)", p.revents);
}

void vsock_send(u32 len)
{
	static u8 bytes[1 << 20];
	for (u32 i = 0; i < len; i++)
		bytes[i] = 1 + (i * 3 + messages_sent) % 126;
	messages_sent++;
	if (send(host_socket, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		die("send");
	journal("host_send", ",\"len\":%u", len);
}

void vsock_receive(void)
{
	static u8 bytes[1 << 20];
	ssize_t n = recv(host_socket, bytes, sizeof bytes, MSG_DONTWAIT);
	journal("host_receive", ",\"len\":%zd", n);
}

void vsock_close(void)
{
	close(host_socket);
	host_socket = -1;
}

/* struct virtio_vsock_hdr, virtio 1.3 section 5.10.6 */
void vsock_seen(const u8 *header)
{
	u32 len;
	memcpy(&host_port, header + 16, 4);
	memcpy(&len, header + 24, 4);
	if (header[30] == OP_RW)
		forwarded += len;
}

/* op: 1 request, 2 response, 3 rst, 4 shutdown, 5 rw, 6 credit update, 7 credit request */
void vsock_transmit(struct words w)
{
	static u8 bytes[LARGEST];
	u64 from = guest_cid, to = 2;
	u32 guest_port = GUEST_PORT, credit = CREDIT, len = option_number(w, "len", 0),
	    port = option_number(w, "port", host_port), flags = option_number(w, "flags", 0);
	u16 type = 1, op = option_number(w, "op", 6);
	memcpy(bytes, &from, 8);
	memcpy(bytes + 8, &to, 8);
	memcpy(bytes + 16, &guest_port, 4);
	memcpy(bytes + 20, &port, 4);
	memcpy(bytes + 24, &len, 4);
	memcpy(bytes + 28, &type, 2);
	memcpy(bytes + 30, &op, 2);
	memcpy(bytes + 32, &flags, 4);
	memcpy(bytes + 36, &credit, 4);
	memcpy(bytes + 40, &forwarded, 4);
	for (u32 i = 0; i < len; i++)
		bytes[HEADER + i] = 1 + (i * 5 + requests_made) % 126;
	char piece[32];
	snprintf(piece, sizeof piece, "%u+%d", HEADER + len, (int)random_below(4000));
	chain_start();
	chain_add_pieces(option(w, "out") ? option(w, "out") : piece, false);
	chain_put(bytes, HEADER + len);
	if (submit(1, option_number(w, "ind", DIRECT), false, 0, "vsock tx") < 0)
		die("the transmit queue is full");
	if (!option_set(w, "nokick"))
		kick(1);
}
