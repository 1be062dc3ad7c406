// Package selftest walks an installer through the wiring test of board/README.md: every input, relay and
// lamp, loudspeaker and microphone, one after the other. What was seen goes into a report that can be sent
// to somebody who is not there.
//
//	selftest.go  Run: the order of the walk, and what holds whatever happens in it
//	inputs.go    hands off, then each button and contact
//	outputs.go   each relay, each lamp
//	sound.go     loudspeaker and microphone
//	contact.go   what the edges of a wire tell: presses, bounces, spikes
//	talk.go      questions and answers
//	report.go    the report
//	facts.go     what only the real board can tell of itself
//
// Nothing is requested before the user has typed [Confirmation], for already the request of a relay's line
// energises a relay whose active_low is wrong. A relay moves through package access alone, which writes it
// into the audit of openings, how = "selftest"; a tamper block holds here, too. Whatever ends the walk, the
// relays are released before Run returns.
//
// Limits: a relay that is on while the process is killed stays on, as with every other program; `portero
// release` or the start of the service ends that. Pulses shorter than the kernel's interrupt latency are
// not seen.
package selftest
