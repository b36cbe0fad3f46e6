//go:build ignore

// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* Flow accounting at an interface: every packet is added to its flow in a hash
 * map, and what is worth parsing goes up a ring to user space, which reads both
 * (see the Go files beside this one). The program never changes, delays or
 * drops a packet, and never lets one pass without adding it to exactly one of:
 * a flow, or a counter that says why not.
 *
 * "make generate" compiles it; the objects are committed.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include "parse.h"

char licence[] SEC("license") = "GPL";

#define NEXT (-1) /* TCX_NEXT and TC_ACT_UNSPEC: as if the program were not there */

#define MAX_INTERFACES 64

/* What is set when the program is loaded, once for each interface and
 * direction.
 */
const volatile __u32 slot;	/* of the interface's counters */
const volatile bool egress;	/* of the direction */
const volatile bool layer3;	/* the interface has no link header */

const volatile __u32 head_segments = 16; /* TCP payload segments each way that go up, */
const volatile __u32 head_bytes = 10240; /* and bytes in them */
const volatile __u32 head_datagrams = 4; /* the same for other protocols */
const volatile __u32 wakeup_bytes = 256 << 10;

/* Classes of heads, each with a token bucket, so that a flood of one cannot
 * starve another; the order is that of ebpf.Class.
 */
enum class {
	CLASS_NONE,
	CLASS_ARP,
	CLASS_LINK,	  /* EAPOL, LLDP */
	CLASS_LINK_OTHER, /* any other that is not IP */
	CLASS_NEIGHBOUR,  /* neighbour discovery, IGMP, MLD */
	CLASS_ICMP_ERROR,
	CLASS_HANDSHAKE,  /* SYN, SYN-ACK */
	CLASS_TCP,
	CLASS_UDP,
	CLASS_OTHER,
	/* The following are given to ports by user space. */
	CLASS_DHCP,
	CLASS_DNS,
	CLASS_DISCOVERY,
	CLASS_INDUSTRIAL,
	CLASS_PORT, /* other ports that the user named */
	CLASS_SWEEP, /* no head, but a request to sweep the flows */
	NUM_BUCKETS = 16,
};

/* A token bucket as the generic cell rate algorithm has it (ITU-T I.371): a
 * head may go up if the bucket's time is not more than burst ahead, and
 * moves that time on by interval.
 */
#define NEVER (~0ULL)
const volatile __u64 rate_interval[NUM_BUCKETS]; /* ns */
const volatile __u64 rate_burst[NUM_BUCKETS];	 /* ns */

enum { OVERFLOW_TCP, OVERFLOW_UDP, OVERFLOW_ICMP, OVERFLOW_OTHER, NUM_OVERFLOWS };

struct overflow {
	__u64 packets, bytes;
};

/* Counters of an interface on one CPU. Packets are those of the wire: a frame
 * that stands for several segments counts as many.
 */
struct counter_set {
	__u64 seen;
	__u64 counted; /* added to a flow */
	__u64 full;    /* not added: no room for the flow */
	__u64 race;    /* not added: the flow was deleted in the same moment */
	__u64 refused[16]; /* by reason */
	__u64 heads[16];   /* by class */
	__u64 limited[16]; /* no token */
	__u64 dropped[16]; /* no room in the ring */
	struct overflow overflow[2][NUM_OVERFLOWS]; /* what full counts, by direction */
};

/* One end of a flow: what it sent. */
struct flow_side {
	__u64 packets;
	__u64 bytes;   /* of the IP datagrams */
	__u64 payload; /* bytes above layer 4 */
	__u32 head_bytes;
	__u16 heads;
	__u16 heads_lost;
	__u8 tcp_flags; /* union */
	__u8 mac[6];	/* source of its first frame */
	__u8 pad;
};

struct flow_record {
	struct flow_side side[2];
	__u64 first_ns; /* CLOCK_MONOTONIC; tells incarnations of a key apart */
	__u64 last_ns;	/* the same clock as of the last tick */
	__u16 inner_vlan;
	__u8 class;	/* of its port, 0 if it has none */
	__u8 first_side;
	__u8 pad[4];
};

/* A frame, or its head, on the way up. */
struct head_record {
	__u64 time_ns; /* CLOCK_MONOTONIC */
	__u32 ifindex;
	__u32 len;    /* of the frame */
	__u16 caplen; /* of data */
	__u16 segments;
	__u16 vlan_tci, vlan_proto; /* host order */
	__u8 class;
	__u8 egress;
	__u8 layer3;
	__u8 pad[5];
	__u8 data[];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, struct flow_key);
	__type(value, struct flow_record);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 << 20);
} heads SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, MAX_INTERFACES);
	__type(key, __u32);
	__type(value, struct counter_set);
} counters SEC(".maps");

