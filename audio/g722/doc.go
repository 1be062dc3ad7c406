// Package g722 is the ITU-T G.722 wideband codec at 64 kbit/s: 16 kHz samples in, one byte per two samples
// out, and back.
//
// Two sub-bands of 4 kHz are split by a 24-tap quadrature mirror filter (QMF) and each is coded by an
// adaptive differential coder (ADPCM): 6 bits for the lower band, 2 bits for the upper.
//
//	G.722 clause          file
//	3.1, 4.1  QMF         qmf.go
//	3.5, 3.6  adaptation  band.go (6.2.1.3 to 6.2.1.5: SCALEL, SCALEH, UPPOL1, UPPOL2, UPZERO, FILTEP, FILTEZ)
//	3.3       encoder     encoder.go
//	4.3, 4.4  decoder     decoder.go (mode 1: all eight bits)
//	tables                tables.go
//	Appendix III          lead.go (losses: the state follows the concealment; the scale factors are set in
//	                      a way of our own)
//
// The arithmetic is the standard's 16-bit fixed point, so that it equals spandsp bit by bit. testdata holds
// vectors made by spandsp 0.0.6, and the C program that made them. One difference is meant: an overloaded
// output sample is limited, as the standard asks (4.5), where spandsp lets it wrap around, which clicks.
//
// # Limits
//
//   - Mode 1 (64 kbit/s) alone: RFC 3551 payload type 9 carries nothing else.
//   - The RTP clock of G.722 is 8000 Hz although its samples run at 16000 Hz (RFC 3551, 4.5.2): the caller
//     has to count in octets.
//   - After a loss the encoder's state can only be guessed. The first 20 ms behind it err in level, and now
//     and then one comes out too loud.
package g722
