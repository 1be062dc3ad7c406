// Init is two programs of the emulated board in one.
//
// As the first process of the initramfs it loads the modules, brings up the network, mounts the card and
// hands over to the systemd on it (boot.go). From then on it is the agent, a service of that systemd which
// does what the host asks for over a virtio port (package wire): files, programs, signals, sound at the
// far end of snd-aloop, and what happens to hardware. The agent lives in a tmpfs and is locked in memory:
// it goes on when the card is gone.
//
//	boot.go     from the kernel to systemd
//	network.go  addresses and route
//	agent.go    the agent's ports and log
//	log.go      what systemd and the station say, for the host
//	guest.go    files, programs, processes
//	talk.go     a person in front of the board
//	faults.go   the card, the memory, the chip and the journal taken away
//
// It refuses to run anywhere but in the guest, whose kernel command line says "boardtest": on another
// machine it would reconfigure the network.
package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

func main() {
	raw, err := os.ReadFile("/proc/cmdline") // not mounted yet for the first process
	inGuest := slices.Contains(strings.Fields(string(raw)), "boardtest")
	switch {
	case os.Getpid() == 1:
		err = boot()
	case err == nil && inGuest && len(os.Args) == 2 && os.Args[1] == "agent":
		err = serve()
	default:
		fmt.Fprintln(os.Stderr, "init: this is the init of an emulated board and runs nowhere else")
		os.Exit(2)
	}
	fmt.Fprintln(os.Stderr, "init:", err)
	os.Exit(1) // the kernel panics when its first process ends
}