/* By class, the time up to which its tokens are spent. */
struct bucket_set {
	__u64 spent_ns[NUM_BUCKETS];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct bucket_set);
} buckets SEC(".maps");

/* The class of each port whose payload always goes up. It is looked up once
 * for a flow, when it is made.
 */
struct port_set {
	__u8 tcp[65536];
	__u8 udp[65536];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct port_set);
} ports SEC(".maps");

/* index16 bounds an index so that the verifier sees it, too. */
static __always_inline __u64 index16(__u64 i)
{
	asm volatile("%0 &= 15" : "+r"(i));
	return i;
}

/* Makes the type known to bpf2go: nothing else names it in the object. */
const volatile struct head_record head_layout;

/* take takes a token of a class. */
static __always_inline bool take(__u32 class)
{
	__u32 zero = 0;
	struct bucket_set *b;
	__u64 now, interval;

	class = index16(class);
	interval = rate_interval[class];
	if (interval == NEVER)
		return false;
	b = bpf_map_lookup_elem(&buckets, &zero);
	if (!b)
		return false;
	now = bpf_ktime_get_coarse_ns();
	if (b->spent_ns[class] > now + rate_burst[class])
		return false;
	b->spent_ns[class] = (b->spent_ns[class] > now ? b->spent_ns[class] : now) + interval;
	return true;
}

/* submit sends the first n bytes of the frame up in a record that has room for
 * that many. The reader sleeps until its deadline or until enough is pending:
 * waking it for each record would take a multiple of the record's own time.
 */
static __always_inline bool submit(struct __sk_buff *skb, __u32 class, __u32 segments, __u32 n, const __u32 room)
{
	struct head_record *h;
	__u64 pending, flags = BPF_RB_NO_WAKEUP;

	h = bpf_ringbuf_reserve(&heads, sizeof(*h) + room, 0);
	if (!h)
		return false;
	h->time_ns = bpf_ktime_get_ns();
	h->ifindex = skb->ifindex;
	h->len = skb->len;
	h->segments = segments;
	h->vlan_tci = h->vlan_proto = 0;
	if (skb->vlan_present) {
		h->vlan_tci = skb->vlan_tci;
		h->vlan_proto = bpf_ntohs(skb->vlan_proto);
	}
	h->class = class;
	h->egress = egress;
	h->layer3 = layer3;
	/* The compiler knows the bounds of n, the verifier forgot them. */
	asm volatile("" : "+r"(n));
	if (n > room)
		n = room;
	h->caplen = n;
	if (n == 0 || bpf_skb_load_bytes(skb, 0, h->data, n)) {
		bpf_ringbuf_discard(h, BPF_RB_NO_WAKEUP);
		return false;
	}
	pending = bpf_ringbuf_query(&heads, BPF_RB_AVAIL_DATA);
	if (pending >= wakeup_bytes && pending - wakeup_bytes < sizeof(*h) + room)
		flags = BPF_RB_FORCE_WAKEUP;
	bpf_ringbuf_submit(h, flags);
	return true;
}

/* A record takes one of these sizes with its header of 32 bytes: a handshake or
 * a query; a full frame; a TLS flight or a certificate that offload has put
 * together; and as much as is ever taken of one.
 */
#define ROOM_SMALL (256 - 32)
#define ROOM_FRAME (1600 - 32)
#define ROOM_FLIGHT (4352 - 32)
#define ROOM_MOST (12288 - 32)

/* send_up sends the first n bytes of the frame up, if the class has a token,
 * and says whether it did. It is a function of its own, so that the verifier
 * looks at it once instead of once for each way that leads to it.
 */
__noinline int send_up(struct __sk_buff *skb, struct counter_set *c, __u32 class, __u32 segments, __u32 n)
{
	bool done;

	if (!c)
		return false;
	class = index16(class);
	if (!take(class)) {
		c->limited[class]++;
		return false;
	}
	if (n > skb->len)
		n = skb->len;
	if (n <= ROOM_SMALL)
		done = submit(skb, class, segments, n, ROOM_SMALL);
	else if (n <= ROOM_FRAME)
		done = submit(skb, class, segments, n, ROOM_FRAME);
	else if (n <= ROOM_FLIGHT)
		done = submit(skb, class, segments, n, ROOM_FLIGHT);
	else
		done = submit(skb, class, segments, n, ROOM_MOST);
	if (done)
		c->heads[class]++;
	else
		c->dropped[class]++;
	return done;
}

