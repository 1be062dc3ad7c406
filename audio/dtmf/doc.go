// Package dtmf makes and finds the telephone's dual tones (ITU-T Q.23, Q.24) in 16-bit samples. It is a pure
// function of the samples: no clock, no goroutine.
//
//	tone.go      frequencies, generator
//	detector.go  detector
//
// # Limits
//
//   - A tone and a pause of 40 ms each are found (Q.24); a tone of 20 ms is none.
//   - The detector takes 8 kHz, or 16 kHz of which it hears the lower half.
package dtmf
