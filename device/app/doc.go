// Package app is the composed program: it puts a door station together from a configuration and runs it,
// through reloads and failures.
//
//	program.go    what `portero run` runs: start, reload, the last good copy, hand-over from one App to the next
//	app.go        one station: Build, Run, LeaveFor, Close
//	server.go     the built-in registrar and proxy, and where phones find it
//	phones.go     who is registered there, through a power cut
//	card.go       the sound card
//	memory.go     what a burst has left behind goes back to the system
//	relaypins.go  doors whose relay moves before Linux has started
//	world.go      what an App needs of the machine, for tests to replace
//
// # Order
//
// An App starts nothing before Run. At the end the station ends first, then its relays are released, then the
// far ends are told, then the rest ends. An App that leaves for another configuration opens that one's board
// at once, so that no press is lost, and hands on who is registered; the accounts that stay the same are not
// un-registered.
//
// # Which configuration runs
//
//	the file                      if it has no fault and a station can be built from it
//	what the station before ran   if a guard has replaced that (package guard), and the file cannot be used
//	the last good copy            if neither: the bell rings, but no door opens and nobody may call in
package app
