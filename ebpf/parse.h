/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The parser of flow.bpf.c: from a frame to the key of its flow and what to
 * add to it. It answers as flow.Headers.Decode does, of which it is the half
 * that must run in the kernel; a test compares the two on real and mutated
 * frames. It stops at the outermost IP packet: what is in a tunnel belongs to
 * the tunnel's flow.
 */
#ifndef GATEHOUSE_PARSE_H
#define GATEHOUSE_PARSE_H

#define ETH_HLEN 14
#define VLAN_HLEN 4
#define PPPOE_HLEN 6
#define PPP_HLEN 2 /* as in PPPoE: protocol only */

#define ETH_P_IP 0x0800
#define ETH_P_ARP 0x0806
#define ETH_P_8021Q 0x8100
#define ETH_P_IPV6 0x86dd
#define ETH_P_PPP_SES 0x8864
#define ETH_P_PAE 0x888e
#define ETH_P_8021AD 0x88a8
#define ETH_P_LLDP 0x88cc
#define ETH_P_QINQ1 0x9100
#define ETH_P_802_3_MIN 0x0600

#define PPP_IP 0x0021
#define PPP_IPV6 0x0057

#define IPPROTO_HOPOPTS 0
#define IPPROTO_ICMP 1
#define IPPROTO_IGMP 2
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define IPPROTO_ROUTING 43
#define IPPROTO_FRAGMENT 44
#define IPPROTO_AH 51
#define IPPROTO_ICMPV6 58
#define IPPROTO_DSTOPTS 60
#define IPPROTO_SCTP 132
#define IPPROTO_MH 135
#define IPPROTO_HIP 139
#define IPPROTO_SHIM6 140

#define TCP_SYN 0x02

#define MAX_TAGS 4	  /* the Go decoder follows 8; more than 2 are not seen outside of tests */
#define MAX_EXTENSIONS 8  /* as the Go decoder */
#define MAX_HEADERS 1024  /* bytes in front of the payload; a chain of options beyond that is refused */
#define PADDING 46	  /* least payload of an Ethernet frame: shorter ones are padded */
#define MAX_DATAGRAM 65535

/* Flags of a key. */
#define KEY_IPV6 1	   /* an IPv6 packet with v4-mapped addresses is not an IPv4 packet */
#define KEY_FRAGMENT 2	   /* a fragment that does not tell its ports */
#define KEY_HIGHER_SENT 4  /* ICMP: the message, or its request, came from the higher address */

/* Why a frame was not counted to a flow; the order is that of ebpf.Reason. */
enum reason {
	OK,
	NON_IP,
	TRUNCATED_LINK,
	TOO_MANY_TAGS,
	TRUNCATED_NETWORK,
	BAD_VERSION,
	BAD_HEADER_LENGTH,
	BAD_LENGTH,
	BAD_EXTENSION,
	TOO_MANY_HEADERS,
	TRUNCATED_TRANSPORT,
	BAD_FRAGMENT,
	UNREADABLE, /* the kernel could not make the headers contiguous */
	NUM_REASONS,
	PIECE, /* internal: a fragment, and all there is to know of it */
	PULL,  /* internal: the headers are there, but not contiguous */
};

/* The key of a flow, the same in both directions. No padding: it is compared
 * as memory.
 */
struct flow_key {
	__u8 addr[2][16]; /* lower first; IPv4 is v4-mapped */
	__be16 port[2];	  /* of the respective end; ICMP: type and code, echo identifier */
	__u8 proto;
	__u8 flags;
	__u16 vlan; /* outermost id that is not 0 */
	__u32 ifindex;
};

struct packet {
	struct flow_key key __attribute__((aligned(8)));
	__u64 src[2], dst[2]; /* addresses */
	__u16 src_port, dst_port; /* ICMP: type and code, echo identifier */
	__u32 start;	/* where the IP packet begins in the frame */
	__u32 bytes;	/* of the IP datagram, headers included */
	__u32 payload;	/* bytes of it above layer 4 */
	__u32 offset;	/* where they begin in the frame */
	__u16 ethertype;
	__u16 inner_vlan;
	__u8 side;	/* of the key's two ends, the one that sent the packet */
	__u8 tcp_flags;
	__u8 icmp_type;
	bool is_icmp, is_reply, is_first;
};

/* Where the parser is. The frame's bytes are between data and data_end as far
 * as they are contiguous, which need not be all that is left.
 */
