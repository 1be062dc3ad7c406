// Package systemd talks to systemd and to the journal without ever waiting for them: a service manager or a
// journal that hangs must silence no bell and hold no relay.
//
//	notify.go  the protocol of sd_notify(3): READY=1, WATCHDOG=1, MAINPID=, STATUS=
//	stderr.go  lines for the journal: the stream socket behind standard error takes them at once, or they are dropped and counted
//
// Trap: the socket of the journal must not be made non-blocking. It is shared by all processes of the unit,
// and Go would then wait in its poller in place of the kernel.
package systemd
