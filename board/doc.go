// Package board drives what hangs on the wires of a door station: bell buttons, door sensors and tamper
// contacts (inputs), strikes (relays) and lamps, on the Linux GPIO character device, or on a simulated board.
//
// # The promises
//
//   - A relay is a lease. [Relay].Energize names how long at most, the Output's MaxOn caps it, and a runtime timer of the board's
//     own ends it, whether or not Run runs and whatever the caller does. A release that fails is tried again until it succeeds.
//   - A relay does not move at Open or Close: lines are requested with their inactive level in the same ioctl.
//   - The first edge of a press is delivered at once. Bounces are ignored until the line has been quiet for
//     Debounce; then the true level is read, so that a release hidden in the bounces is never lost. An input
//     with Hold is the exception: its press counts once it has lasted so long without a gap (with AC: without
//     one of more than 25 ms), and its end once the line is quiet.
//   - On a board that is Late a line that is taken, owned by a peripheral, missing or gone with its chip costs only itself. Run tells
//     it ([Event].Lost), asks for it every 10 s and sooner at first, and tells when it is had ([Event].Back): a relay is then released.
//     What ends by itself, as a line that an earlier run lets go of, is waited for in silence. A line that was held is never taken
//     for one of another chip, and none is had by two.
//   - What is pressed between Open and Run is delivered by Run; what was pressed before Open is an initial level.
//   - Times are the kernel's (CLOCK_MONOTONIC at the interrupt), not those of a late reader.
//
// # Map (linux/gpio.h, GPIO uAPI v2, Linux 5.10 and later)
//
//	GPIO_GET_CHIPINFO_IOCTL          enumerate.go names and labels of chips that periph has not listed
//	GPIO_V2_GET_LINEINFO_IOCTL       chips.go    names, consumers, directions; who holds a busy line
//	GPIO_V2_GET_LINE_IOCTL           uapi.go     the request: OUTPUT_VALUES, ACTIVE_LOW, bias, both edges
//	persist_gpio_outputs             kept.go     what becomes of outputs whose process is gone
//	GPIO_V2_LINE_GET/SET_VALUES      chardev.go  the level of an input, the level of an output
//	struct gpio_v2_line_event        chardev.go  edges, read after ppoll
//	BCM2835 peripherals, table 6-31  relaypin.go power-on pulls of GPIO0-27 (the RP1 of a Pi 5 has the same)
//	Raspberry Pi HAT design guide    relaypin.go GPIO0 and 1: the EEPROM is read at each boot
//	Devicetree Specification 2.3.4   relaypin.go whether I2C owns GPIO2 and 3
//
// The kernel (chardev.go) and the simulation (sim.go) stand behind one interface (lines.go). The rest is
// pure: debounce.go, pulses.go, relay.go, lamp.go, find.go, relabel.go, relaypin.go, owners.go, check.go;
// late.go looks for lines that are lost. periph.io lists the chips that are there at first and does nothing
// else; it lists once in a process, so that enumerate.go reads those that
// come later.
//
// # Lines
//
// "GPIO17" is pin 17 of a Raspberry Pi's header on every model and kernel: the header chip's line of that
// name, else its offset 17, as kernels name the lines differently or not at all. The header chip is the one
// labelled pinctrl-bcm2835, pinctrl-bcm2711, pinctrl-rp1 or rp1-gpio. Any other line is named as the kernel
// names it, or by chip and offset, where the chip is its label ("pinctrl-bcm2711:17"), its device
// ("fe200000.gpio:17", for equal chips) or its name ("gpiochip0:17"). What is ambiguous is an error that
// lists the candidates.
//
// A chip's name holds a number that enumeration hands out: it changes with kernels (a Pi 5's header was
// gpiochip4, gpiochip0 and gpiochip15), and a chip that goes and comes back may have another.
// Config.ChipLabels finds such lines again.
//
// To watch inputs live (wiring tests), Open a Config that holds only Inputs and Run it. Outputs are never
// read.
//
// # Limits
//
//   - The architectures with the generic ioctl numbering: amd64, 386, arm, arm64, riscv64. Not mips, ppc, sparc.
//   - A chip that is plugged in later (USB) is found by a board that is Late alone.
//   - A spike as short as the interrupt latency counts as a press, because a press is not delayed to be
//     examined, except with Hold.
//   - A level found at Open is believed at once: Hold is for changes.
//   - MaxOn bounds one continuous on-time. Opening again after a release is the caller's policy.
//   - A stopped or killed process cannot end a lease: let systemd's WatchdogSec and ExecStopPost call [ReleaseAll].
//   - A chip that vanishes ends Run at once, or at the next heartbeat (5 s) where the kernel does not wake its readers (6.1);
//     on a board that is Late it is noticed then. A relay that was on stays so as long as the chip is away.
//   - The simulated board holds a line's last level when its owner goes (as Raspberry Pi kernels do without strict_gpiod).
//
// # Traps
//
//   - periph's gpioioctl must not touch a line: its Out passes through low, its Read turns an output into an input with a pull-up,
//     and it prefixes a second line of the same name. Its chip.Close, which runs where /dev/gpiochip4 is a link to gpiochip0
//     (Pi 5), closes descriptor 0: enumerate.go puts standard input back.
//   - host.Init() of periph would register bcm283x pins in place of the character device: only driverreg.Init() with gpioioctl
//     imported is called.
//   - On Raspberry Pi kernels without dtparam=strict_gpiod an output stays driven after its owner is gone;
//     with it, and on mainline kernels, the pin becomes an input. Outputs ask for the pull to their inactive
//     level, which then holds them, and through a warm reboot, as pulls outlive it; 50 kOhm hold no more than
//     a logic input, and a power-on has the pulls of relaypin.go. [KeepsOutputs] asks the driver; the
//     direction in a line's info is only what the kernel remembers.
//   - Freeing a line of a BCM chip may end its alternate function: never request lines that the configuration does not name.
package board
