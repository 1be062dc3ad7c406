// Package voices judges recordings by their content: was this sentence heard, where, how loud, and how much of it.
//
// A call "with audio" proves nothing when its recording holds noise, the wrong voice or half a sentence. [Find] therefore
// aligns a reference clip with a recording by FFT cross-correlation at 8 kHz in the telephone band (300-3400 Hz), then goes
// through the reference in pieces of 320 ms and asks of each piece that holds speech whether it is there, where the piece
// before it lets it be expected. Gain may differ from piece to piece (gain control), time may slip (jitter buffer): by 60 ms
// between neighbours, by 250 ms in all.
//
// Limits: the judge is for intelligible copies, not for quality. It shares no code with the product, on purpose.
package voices