/* not_ip sends up what is of use of other protocols. */
static __always_inline void not_ip(struct __sk_buff *skb, struct counter_set *c, const struct packet *p)
{
	switch (p->ethertype) {
	case ETH_P_ARP:
		send_up(skb, c, CLASS_ARP, 1, ROOM_SMALL);
		break;
	case ETH_P_PAE:
	case ETH_P_LLDP:
		send_up(skb, c, CLASS_LINK, 1, ROOM_FRAME);
		break;
	default:
		send_up(skb, c, CLASS_LINK_OTHER, 1, ROOM_SMALL);
	}
}

/* port_class looks up the class of a flow's ports. */
static __always_inline __u8 port_class(const struct packet *p)
{
	__u32 zero = 0;
	struct port_set *t;
	__u8 class;

	if (p->key.proto != IPPROTO_TCP && p->key.proto != IPPROTO_UDP)
		return CLASS_NONE;
	t = bpf_map_lookup_elem(&ports, &zero);
	if (!t)
		return CLASS_NONE;
	if (p->key.proto == IPPROTO_TCP) {
		class = t->tcp[p->dst_port];
		return class ? class : t->tcp[p->src_port];
	}
	class = t->udp[p->dst_port];
	return class ? class : t->udp[p->src_port];
}

/* message_class is the class of what goes up whatever its flow has sent so
 * far.
 */
static __always_inline __u32 message_class(const struct packet *p)
{
	if (p->key.proto == IPPROTO_IGMP)
		return CLASS_NEIGHBOUR;
	if (p->tcp_flags & TCP_SYN)
		return CLASS_HANDSHAKE;
	if (!p->is_icmp)
		return CLASS_NONE;
	if (p->key.flags & KEY_IPV6) {
		if (p->icmp_type < 128)
			return CLASS_ICMP_ERROR;
		if ((p->icmp_type >= 130 && p->icmp_type <= 137) || p->icmp_type == 143)
			return CLASS_NEIGHBOUR;
		return CLASS_NONE;
	}
	switch (p->icmp_type) {
	case 3: case 4: case 5: case 11: case 12:
		return CLASS_ICMP_ERROR;
	case 9: case 10:
		return CLASS_NEIGHBOUR;
	default:
		return CLASS_NONE;
	}
}

/* heads_of sends up the packet of a flow if it is worth it. A budget is spent
 * only by what has gone up.
 */
static __always_inline void heads_of(struct __sk_buff *skb, struct counter_set *c, const struct packet *p, struct flow_record *f, __u32 segments)
{
	struct flow_side *s = &f->side[p->side & 1];
	__u32 class = message_class(p), n = ROOM_MOST, left;
	bool tcp = p->key.proto == IPPROTO_TCP && !(p->key.flags & KEY_FRAGMENT);

	if (class) {
		send_up(skb, c, class, segments, n);
		return;
	}
	if (tcp && !p->payload)
		return;
	if (f->class) {
		if (!send_up(skb, c, f->class, segments, n) && s->heads_lost < 65535)
			s->heads_lost++;
		return;
	}
	if (s->heads >= (tcp ? head_segments : head_datagrams))
		return;
	if (tcp) {
		if (s->head_bytes >= head_bytes)
			return;
		left = p->offset + (head_bytes - s->head_bytes);
		if (left < n)
			n = left;
		class = CLASS_TCP;
	} else {
		class = p->key.proto == IPPROTO_UDP ? CLASS_UDP : CLASS_OTHER;
	}
	if (send_up(skb, c, class, segments, n)) {
		s->heads++;
		s->head_bytes += p->payload;
	} else if (s->heads_lost < 65535) {
		s->heads_lost++;
	}
}

/* no_room accounts for a packet whose flow is not in the map because that is
 * full, and asks user space to make room.
 */