struct cursor {
	void *data, *data_end;
	__u32 off; /* of the next header */
	__u32 end; /* of the frame, then of the IP packet, as far as it is in the frame */
};

/* need yields OK if n bytes can be read at c->off. A header must lie within
 * MAX_HEADERS, so that the verifier can follow the offset.
 */
static __always_inline enum reason need(const struct cursor *c, __u32 n, enum reason otherwise)
{
	if (c->off > MAX_HEADERS)
		return TOO_MANY_HEADERS;
	if (c->off + n > c->end)
		return otherwise;
	if (c->data + c->off + n > c->data_end)
		return PULL;
	return OK;
}

#define NEED(c, n, otherwise)                                   \
	do {                                                    \
		enum reason _r = need((c), (n), (otherwise));   \
		if (_r != OK)                                   \
			return _r;                              \
	} while (0)

static __always_inline __u16 be16(const void *p)
{
	const __u8 *b = p;

	return (__u16)b[0] << 8 | b[1];
}

/* order compares addresses as byte strings. */
static __always_inline int order(const __u64 *a, const __u64 *b)
{
	__u64 x = bpf_be64_to_cpu(a[0]), y = bpf_be64_to_cpu(b[0]);

	if (x == y) {
		x = bpf_be64_to_cpu(a[1]);
		y = bpf_be64_to_cpu(b[1]);
	}
	return x < y ? -1 : x > y;
}

