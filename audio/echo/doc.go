// Package echo cancels the loudspeaker's echo at a door station, where the loudspeaker sits beside the
// microphone and its echo is louder than the visitor. It also holds the noise suppression, the slow gain
// control and a half-duplex mode.
//
// The signal meets, in this order:
//
//	reference.go   delay line of what the loudspeaker was given, read at a fractional offset, at 16 kHz
//	delay.go       the offset: GCC-PHAT at 4 kHz (Knapp and Carter 1976)
//	speaker.go     loudspeaker distortion ahead of the filter and clock drift, both from one small
//	               least-squares problem (Stenger and Kellermann 2000)
//	filter.go      partitioned-block frequency-domain Kalman filter (Enzner and Vary 2006; Kuech,
//	               Mabande, Enzner 2014)
//	paths.go       foreground and background weights (Ochiai 1977; Valin 2007); a change of the echo path
//	               shows in the coherence of error and echo
//	suppress.go    residual echo and noise suppression, comfort noise (Ephraim and Malah 1984; Mauler and
//	               Martin 2007)
//	noise.go       noise floor (Martin 2001)
//	wind.go        high-pass that comes with the wind
//	gain.go        gain control and its limiter
//	fft.go         real radix-4 Stockham transform
//
// A canceller adds 10 ms of delay to the microphone: one frame of overlap. The far end is not touched. The
// caller limits it ahead of both card and Process (package audio does), because hard clipping behind Process
// is an echo path that no model here describes.
//
// The loudspeaker's model is why double talk survives: without it the linear filter reaches half as many dB
// where the loudspeaker distorts, and the suppressor has to do the rest. Figures beside speexdsp's come from
// "scripts/bench sound"; what it gave last is in scripts/support/bench/FIGURES.md.
//
// # Limits
//
//   - Delay 0 (at 8 kHz 1 ms) to 125 ms, found within half a second of far-end speech and again within about
//     a second after it moves.
//   - The echo path behind the delay is covered for Config.Tail; later reverberation is left to the
//     suppressor.
//   - The distortion model is memoryless. A rattling enclosure is left to the suppressor, and hopeless
//     hardware to Walkie.
//   - A wholly different echo path takes about a second of far-end speech. In its first tenths the echo
//     passes as if it were the near end; then the suppressor lets little of the near end through.
//   - Double talk in the very first second of far-end speech loses some of the near end. A canceller that is
//     kept from call to call pays that once.
//   - Drift up to 500 ppm, and only once the delay is known and longer than 5.5 ms; without that the filter
//     follows alone.
//   - Walkie keeps the microphone mute for 0.3 s after the far end was last above -50 dBFS. A far end whose
//     hum is louder than that never lets the visitor speak.
//   - Wind is made quieter; what the microphone lost in it stays lost.
//   - Frames are 10 ms, at 8 or 16 kHz; other cards are converted below or above.
package echo