static __always_inline void no_room(struct __sk_buff *skb, struct counter_set *c, const struct packet *p, __u32 segments, __u64 bytes)
{
	__u32 o = OVERFLOW_OTHER, class = message_class(p);
	struct overflow *v;
	struct head_record *h;

	if (p->key.proto == IPPROTO_TCP)
		o = OVERFLOW_TCP;
	else if (p->key.proto == IPPROTO_UDP)
		o = OVERFLOW_UDP;
	else if (p->is_icmp)
		o = OVERFLOW_ICMP;
	v = &c->overflow[egress ? 1 : 0][o];
	v->packets += segments;
	v->bytes += bytes;
	c->full += segments;
	if (!class && p->payload)
		class = port_class(p);
	if (class)
		send_up(skb, c, class, segments, ROOM_MOST);
	if (!take(CLASS_SWEEP))
		return;
	h = bpf_ringbuf_reserve(&heads, sizeof(*h), 0);
	if (!h)
		return;
	__builtin_memset(h, 0, sizeof(*h));
	h->class = CLASS_SWEEP;
	bpf_ringbuf_submit(h, BPF_RB_FORCE_WAKEUP);
}

static __always_inline void copy_mac(struct __sk_buff *skb, struct flow_side *s)
{
	void *data = (void *)(long)skb->data, *data_end = (void *)(long)skb->data_end;

	if (!layer3 && data + ETH_HLEN <= data_end)
		__builtin_memcpy(s->mac, data + 6, 6);
}

/* add adds a packet to its flow, making it if there is none. */
static __always_inline void add(struct __sk_buff *skb, struct counter_set *c, const struct packet *p)
{
	__u32 segments = 1, header, i = p->side & 1;
	struct flow_side *s;
	struct flow_record *f;
	__u64 bytes = p->bytes;

	/* What offload has put together, or will take apart, counts as the
	 * packets that are on the wire. Drivers of virtual machines leave the
	 * number of segments open.
	 */
	if (skb->gso_size) {
		segments = skb->gso_segs;
		if (!segments)
			segments = (p->payload + skb->gso_size - 1) / skb->gso_size;
		if (!segments)
			segments = 1;
		header = p->offset - p->start;
		bytes += (__u64)(segments - 1) * header;
		c->seen += segments - 1;
	}

	f = bpf_map_lookup_elem(&flows, &p->key);
	if (!f) {
		struct flow_record fresh = {};

		fresh.first_ns = fresh.last_ns = bpf_ktime_get_ns();
		fresh.first_side = i;
		fresh.inner_vlan = p->inner_vlan;
		fresh.class = port_class(p);
		if (bpf_map_update_elem(&flows, &p->key, &fresh, BPF_NOEXIST) == -7 /* E2BIG */) {
			no_room(skb, c, p, segments, bytes);
			return;
		}
		f = bpf_map_lookup_elem(&flows, &p->key); /* ours, or another CPU's */
		if (!f) {
			c->race += segments;
			return;
		}
	}
	s = &f->side[i];
	if (!s->packets)
		copy_mac(skb, s);
	__sync_fetch_and_add(&s->packets, segments);
	__sync_fetch_and_add(&s->bytes, bytes);
	if (p->payload)
		__sync_fetch_and_add(&s->payload, p->payload);
	if ((s->tcp_flags | p->tcp_flags) != s->tcp_flags)
		s->tcp_flags |= p->tcp_flags;
	f->last_ns = bpf_ktime_get_coarse_ns();
	c->counted += segments;
	heads_of(skb, c, p, f, segments);
}

/* parse reads the headers of a frame into p, which is zeroed. It is a function
 * of its own for the sake of the verifier, as send_up is.
 */
__noinline int parse(struct __sk_buff *skb, struct packet *p)
{
	struct cursor c = {
		.data = (void *)(long)skb->data,
		.data_end = (void *)(long)skb->data_end,
		.end = skb->len,
	};

	if (!p)
		return UNREADABLE;
	p->key.ifindex = skb->ifindex;
	return frame(&c, p, skb->vlan_present ? skb->vlan_tci & 0xfff : 0,
		     layer3 ? bpf_ntohs(skb->protocol) : 0);
}

SEC("tc")
int flow(struct __sk_buff *skb)
{
	__u32 key = slot, reach = skb->len;
	struct counter_set *c = bpf_map_lookup_elem(&counters, &key);
	struct packet p = {};
	int r;

	if (!c)
		return NEXT;
	c->seen++;
	r = parse(skb, &p);
	if (r == PULL) {
		if (reach > MAX_HEADERS + 64)
			reach = MAX_HEADERS + 64;
		if (!bpf_skb_pull_data(skb, reach)) {
			__builtin_memset(&p, 0, sizeof(p));
			r = parse(skb, &p);
		}
		if (r == PULL)
			r = UNREADABLE;
	}
	if (r == OK)
		add(skb, c, &p);
	else
		c->refused[index16(r)]++;
	if (r == NON_IP)
		not_ip(skb, c, &p);
	return NEXT;
}
