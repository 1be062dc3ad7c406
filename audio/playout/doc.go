// Package playout turns the packets of one received RTP audio stream into a steady flow of samples: jitter
// buffer, time stretching, drift compensation and packet-loss concealment behind Put and Get.
//
// # Method
//
//	Put      intake.go    time-stamp unwrapping, new time lines
//	         store.go     payloads wait, undecoded, in a fixed ring
//	Get      delay.go     transit histogram, sliding quantile, fastest path as reference
//	         play.go      what comes next: packet, concealment, pause; when to stretch
//	         line.go      decoded PCM with 60 ms of its past; cut and repeat by waveform similarity: WSOLA
//	                      (Verhelst and Roelands, ICASSP 1993), one lag of 2.5 to 15 ms at a time, at most
//	                      every 40 ms
//	         conceal.go   repetition of the last pitch period (compare ITU-T G.711 Appendix I); after 30 ms
//	                      blended with LPC-shaped noise, full level for 10 ms, faded out after 150 ms.
//	                      Where the packet behind the loss has come already, it is blended into a backward
//	                      repetition of that. Decoders with a memory follow it (Leader; G.722), and their
//	                      first 2 ms behind a loss are not used
//	         noise.go     comfort noise with the spectrum of the quietest 10 ms of the last seconds
//	         trace.go     replay of network traces, for measurements
//
// RTP time stamps place the sound; the pull clock counts samples, so a card's drift and the sender's look
// alike and both are absorbed by stretching. A loss is concealed for as long as its time stamps say, so it
// moves nothing. A packet less than 15 ms late loses its beginning, a later one is played in full and the
// delay grows, to be shortened again. When a packet is so late that its neighbours probably are too (a Wi-Fi
// stall), what lies ahead is played slowly. A pause of the sender (time stamps leap, sequence numbers do not)
// is comfort noise, not loss, and the next talkspurt starts at the target delay.
//
// "scripts/bench sound" measures delay and concealment over traces; what it gave last is in
// scripts/support/bench/FIGURES.md. The tests assert bounds on networks drawn anew, and Benchmark and
// TestAllocs the cost: no allocation.
//
// # Limits and traps
//
//   - PCM at 8 or 16 kHz, payloads up to 1500 bytes, at most 128 waiting packets or 32 kB; a Buffer takes
//     less than 64 kB and never grows.
//   - Transits up to 400 ms over the fastest path are followed. Later packets are dropped, and taken for
//     a new time line when they keep coming.
//   - SSRC and sequence numbers have to be judged before Put (rtp.Source); a new Packet.Epoch is believed at
//     once.
//   - A packet with a time stamp out of all bounds is dropped; its successor, if it is off likewise, opens a
//     new time line.
//   - A fall of the fastest path within a talkspurt is used slowly: the histogram forgets in about 50 s.
//   - Comfort-noise payloads (RFC 3389), redundancy (RFC 2198) and forward error correction are not
//     understood: give Put only the audio codec's payloads.
//   - A decoder with a memory that is no Leader is not told of a loss.
//   - Leading G.722 through a loss costs its decoder about eight packets' worth of decoding, once, when the
//     loss ends.
//   - Put wants Packet.At and Get's now on one clock. A leap of now by more than 100 ms over the pulled time
//     counts as an interruption of the card: the sound of that time is skipped.
package playout
