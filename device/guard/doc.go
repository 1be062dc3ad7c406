// Package guard releases the relays when the station cannot, and brings the station back, with nothing from
// the disk, from systemd or from root: two processes of one program watch each other.
//
//	station.go  the station's end: a board.Keeper; it starts the guard, and another when that one has gone or is silent
//	guard.go    the guard process: it holds duplicates of the relays' lines, and starts another station when the one has gone or hangs
//	lines.go    the lines that the guard holds, with their leases
//	message.go  what they say to each other: one SOCK_SEQPACKET message each, a line's descriptor with it (SCM_RIGHTS)
//	launch.go   how the station starts a guard
//	program.go  the program in locked memory, from which either starts the other
//
// # What happens
//
// The station is the unit's main process, as if there were no guard. Once its inputs are watched it locks its
// memory, starts the guard and hands it a duplicate of every relay's line, and the settings that it runs
// with; then it tells systemd that it is ready. It says before each opening how long the relay may be
// energised. The guard asks for a sign of life every second, five times a second while a relay is energised.
//
//	the station ended, killed or crashed    relays released at once, another station started
//	it is silent, relay energised, 0.85 s   relays released
//	it is silent for 2.5 s                  killed, another started
//	its loop is silent for 8 s              SIGABRT, then the same
//	a lease is over by 0.3 s                relay released: the station's own timer did not fire
//	the guard ended, or is silent           relays released at once, another guard started; its first word may take 2.5 s
//	both at once                            systemd's Restart= and ExecStopPost= are left, and need the disk
//
// A station that the guard has started is given the lines, and the settings for the case that their file
// cannot be read.
//
// # Rules
//
//   - Neither ever waits for the other: what the socket does not take at once has not been said, and silence does the rest.
//   - Whoever finds itself alone releases the relays: nothing may be energised that nobody watches.
//   - What a new guard is to know lies in its socket before it is started: it may come late, and find its station dead.
//   - The first guard is started from the file, and so shares its pages in memory with the station; who is started after a failure
//     comes from a memfd.
//
// # The unit
//
// NotifyAccess=all, ExitType=cgroup, OOMPolicy=continue and SuccessExitStatus=SIGKILL SIGABRT SIGBUS SIGSEGV
// keep systemd from ending the one for the other's death; LimitMEMLOCK=infinity lets them lock. Without the
// limit the station runs, and says what is lost.
//
// # Traps
//
//   - Locking is MCL_ONFAULT: without it the address space that Go reserves would be populated. Go gives memory back by madvise, which
//     a locked page refuses, and then by mmap, which works.
//   - The pages of PID 1 are not ours to lock: with them evicted and the disk gone the kernel panics, and kernel.panic=5 is what
//     closes the door.
//   - A stopped process keeps its descriptors: silence is told by the clock alone. Who was late itself judges nobody.
package guard
