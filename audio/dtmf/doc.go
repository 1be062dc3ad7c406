// Package dtmf makes and finds the telephone's dual tones (ITU-T Q.23, Q.24) in 16-bit samples. It is a pure
// function of the samples: no clock, no goroutine.
//
//	tone.go      frequencies, generator
//	detector.go  detector
package dtmf
