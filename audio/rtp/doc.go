// Package rtp is RTP without its payload: one stream both ways with its RTCP, for sound and pictures alike.
// Codecs, playout and the meaning of time stamps belong to whoever uses it.
//
// # Map
//
//	conn.go        PacketConn, Monotonic
//	udp_linux.go   Listen: a raw pair of sockets (RFC 3550, 11)
//	stream.go      Stream, Params, Stats
//	receive.go     packets in: RFC 3550, 5.1; telling RTP from RTCP on one port (RFC 5761, 4)
//	address.go     symmetric RTP (RFC 4961): the latch and who takes it
//	source.go      Source, the one judge of SSRC and sequence numbers: RFC 3550, A.1, A.3, A.8
//	send.go        packets out; keep-alive (RFC 6263, 4.6)
//	rtcp.go        RFC 3550, 6: SR, RR, CNAME, BYE, round trip
//
// # Limits and traps
//
//   - A Stream has no lock, no goroutine and no timer: its owner calls Receive, Send, Report and KeepAlive as
//     time goes on.
//   - A PacketConn never blocks, so a transform (SRTP) can stand around another PacketConn.
//   - Datagrams of up to 1500 octets. Payload has no room for header extensions; those that arrive are passed
//     over.
//   - A far end that changes its host without signalling is not followed (see Config.LatchFrom).
//   - One source at a time, and one SSRC of events beside it: no mixer's CSRC list is read, and another SSRC
//     waits until the present one has been silent for 100 ms.
//   - Whoever can forge the far end's address and port can press keys under an SSRC of its own.
//   - Of RTCP's feedback (RFC 4585) nothing is read or sent yet; a picture's stream will want the loss
//     indication.
//   - Packets are not paced: a sender of pictures has to spread its own.
package rtp
