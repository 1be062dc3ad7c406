// Package echo cancels the loudspeaker's echo at a door station, where the loudspeaker sits beside the microphone and its
// echo is louder than the visitor. It also holds the noise suppression, the slow gain control and a half-duplex mode.
//
// The signal meets, in this order:
//
//	reference.go   delay line of what the loudspeaker was given, read at a fractional offset, at 16 kHz
//	delay.go       the offset: GCC-PHAT at 4 kHz (Knapp and Carter 1976)
//	speaker.go     loudspeaker distortion ahead of the filter and clock drift, both from one small least-squares
//	               problem (Stenger and Kellermann 2000)
//	filter.go      partitioned-block frequency-domain Kalman filter (Enzner and Vary 2006; Kuech, Mabande, Enzner 2014)
//	paths.go       foreground and background weights, changes of the echo path (Ochiai 1977; Valin 2007)
//	suppress.go    residual echo and noise suppression, comfort noise (Ephraim and Malah 1984; Mauler and Martin 2007)
//	noise.go       noise floor (Martin 2001)
//	wind.go        high-pass that comes with the wind
//	gain.go        gain control and Limiter
//	fft.go         real radix-4 Stockham transform
//
// A canceller adds 10 ms of delay to the microphone: one frame of overlap. The far end is not touched; whoever plays it
// should pass it through a Limiter before both card and Process, because hard clipping behind Process is an echo path that
// no model here describes.
//
// # Figures
//
// "scripts/bench sound" measures them: synthetic speech through synthetic enclosures, echo 8 dB above the visitor and up to
// 20 dB, soft clipping, wind, 50 ppm of drift, a change of path. Means over scenarios s2 to s8 and five seeds, of which two
// were never tuned on (their means differ by less than 1 dB, in the first 4 s by 4 dB); speexdsp with residual suppression in the same run:
//
//	                     ERLE dB                                      double talk            near end
//	                     first 4 s  converged  after DT  after change STOI  gain dB cut>10dB STOI
//	16 kHz               37         49         47        48           .98   -0.1    .00      .994
//	8 kHz                37         47         46        50           .98   -0.1    .01      .994
//	speexdsp, 16 kHz     11         25         23        22           .92   -0.6    .01      .993
//
// The linear filter with its loudspeaker model reaches 33 to 37 dB of that where the loudspeaker distorts, which is why
// double talk survives; without the model it is 10 to 22 dB. Processor time is a little less than speexdsp's, 4.5 ms per second of
// audio at 16 kHz and 2.5 ms at 8 kHz on the bench machine, and about 70 million ARMv6 instructions per second at 16 kHz
// (counted in qemu-arm over the first frames, setup and runtime left out).
//
// # Limits
//
//   - Delay 0 (at 8 kHz 1 ms) to 125 ms, found within half a second of far-end speech and again within about a second after it moves.
//   - The echo path behind the delay is covered for Config.Tail; later reverberation is left to the suppressor.
//   - The distortion model is memoryless. A rattling enclosure is the suppressor's, and hopeless hardware Walkie's.
//   - A wholly different echo path takes one to two seconds of far-end speech; meanwhile the suppressor lets little of the
//     near end through.
//   - Before it has heard a few seconds of the far end it is half duplex: double talk in the first second loses a fifth of the near
//     end's frames (STOI .86; speexdsp .88).
//   - Drift up to 500 ppm, and only once the delay is known and longer than 5.5 ms; without that the filter follows alone.
//   - Walkie keeps the microphone mute for 0.3 s after the far end was last above -50 dBFS: a far end with a louder hum than
//     that never lets the visitor speak.
//   - In wind the near end's STOI is that of the microphone, about .97 at 10 dB of signal to noise.
//   - Frames are 10 ms, at 8 or 16 kHz; other cards are converted below or above.
package echo
