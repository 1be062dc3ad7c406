// Package echo cancels the loudspeaker's echo at a door station, where the loudspeaker sits beside the
// microphone and its echo is louder than the visitor. It also holds the noise suppression, the slow gain
// control and a half-duplex mode.
//
// The signal meets, in this order:
//
//	reference.go   delay line of what the loudspeaker was given, read at a fractional offset, at 16 kHz
//	delay.go       the offset: GCC-PHAT at 4 kHz (Knapp and Carter 1976)
//	speaker.go     loudspeaker distortion ahead of the filter and clock drift, both from one small least-squares
//	               problem (Stenger and Kellermann 2000)
//	filter.go      partitioned-block frequency-domain Kalman filter (Enzner and Vary 2006; Kuech, Mabande, Enzner 2014)
//	paths.go       foreground and background weights (Ochiai 1977; Valin 2007), changes of the echo path by the coherence of
//	               error and echo
//	suppress.go    residual echo and noise suppression, comfort noise (Ephraim and Malah 1984; Mauler and Martin 2007)
//	noise.go       noise floor (Martin 2001)
//	wind.go        high-pass that comes with the wind
//	gain.go        gain control and its limiter
//	fft.go         real radix-4 Stockham transform
//
// A canceller adds 10 ms of delay to the microphone: one frame of overlap. The far end is not touched;
// whoever plays it limits it ahead of both card and Process (package audio does), because hard clipping
// behind Process is an echo path that no model here describes.
//
// # Figures
//
// "scripts/bench sound" measures them: synthetic speech through synthetic enclosures, echo 8 dB above the
// visitor and up to 20 dB, soft clipping, wind, 50 ppm of drift, a change of path. Means over scenarios s2 to
// s8 and six seeds, of which three were never tuned on (their means differ by less than 2 dB, in the first 4
// s by 3 dB); speexdsp with residual suppression in the same run:
//
//	                     ERLE dB                                      double talk            near end
//	                     first 4 s  converged  after DT  after change STOI  gain dB cut>10dB STOI
//	16 kHz               38         50         47        50           .98   -0.1    .00      .994
//	8 kHz                39         48         46        51           .98   -0.1    .01      .994
//	speexdsp, 16 kHz     11         25         23        22           .92   -0.6    .02      .993
//
// On no seed of any of the nine scenarios, in no phase and at neither rate, is the ERLE below speexdsp's. The
// same double talk at other times, at 16 kHz:
//
//	                     1 s after the first word     2 s after a change of path
//	                     STOI  gain dB  cut>10dB      STOI  gain dB  cut>10dB
//	this package         .93   -0.6     .08           .98   -0.2     .01
//	speexdsp             .88   -1.1     .02           .91   -0.9     .02
//
// The linear filter with its loudspeaker model reaches 33 to 37 dB of that where the loudspeaker distorts,
// which is why double talk survives; without the model it is 10 to 22 dB. Processor time is a little less
// than speexdsp's at 16 kHz, a fifth more at 8 kHz: 4.5 and 2.7 ms per second of audio on the bench machine.
// On an ARMv6 it is about 80 million instructions per second at 16 kHz and 50 million at 8 kHz, noise
// suppression and gain control included (counted in qemu-arm over 10 s).
//
// # Limits
//
//   - Delay 0 (at 8 kHz 1 ms) to 125 ms, found within half a second of far-end speech and again within about
//     a second after it moves.
//   - The echo path behind the delay is covered for Config.Tail; later reverberation is left to the
//     suppressor.
//   - The distortion model is memoryless. A rattling enclosure is the suppressor's, and hopeless hardware
//     Walkie's.
//   - A wholly different echo path takes about a second of far-end speech. In its first tenths the echo
//     passes as if it were the near end; then the suppressor lets little of the near end through.
//   - Double talk in the first second of what it ever heard loses a tenth of the near end's frames, up to a
//     fifth where the loudspeaker clips hard or the echo is 20 dB above the visitor. Whoever keeps a
//     canceller from call to call has that once.
//   - Drift up to 500 ppm, and only once the delay is known and longer than 5.5 ms; without that the filter
//     follows alone.
//   - Walkie keeps the microphone mute for 0.3 s after the far end was last above -50 dBFS: a far end with a
//     louder hum than that never lets the visitor speak.
//   - In wind the near end's STOI is that of the microphone, about .97 at 10 dB of signal to noise.
//   - Frames are 10 ms, at 8 or 16 kHz; other cards are converted below or above.
package echo
