//go:build boardtest

// Package boardtest runs the arm64 Debian package on Debian's arm64 kernel and systemd in an emulated board
// (qemu-system-aarch64 -M virt), and everything around it for real: GPIO character device, ALSA, IP network,
// Kamailio, a phone.
//
//	debian.sh    kernel and userland from Debian's archive, the card's file system
//	guest.go     the board: QEMU, the agent's services over virtio ports (init/, wire/), lines of the log
//	pins.go      the GPIO chip (PL061) from outside: levels of buttons, dated edges of relays
//	unit.go      systemctl, and drop-ins of the package's unit
//	phone.go     baresip at an address that the guest can reach
//	exchange.go  Kamailio, likewise
//	wiring.go    what is connected to which line, and the station's configuration
//	rig.go       all of them together, and what the checks have in common
//	lone_test.go a board with one bell and one door, and what its checks have in common
//	checks.go    one line per check: name, seconds, result
//	*_test.go    the checks: TestBoard is one boot of all that there is; each other test boots a lone board,
//	             two at a time
//
// The relay lines are watched by QEMU itself, from before the kernel starts to after it has powered off:
// every edge counts.
//
// # The card
//
// An initramfs mounts the card, an ext4 file system on virtio-blk, and hands over to its systemd. No
// maintainer script has run on it: users, groups and links are what they would have made (debian.sh). The
// package's unit runs as it is, but for two lines (init/boot.go): its output goes to a file in a tmpfs,
// and a second ExecStopPost tells that the first has ended well. systemd tells of units in the kernel's
// log. So no check needs journald or the card for what it sees.
//
// # Addresses
//
// The guest is 10.0.2.15 behind QEMU's user network. [rig.host] is an address of this machine other than
// loopback, because the peers write their address into SIP and SDP, and the guest must reach it there;
// scripts/boardtest makes a network namespace that has nothing else. The guest's SIP and RTP ports are
// forwarded from the same ports of that address, which is the station's public_address: a router with port
// forwarding. 10.0.2.2 is the host's own loopback.
//
// # Traps
//
//   - Kernel and RTC run in emulated time that falls behind on a loaded machine: edges are dated by the host, uptimes by the guest.
//   - Line 3 of the chip is the machine's power button (gpio-keys); lines 0 to 2 and 4 to 7 are free.
//   - PL061 lines that nobody drives are pulled low: the active-low relay's line is made a high output over qtest before the kernel
//     starts, as a boot loader would.
//   - Unbinding snd-aloop waits until every program has closed it.
//   - systemctl and every other program of the board need the card, unless they are in the page cache still.
//     PID 1 lives on without it until it needs a page that is not there: then the kernel panics.
//   - A reset boots the board again behind the back of the host's calls: after it only log and lines serve.
package boardtest
