// Package audio is the sound of the door station: the engine that owns the card, the sessions that carry
// sound over RTP, codecs, tones and files.
//
// # What happens in 10 ms
//
// An Engine has one goroutine on one locked thread, and in a call it sleeps in one place: Duplex.Exchange,
// which moves a period of the card. Between two of them it does everything else, without an allocation and
// without holding a lock for long:
//
//	card -> patch (to 16 kHz, blocks of 10 ms) -> echo canceller -> Session.send -> codec -> RTP
//	RTP -> Session.receive -> playout.Buffer -> codec -> mix + clips -> limiter -> patch -> card
//	                                                                            \-> reference of the canceller
//
// Sockets are drained without blocking once per block, so packets wake nobody. While a card is being opened
// or has vanished, a timer takes its place as the clock: sessions go on, silence is sent at real pace, digits
// are heard. With nothing to do, the thread waits on a channel and the card is closed.
//
// # Privacy
//
// The microphone is opened (Use FullDuplex) only while an attached session may send what it hears. It is closed
// with the block after the last such session was held, made Silent, detached or closed. Each opening and closing is a CardEvent.
//
// # Map
//
//	codec.go g711.go       Codec; ITU-T G.711 (tables 1 and 2). G.722 is in package g722
//	session.go             Session, Media, Stats: the sound of one leg of a call
//	session_receive.go     from the stream to the buffer, the digits and the mix
//	session_send.go        from the microphone to the stream
//	event.go               RFC 4733 telephone-events: their wire form, and sending them
//	press.go               which of them are one press, from senders that get their stamps wrong
//	engine.go run.go block.go patch.go echo.go duplex.go   the engine, from its public face to the card
//	loopback.go            the loop test: delay, return loss, distortion, and a verdict for the installer
//	clip.go tones.go       Clip; ringing and busy tones (ITU-T E.180 Supplement 2), the door's own sounds
//	poll.go                how the audio thread waits, in system calls
//	wav.go filecard.go     WAVE files; a card made of them
//	resample.go            polyphase conversion between all common rates
//
// RTP itself is in package rtp: addresses, sources, sockets and RTCP. In-band digits are in package dtmf, the
// jitter buffer and concealment in playout, the canceller in echo, sound cards in alsa. "scripts/bench sound"
// measures them all; what it gave last is in scripts/support/bench/FIGURES.md.
//
// # Limits and traps
//
//   - One goroutine calls Exchange. A card that blocks in it for ever stops all sound, so a driver has to
//     time out.
//   - Session.OnDigit, CardEvent and Clip.Done are called on the engine's thread and must not block.
//   - A Session is detached first and closed then; a closed one drops out by itself. Close sends BYE and
//     closes the connections.
//   - No Opus. The one pure-Go encoder, github.com/thesyncim/gopus, is 172,000 young lines: more than this
//     whole program. pion/opus only decodes. A door station's 16 kHz fit into G.722.
//   - No comfort noise (RFC 3389), no stereo, no SRTP: a transform can stand in as an rtp.PacketConn.
//   - Playback sounds are mono; the sum is limited to -1 dBFS ahead of the canceller's reference.
//   - A far end that changes its host without signalling is not followed (see rtp.Config.LatchFrom).
//   - G.722 counts its RTP clock at 8000 Hz; Codec.ClockRate and Codec.SampleRate differ.
package audio
