// Package transport moves SIP messages between hosts (RFC 3261 §18). It knows nothing of what they say, but
// for the topmost Via.
//
// A [Transport] has one protocol and hands each message that arrives to the stack above as a [Packet], with
// the [Flow] that it came by. A [Target] says where a message goes. [UDP] is the one transport so far;
// streams share the interface.
//
//	RFC 3261 §18.1, §18.2   transport (the interface), udp
//	         §18.2.1, .2    symmetric (received, rport; where responses go)
//	RFC 3263 §4             resolve (SRV, A, AAAA; no NAPTR)
//	RFC 3581                symmetric
//
// # Limits
//
// A datagram that is larger than the path's MTU is fragmented by the kernel: requests do not change to a
// stream (§18.1.1). No NAPTR: the transport is what the URI says, else UDP.
//
// # Traps
//
//   - Send never blocks and reports a failure later, as a Packet, if at all: UDP hears of an unreachable host
//     only by silence.
//   - Packet.Data is valid during the call of deliver only.
//   - Local asks the kernel each time: its answer changes with the network.
package transport
