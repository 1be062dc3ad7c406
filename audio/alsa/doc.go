// Package alsa is an [audio.Duplex] over the PCM and control ioctls of the Linux kernel, without libasound
// and without cgo, for amd64, arm64 and arm.
//
// # Files
//
//	cards.go       which cards there are, and which one a selector means
//	open.go        Config, Open, Check
//	params.go      HW_REFINE: rate, format, channels, period, ring
//	stream.go      one direction of a PCM device
//	duplex.go      Exchange, xruns, Close
//	sample.go      S16_LE, S32_LE, S24_LE, S24_3LE of any number of channels, to and from 16-bit mono
//	mixer.go       volumes and switches in percent
//	realtime.go    SCHED_FIFO for the audio thread
//	layout*.go     the structures and numbers of <sound/asound.h> (PCM protocol 2.0.15, control 2.0.8)
//	kernel.go      the system calls
//
// # The sequence of ioctls
//
// Open finds the cards by opening each /dev/snd/controlC*: CARD_INFO, then PCM_NEXT_DEVICE until -1 with
// PCM_INFO for both directions. It opens the PCM devices with O_RDWR|O_NONBLOCK|O_CLOEXEC, playback first.
// HW_REFINE is then asked, in this order:
//
//	access                  RW_INTERLEAVED
//	rate                    Config.Rate, its multiples and other rates, until both streams take one
//	format, channels        the fewest channels, of both streams alike if they can
//	period                  stream by stream, at most ours if it can be
//	ring                    at least prefill + 2·max(period, hardware period)
//
// Then:
//
//	HW_PARAMS, SW_PARAMS    of each stream: start_threshold 2³¹-1 (never by itself), stop_threshold the
//	                        ring, avail_min one period (for playback alone: ring - prefill), monotonic
//	                        time stamps
//	LINK                    playback with capture, where they are of one card; a refusal leaves them apart
//
// The first Exchange, and the one after an xrun:
//
//	PREPARE                 both: by the link, else capture and then playback
//	WRITEI_FRAMES           prefill = period + max(period, hardware period) frames of silence: two
//	                        periods as a rule
//	WRITEI_FRAMES           the caller's period
//	START                   both, as with PREPARE
//	STATUS                  of each, after an xrun: when it started
//
// Each further one is WRITEI_FRAMES, one poll of the capture device (of the playback device for playback
// alone) together with Close's eventfd, READI_FRAMES: one wake-up per period, no allocation. The period goes
// into the ring before the wait, so the caller may be late by prefill before the loudspeaker runs dry, at no
// cost in delay.
//
// After EPIPE (xrun) or ESTRPIPE (suspended) of either stream come STATUS of each (when it stopped, what its
// ring holds), DROP, and as for the first Exchange. Any other error is final and wraps ErrGone: ENODEV
// (unplugged), EIO, EBADFD (stopped by the driver), ETIMEDOUT (no period for 2 s), EPIPE of the third
// recovery within one Exchange. Close then and open anew: the kernel keeps the number of a card that is gone
// until the last descriptor is closed.
//
// # Offset and Slip
//
// Frame n handed in is at the card's output when frame n+prefill is captured, not counting the converters'
// and the bus's own delay. An xrun restarts both streams with the same offset. Both counts of its Slip are
// then the time that passed unheard and unplayed, from the end of the last period captured to the start of
// the next. On one card they are equal. Advance the RTP time stamp by Captured; the offset in indices
// stands. For playback alone, Played is how much later than due the period sounds. An xrun's sound in the
// rings is dropped, except the period of the Exchange that meets it, which is played again from its start.
//
// Two cards have two clocks. Their drift is not resampled: once it has come to a hardware period, one
// captured period is thrown away (Slip.Captured) or one of silence is played (Slip.Played), about every 100 s
// at 100 ppm. The offset in indices then moves by Played - Captured; it is within one period of the nominal
// one at all times.
//
// # Limits and traps
//
//   - Captured is the first channel; a stereo card whose microphone is on the second stays silent.
//   - Close drops what the ring holds. Play three periods of silence first where a sound is to end well.
//   - Slip counts are as good as the driver's position: some move it by whole hardware periods.
//   - On arm the structures have 32-bit time. Only differences of monotonic time stamps are used, so 2038 is
//     no event.
//   - Where both directions share a card, a link makes them start together as far as the driver can; USB
//     devices start their endpoints within some frames.
//   - Exchange blocks its thread in poll, not in the runtime's poller: lock it by Realtime and keep
//     GOMAXPROCS above 1.
package alsa
