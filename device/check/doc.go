// Package check is what `portero check` finds beyond the faults of the file itself (package config) and of the
// hardware (board.Check, alsa.Check): whether a station can be put together from it, and whether its bells
// would ring now.
//
//	station.go   builds what `portero run` builds; ports, files, targets that are probably meant otherwise
//	datadir.go   whether the station can keep what must outlive a restart
//	network.go   every host that the file names; which configuration runs
//	account.go   every account: one question to its registrar, or to the station that runs
//
// # What is a fault
//
// Offline: what a station cannot be built with. Online also what keeps a bell from ringing now: a name that is
// not found, a server that says nothing, a password that is refused. What may well be meant is a warning.
//
// # What it leaves alone
//
// No line is requested and no relay moves: the board is a simulated one here. No sound card is opened, and no
// recording begun. A registrar is asked by a REGISTER without a Contact (RFC 3261 §10.2.3), which changes no
// binding, and is shown each password once: a FRITZ!Box locks who keeps trying.
package check
