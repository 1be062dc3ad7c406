// Package app is the composed program: it puts a door station together from a configuration and runs it,
// through reloads and failures.
//
//	program.go    what `portero run` runs: start, reload, the last good copy, hand-over from one App to the next
//	standin.go    what stands in for the file is a state: it is told, and ends by itself
//	status.go     how the program stands, for `portero status` and the service manager
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
//	the last good copy            if neither: the bell rings and the buttons inside open their doors, but no code opens one and
//	                              nobody may call in (config.LoadLastGood)
//
// The second and the third stand in for the file: station.degraded says so at the start and each hour, and the file
// is tried every 10 s. It follows as at a reload, when nobody talks or rings and every door is closed.
//
// A configuration is good once its station has run for 60 s, or has ended before that as it was told to: one
// that crashes at once never is. The copy is written where it differs from what is there.
package app
