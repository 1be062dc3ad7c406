// Package media joins SDP and sound for one leg of a call: its ports, its side of offer and answer, and its
// RTP session. The station's calls and the bench phone of the demo share it.
//
// A leg is made muted: no sound of the microphone is in its packets before [Leg.Mute] is called with false. What
// it knows of the far end's being there is [Leg.Life].
// Who may do that, and when, is the caller's rule (package device, microphone.go).
//
//	RFC 3264 §5, §6, §8   offers, answers, and new ones within a call (package sdp reads and writes them)
//	RFC 4733              digits: payload type 101 is offered, OnDigit gets what is heard
//	RFC 4961, 3605        symmetric RTP; the port of RTCP
//
// # Limits
//
// One stream, of sound. Keys (RFC 4568) and candidates (RFC 8839) are to be gathered in [Leg.Offer], which
// may take its time.
package media