static __always_inline bool is_icmp(__u8 proto, __u8 key_flags)
{
	return proto == (key_flags & KEY_IPV6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
}

static __always_inline bool is_extension(__u8 next, bool v6)
{
	switch (next) {
	case IPPROTO_AH:
		return true;
	case IPPROTO_HOPOPTS:
	case IPPROTO_ROUTING:
	case IPPROTO_FRAGMENT:
	case IPPROTO_DSTOPTS:
	case IPPROTO_MH:
	case IPPROTO_HIP:
	case IPPROTO_SHIM6:
		return v6;
	default:
		return false;
	}
}

/* icmp reads a message. Echo request and reply are one flow, told from others
 * by its identifier; any other message belongs to a flow of its type, code and
 * direction.
 */
static __always_inline enum reason icmp(struct cursor *c, struct packet *p)
{
	__u8 request = p->key.flags & KEY_IPV6 ? 128 : 8, reply = p->key.flags & KEY_IPV6 ? 129 : 0;
	__u32 left = c->end - c->off;
	const __u8 *b;

	NEED(c, 4, TRUNCATED_TRANSPORT);
	b = c->data + c->off;
	p->is_icmp = true;
	p->icmp_type = b[0];
	p->is_reply = b[0] == reply;
	if (b[0] == reply || b[0] == request) {
		p->src_port = request << 8;
		if (left >= 6) {
			NEED(c, 6, TRUNCATED_TRANSPORT);
			b = c->data + c->off;
			p->dst_port = be16(b + 4);
		}
	} else {
		p->src_port = be16(b);
	}
	c->off += left < 8 ? left : 8;
	return OK;
}

/* transport reads the header of layer 4. */
static __always_inline enum reason transport(struct cursor *c, struct packet *p, __u8 proto)
{
	__u8 flags = 0;
	const __u8 *b;
	__u32 size;

	switch (proto) {
	case IPPROTO_TCP:
		NEED(c, 20, TRUNCATED_TRANSPORT);
		b = c->data + c->off;
		size = (b[12] >> 4) * 4;
		if (size < 20 || c->off + size > c->end)
			return BAD_HEADER_LENGTH;
		flags = b[13];
		break;
	case IPPROTO_UDP:
		NEED(c, 8, TRUNCATED_TRANSPORT);
		b = c->data + c->off;
		size = be16(b + 4); /* 0: a jumbogram, RFC 2675 */
		if (size && size < 8)
			return BAD_LENGTH;
		if (size && c->off + size < c->end)
			c->end = c->off + size;
		size = 8;
		break;
	case IPPROTO_SCTP:
		NEED(c, 12, TRUNCATED_TRANSPORT);
		b = c->data + c->off;
		size = 12;
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		if (is_icmp(proto, p->key.flags))
			return icmp(c, p);
		return OK;
	default:
		return OK;
	}
	p->src_port = be16(b);
	p->dst_port = be16(b + 2);
	p->tcp_flags = flags;
	c->off += size;
	return OK;
}

/* lacks_ports says whether a fragment of this protocol other than the first cannot
 * be told to belong to its flow.
 */
static __always_inline bool lacks_ports(__u8 next, bool v6)
{
	return next == IPPROTO_TCP || next == IPPROTO_UDP || next == IPPROTO_SCTP ||
	       next == IPPROTO_ICMP || next == IPPROTO_ICMPV6 || is_extension(next, v6);
}

/* fragment notes what is known of a piece of a datagram, of which left bytes
 * follow the headers that every piece repeats; field is its offset in bytes. It
 * yields PIECE if that is all there is to know, and OK if the transport header
 * is to be looked for.
 */
static __always_inline enum reason fragment(struct cursor *c, struct packet *p, __u8 next, __u32 field, bool more)
{
	__u32 left = c->end - c->off;

	if (p->is_first || !left || (more && left & 7) || field + left > MAX_DATAGRAM)
		return BAD_FRAGMENT;
	p->key.proto = next;
	p->offset = c->off;
	p->payload = left;
	if (!lacks_ports(next, p->key.flags & KEY_IPV6))
		return PIECE;
	p->key.flags |= KEY_FRAGMENT;
	if (field)
		return PIECE;
	p->is_first = true;
	return OK;
}

/* upper follows the headers between IP and the transport. */
static __always_inline enum reason upper(struct cursor *c, struct packet *p, __u8 next)
{
	__u32 size, field;
	enum reason r;
	const __u8 *b;

#pragma clang loop unroll(disable)
	for (int i = 0; i <= MAX_EXTENSIONS; i++) {
		if (!is_extension(next, p->key.flags & KEY_IPV6)) {
			r = transport(c, p, next);
			if (r != OK)
				return r;
			p->key.proto = next;
			p->key.flags &= ~KEY_FRAGMENT;
			p->offset = c->off;
			p->payload = c->end - c->off;
			return OK;
		}
		if (i == MAX_EXTENSIONS)
			break;
		NEED(c, 8, BAD_EXTENSION);
		b = c->data + c->off;
		size = (b[1] + 1) * 8;
		if (next == IPPROTO_AH) {
			size = (b[1] + 2) * 4; /* RFC 4302 counts 32-bit words */
		} else if (next == IPPROTO_FRAGMENT) {
			size = 8;
			next = b[0];
			field = be16(b + 2);
			if (field & ~6) { /* else whole: an atomic fragment, RFC 6946 */
				c->off += size;
				r = fragment(c, p, next, field & ~7, field & 1);
				if (r != OK)
					return r;
				continue;
			}
		}
		if (c->off + size > c->end)
			return BAD_EXTENSION;
		next = b[0];
		c->off += size;
	}
	return TOO_MANY_HEADERS;
}

/* ipv4 reads an IPv4 header (RFC 791) and what follows it. */
static __always_inline enum reason ipv4(struct cursor *c, struct packet *p)
{
	__u32 size, total, field, left = c->end - c->off;
	enum reason r;
	const __u8 *b;

	NEED(c, 20, TRUNCATED_NETWORK);
	b = c->data + c->off;
	if (b[0] >> 4 != 4)
		return BAD_VERSION;
	size = (b[0] & 15) * 4;
	if (size < 20)
		return BAD_HEADER_LENGTH;
	total = be16(b + 2);
	/* Segmentation offload leaves 0, and BIG TCP has to; a length beyond the
	 * frame is believed only as far as there are bytes.
	 */
	if (!total || total > left)
		total = left;
	else if (total < size)
		return BAD_LENGTH;
	if (size > total)
		return BAD_HEADER_LENGTH;
	c->end = c->off + total;
	c->off += size;
	p->bytes = total;
	p->src[1] = bpf_cpu_to_be64(0xffff00000000ULL | bpf_ntohl(*(__be32 *)(b + 12)));
	p->dst[1] = bpf_cpu_to_be64(0xffff00000000ULL | bpf_ntohl(*(__be32 *)(b + 16)));
	field = be16(b + 6) & 0x3fff;
	if (field) {
		r = fragment(c, p, b[9], (field & 0x1fff) * 8, field & 0x2000);
		if (r != OK)
			return r;
	}
	return upper(c, p, b[9]);
}

/* ipv6 reads an IPv6 header (RFC 8200) and what follows it. */
static __always_inline enum reason ipv6(struct cursor *c, struct packet *p)
{
	__u32 payload, rest;
	const __u8 *b;

	NEED(c, 40, TRUNCATED_NETWORK);
	b = c->data + c->off;
	if (b[0] >> 4 != 6)
		return BAD_VERSION;
	payload = be16(b + 4);
	rest = c->end - c->off - 40;
	/* Zero with more behind it than padding is a jumbogram or BIG TCP. */
	if (payload > rest || (!payload && rest > PADDING))
		payload = rest;
	c->off += 40;
	c->end = c->off + payload;
	p->bytes = 40 + payload;
	p->key.flags |= KEY_IPV6;
	__builtin_memcpy(p->src, b + 8, 16);
	__builtin_memcpy(p->dst, b + 24, 16);
	return upper(c, p, b[6]);
}

/* network reads an IP packet and writes the key of its flow. */
static __always_inline enum reason network(struct cursor *c, struct packet *p)
{
	__u64 *addr = (__u64 *)p->key.addr;
	enum reason r;
	int o;

	p->start = c->off;
	if (p->ethertype == ETH_P_IP)
		r = ipv4(c, p);
	else if (p->ethertype == ETH_P_IPV6)
		r = ipv6(c, p);
	else
		return NON_IP;
	/* A first fragment that is too small for its transport header, perhaps
	 * on purpose (RFC 1858), is known by what its fragment header says.
	 */
	if (r == PULL || (r != OK && r != PIECE && !p->is_first))
		return r;

	o = order(p->src, p->dst);
	if (!o)
		o = p->is_icmp ? p->is_reply : p->src_port > p->dst_port;
	if (o <= 0) {
		addr[0] = p->src[0], addr[1] = p->src[1];
		addr[2] = p->dst[0], addr[3] = p->dst[1];
	} else {
		addr[0] = p->dst[0], addr[1] = p->dst[1];
		addr[2] = p->src[0], addr[3] = p->src[1];
		p->side = 1;
	}
	if (o <= 0 || p->is_icmp) {
		p->key.port[0] = bpf_htons(p->src_port);
		p->key.port[1] = bpf_htons(p->dst_port);
	} else {
		p->key.port[0] = bpf_htons(p->dst_port);
		p->key.port[1] = bpf_htons(p->src_port);
	}
	if (p->is_icmp && p->side != p->is_reply)
		p->key.flags |= KEY_HIGHER_SENT;
	return OK;
}

/* frame reads a frame from its first byte. tag is the id of the VLAN tag that
 * the network interface or the kernel has taken off, 0 if none; ethertype is
 * what the kernel says of a packet without a link header, 0 if it has one.
 */
static __always_inline enum reason frame(struct cursor *c, struct packet *p, __u16 tag, __u16 ethertype)
{
	const __u8 *b;
	__u16 id;

	p->key.vlan = tag;
	if (ethertype) {
		p->ethertype = ethertype;
		return network(c, p);
	}
	NEED(c, ETH_HLEN, TRUNCATED_LINK);
	b = c->data;
	p->ethertype = be16(b + 12);
	c->off = ETH_HLEN;
#pragma clang loop unroll(disable)
	for (int i = 0; i <= MAX_TAGS; i++) {
		if (p->ethertype != ETH_P_8021Q && p->ethertype != ETH_P_8021AD && p->ethertype != ETH_P_QINQ1)
			break;
		if (i == MAX_TAGS)
			return TOO_MANY_TAGS;
		NEED(c, VLAN_HLEN, TRUNCATED_LINK);
		b = c->data + c->off;
		id = be16(b) & 0xfff;
		if (!p->key.vlan)
			p->key.vlan = id;
		else if (!p->inner_vlan)
			p->inner_vlan = id;
		p->ethertype = be16(b + 2);
		c->off += VLAN_HLEN;
	}
	if (p->ethertype == ETH_P_PPP_SES) {
		NEED(c, PPPOE_HLEN, TRUNCATED_LINK);
		b = c->data + c->off;
		if (b[0] != 0x11 || b[1]) /* not version 1, or discovery */
			return NON_IP;
		c->off += PPPOE_HLEN;
		if (be16(b + 4) < c->end - c->off)
			c->end = c->off + be16(b + 4);
		NEED(c, PPP_HLEN, TRUNCATED_LINK);
		b = c->data + c->off;
		id = be16(b);
		if (id != PPP_IP && id != PPP_IPV6)
			return NON_IP;
		p->ethertype = id == PPP_IP ? ETH_P_IP : ETH_P_IPV6;
		c->off += PPP_HLEN;
	}
	return network(c, p);
}

#endif
