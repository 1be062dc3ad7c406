// Package transport moves SIP messages between hosts (RFC 3261 §18). It knows nothing of what they say, but
// for the topmost Via.
//
// A [Transport] has one protocol and hands each message that arrives to the stack above as a [Packet], with
// the [Flow] that it came by. A [Target] says where a message goes. [UDP] is the one transport so far;
// streams share the interface.
//
//	RFC 3261 §18.1, §18.2   transport (the interface), udp
//	         §18.2.1, .2    symmetric (received, rport; where responses go)
//	RFC 3263 §4             resolve (what a URI asks for), lookup (SRV, A, AAAA; no NAPTR)
//	RFC 6762 §5.1           mdns (one question on the link for a name in .local)
//	RFC 8305 §3             lookup (A and AAAA at once)
//	RFC 3581                symmetric
//
// # Limits
//
// A datagram that is larger than the path's MTU is fragmented by the kernel: requests do not change to a
// stream (§18.1.1). That a phone tries TCP or TLS is not seen, for the kernel refuses the connection. A listener that
// accepted it only to tell would break phones that work: those that send what is larger than 1300 bytes by TCP first
// (pjsip, Sofia) return to UDP because of the refusal, as §18.1.1 asks of them. No NAPTR: the transport is what the URI says, else UDP.
//
// Multicast DNS answers with addresses that need no zone only. A name in .local has no SRV records. What
// multicast DNS says comes from whoever is on the link, as an ARP reply does.
//
// # Names
//
// A [Resolver] asks for SRV, A and AAAA records at once. One family that a name server says nothing about
// costs 50 ms, SRV records 0.6 s, a dead name server before a live one 1 s for each question. A name that was
// found once leads there while it cannot be found.
//
// # Traps
//
//   - Send never blocks and reports a failure later, as a Packet, if at all: UDP hears of an unreachable host
//     only by silence.
//   - Packet.Data is valid during the call of deliver only.
//   - Local asks the kernel each time: its answer changes with the network.
package transport
