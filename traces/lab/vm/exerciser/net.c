/* vhost-net: a tap device, frames into it, buffers and frames of the guest. */
#include "exercise.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/if.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/vhost.h>

enum { LARGEST = 70000, VIRTIO_NET_F_MRG_RXBUF_BIT = 15, VIRTIO_F_VERSION_1_BIT = 32 };

static int tap_fd = -1, packet_fd = -1;
static bool vnet_header, backend_is_packet;
static int frames_injected;

/* Frames of this type only, so that nothing else on the interface is seen. */
static const u16 ETHER_TYPE = 0x7777;

/*
 * vnet=1: the tap carries the virtio-net header (IFF_VNET_HDR).
 * packet: a packet socket is vhost-net's back end and frames enter through the tap; else the tap
 * is the back end and frames enter through a packet socket.
 */
void net_tap(struct words w)
{
	int header = option_number(w, "hdr", 12), big = 8 << 20;
	struct ifreq r = { .ifr_name = "lab0" };
	vnet_header = option_number(w, "vnet", 0);
	backend_is_packet = option_set(w, "packet");
	tap_fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (tap_fd < 0)
		die("/dev/net/tun");
	r.ifr_flags = IFF_TAP | IFF_NO_PI | (vnet_header ? IFF_VNET_HDR : 0);
	if (ioctl(tap_fd, TUNSETIFF, &r) < 0)
		die("TUNSETIFF");
	if (vnet_header && ioctl(tap_fd, TUNSETVNETHDRSZ, &header) < 0)
		die("TUNSETVNETHDRSZ");
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	r.ifr_mtu = option_number(w, "mtu", 65521);
	if (s < 0 || ioctl(s, SIOCSIFMTU, &r) < 0)
		die("SIOCSIFMTU");
	r.ifr_flags = IFF_UP | IFF_RUNNING | IFF_NOARP;
	if (ioctl(s, SIOCSIFFLAGS, &r) < 0 || ioctl(s, SIOCGIFINDEX, &r) < 0)
		die("cannot bring the tap up");
	close(s);
	u16 protocol = backend_is_packet ? htons(ETHER_TYPE) : 0;
	struct sockaddr_ll a = { .sll_family = AF_PACKET,
				 .sll_ifindex = r.ifr_ifindex,
				 .sll_protocol = protocol };
	packet_fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, protocol);
	if (packet_fd < 0 || bind(packet_fd, (void *)&a, sizeof a) < 0)
		die("packet socket");
	setsockopt(packet_fd, SOL_SOCKET, SO_SNDBUFFORCE, &big, sizeof big);
	setsockopt(packet_fd, SOL_SOCKET, SO_RCVBUFFORCE, &big, sizeof big);
}

void net_backend(bool on)
{
	for (int i = 0; i < MAX_QUEUES; i++) {
		struct vhost_vring_file file = {
			.index = i, .fd = !on ? -1 : backend_is_packet ? packet_fd : tap_fd
		};
		if (queues[i].on && vmm_ioctl("NET_SET_BACKEND", VHOST_NET_SET_BACKEND, &file) < 0)
			die("NET_SET_BACKEND");
	}
}

void net_frame(u8 *bytes, u32 len, int tag)
{
	static const u8 header[14] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x77, 0x77 };
	for (u32 i = 0; i < len; i++)
		bytes[i] = i < sizeof header ? header[i] : 1 + (i * 7 + tag) % 126;
}

void net_inject(u32 len)
{
	static u8 bytes[LARGEST];
	enum { HEADER = 12 };
	int header = backend_is_packet && vnet_header ? HEADER : 0;
	memset(bytes, 0, HEADER);
	net_frame(bytes + HEADER, len, frames_injected++);
	ssize_t sent = backend_is_packet
			       ? write(tap_fd, bytes + HEADER - header, len + header) - header
			       : send(packet_fd, bytes + HEADER, len, 0);
	if (sent != (ssize_t)len)
		die("a frame of %u bytes did not go in", len);
	journal("inject", ",\"frame\":%d,\"len\":%u", frames_injected - 1, len);
}

/* Buffers for the device to fill. */
void net_post(struct words w)
{
	int queue = option_number(w, "vq", 0), count = option_number(w, "count", 1);
	for (int i = 0; i < count; i++) {
		chain_start();
		chain_add_pieces(option(w, "out"), false);
		chain_add_pieces(option(w, "in"), true);
		if (submit(queue, option_number(w, "ind", DIRECT), false,
			   option_number(w, "badnext", 0), "rx") < 0)
			die("queue %d is full", queue);
	}
	if (!option_set(w, "nokick"))
		kick(queue);
}

/* Frames from the guest. */
void net_transmit(struct words w)
{
	static u8 bytes[LARGEST];
	int count = option_number(w, "count", 1);
	bool long_header = features >> VIRTIO_NET_F_MRG_RXBUF_BIT & 1 ||
			   features >> VIRTIO_F_VERSION_1_BIT & 1;
	u32 header = long_header ? 12 : 10;
	for (int i = 0; i < count; i++) {
		chain_start();
		u32 total = chain_add_pieces(option(w, "out"), false);
		chain_add_pieces(option(w, "in"), true);
		memset(bytes, 0, header);
		if (total > header)
			net_frame(bytes + header, total - header, requests_made);
		chain_put(bytes, total);
		if (submit(1, option_number(w, "ind", DIRECT), false, 0, "tx") < 0)
			die("the transmit queue is full");
	}
	if (!option_set(w, "nokick"))
		kick(1);
}
