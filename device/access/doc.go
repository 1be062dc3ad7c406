// Package access decides whether a door opens, and is the only caller of a relay.
//
//	door.go      one door: a table of states, its relay's lease and its timers
//	doors.go     all doors: Open is the only path to a relay
//	codes.go     the codes, compared in constant time
//	entry.go     the digits of one call: what ends a code, the pause rule
//	lockout.go   wrong codes are counted across calls and restarts
//	tamper.go    the case was opened: codes and programs open nothing for a while
//	statefile.go what outlives a restart
//
// Everything but Lockout.Run and Tamper.Run belongs to the station's loop: no method blocks on more than the
// relay's ioctl, and the timers of a [Clock] fire on that loop. The two Runs write to the medium, each from a
// goroutine of its own.
//
// A door that no code names is off for codes and programs: a station without secrets can be asked by nobody.
// The request-to-exit button that the config gives the door opens it all the same, also while codes are
// locked out and during a tamper block: it is a wire from inside, and who wants to leave must not be kept.
//
// Two timers end an opening, the door's and the relay's own lease (package board), so a stuck loop does not
// leave a door open. A relay that cannot be released keeps its door in the state releasing, tried again every
// second: the door is reported closed only when it is.
//
// A tamper alarm ends at once what codes and programs have opened, but for the time that the inside button
// has asked for, and keeps them from opening for tamper_block, counted from the latest alarm. A case that
// stays open does not prolong the block: a broken contact must not lock everybody out for good. A reload or a
// restart begins it anew.
//
// Lock-out and tamper block without a battery clock: the files hold no time of day, only whether there is one
// (and the count of wrong codes). A restart or a reload begins it anew; an unreadable file counts as one; a
// missing file is a new station. Limit: a power cut within the milliseconds before the write forgets one
// wrong code, or a block whose case was closed again before the next start.
//
// Digits are kept in memory only, and only until their code ends; no event, log or error holds them.
package access
