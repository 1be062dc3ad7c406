// Package sip reads and writes SIP messages: the lowest floor of a SIP wing that is built as RFC 3261 section
// 5 draws it.
//
// A message is a [Request] or a [Response] with typed header fields and a body of bytes. [Parse] takes a
// datagram; a [Framer] cuts messages out of a stream. Everything is written by Append, as a sender writes it
// who wants to be understood by all: long field names, one value a line where lists are rare, quoted where
// that is ever needed.
//
//	RFC 3261 §7, §20   message, header, via, address, params
//	         §18.3     framing (Content-Length on a stream)
//	         §19.1     uri, uri_equal
//	         §19.3     id (tags; also branches and Call-IDs)
//	         §20.43    warning
//	         §21       reason
//	         §25       parse, parse_header, char, write
//	RFC 3581           via (rport)
//	RFC 3966           uri, uri_equal (tel URIs)
//	RFC 4475           parse (what is refused of a message, and what is passed over)
//	RFC 5621           body (a session description in a multipart)
//	RFC 5626 §3.5      framing (keep-alives)
//
// # The floors
//
//	sip/ua, sip/registrar   §8 to §16: what a request means; two equal cores on one stack
//	sip/transaction         §17: the loop, the four machines, timers
//	sip/transport           §18: who sends what to whom
//	sip                     §7, §19, §20, §25: what is written
//
// A floor imports those below it and none above. Package fsm has the table that every machine is, digest the
// credentials of RFC 7616, sdp the bodies that no floor reads, siptest a lossy network and a scripted peer.
//
// # Limits
//
//	64 KiB a message, with its headers (256) and the values of one list (128)
//
// A field that cannot be read costs that field, not the message, where the message means something without
// it; Headers.Odd tells of it. Header fields that nothing here reads are kept as they came, in their order,
// and written so.
//
// # Traps
//
//   - Strings are as on the wire: a URI's user is escaped, [URI.Username] is not. Compare URIs by Equal only.
//   - The host of a URI has brackets around an IPv6 address; [HostOf] writes it so.
//   - What Parse returns holds on to one copy of the message: keep the strings, not the bytes that came.
package sip
