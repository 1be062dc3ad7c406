package selftest

import (
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// Fact is something that the board tells of itself.
type Fact struct{ Name, Value string }

// texts are files whose whole content is a fact, as the kernel's and systemd's documentation name them.
var texts = []struct{ name, path string }{
	{"model", "sys/firmware/devicetree/base/model"},
	{"kernel", "proc/sys/kernel/osrelease"},
	{"seconds from panic to reset", "proc/sys/kernel/panic"},
	{"outputs are kept (BCM)", "sys/module/pinctrl_bcm2835/parameters/persist_gpio_outputs"},
	{"outputs are kept (RP1)", "sys/module/pinctrl_rp1/parameters/persist_gpio_outputs"},
	{"watchdog", "sys/class/watchdog/watchdog0/identity"},
	{"watchdog is", "sys/class/watchdog/watchdog0/state"},
	{"watchdog's seconds", "sys/class/watchdog/watchdog0/timeout"},
	{"throttled", throttledFile},
	{"m°C of the processor", "sys/class/thermal/thermal_zone0/temp"},
	{"sound cards", "proc/asound/cards"},
}

const throttledFile = "sys/devices/platform/soc/soc:firmware/get_throttled"

// facts notes what only the real board can show, and judges what decides whether the door closes.
func (w *walk) facts() {
	if w.System == nil {
		return
	}
	add := func(name, value string) { w.report.Facts = append(w.report.Facts, Fact{name, value}) }
	for _, t := range texts {
		if s, ok := w.text(t.path); ok {
			add(t.name, s)
		}
	}
	for _, f := range []struct{ name, path, prefix string }{
		{"system", "etc/os-release", "PRETTY_NAME="},
		{"memory", "proc/meminfo", "MemTotal:"},
	} {
		if s, ok := w.lineOf(f.path, f.prefix); ok {
			add(f.name, strings.Trim(strings.TrimSpace(s), `"`))
		}
	}
	for _, file := range []string{"boot/firmware/config.txt", "boot/config.txt"} {
		if s, ok := w.pinSettings(file); ok {
			add(file, s)
			break
		}
	}
	w.outputsKept()
	w.supply()
	w.resets()
}

// text reads a file of one fact; lines are joined.
func (w *walk) text(file string) (string, bool) {
	raw, err := fs.ReadFile(w.System, file)
	s := strings.Join(strings.Fields(strings.Trim(string(raw), "\x00")), " ")
	return s, err == nil && s != ""
}

func (w *walk) lineOf(file, prefix string) (rest string, ok bool) {
	raw, err := fs.ReadFile(w.System, file)
	if err != nil {
		return "", false
	}
	for line := range strings.Lines(string(raw)) {
		if rest, ok = strings.CutPrefix(line, prefix); ok {
			return rest, true
		}
	}
	return "", false
}

// pinSettings are the lines of config.txt that have to do with pins.
func (w *walk) pinSettings(file string) (string, bool) {
	raw, err := fs.ReadFile(w.System, file)
	if err != nil {
		return "", false
	}
	var settings []string
	for line := range strings.Lines(string(raw)) {
		line = strings.TrimSpace(line)
		for _, key := range []string{"gpio=", "dtparam=", "dtoverlay=", "enable_uart="} {
			if strings.HasPrefix(line, key) {
				settings = append(settings, line)
			}
		}
	}
	return strings.Join(settings, " "), true
}

// outputsKept says what becomes of a relay whose program is gone.
func (w *walk) outputsKept() {
	const title = "outputs"
	for _, driver := range []string{"pinctrl_bcm2835", "pinctrl_rp1"} {
		switch s, ok := w.text("sys/module/" + driver + "/parameters/persist_gpio_outputs"); {
		case !ok:
		case s == "Y":
			w.find(Note, title, "dtparam=strict_gpiod in config.txt, and a pull resistor at each relay",
				"the kernel keeps a relay on when its program is gone")
		default:
			w.find(OK, title, "", "the kernel lets a relay's pin go with its program")
		}
	}
}

// supply judges the voltage: bit 0 of throttled is now, bit 16 since the start; rpi_volt's alarm is now.
func (w *walk) supply() {
	const title, remedy = "supply of the board", "a stronger supply, a shorter or thicker cable"
	known := false
	if s, ok := w.text(throttledFile); ok {
		bits, err := strconv.ParseUint(strings.TrimPrefix(s, "0x"), 16, 32)
		if known = err == nil; bits&(1<<0|1<<16) != 0 {
			w.find(Fault, title, remedy, "under-voltage (throttled %s)", s)
			return
		}
	}
	names, _ := fs.Glob(w.System, "sys/class/hwmon/hwmon*/name") // the pattern is good
	for _, name := range names {
		if s, _ := w.text(name); s != "rpi_volt" {
			continue
		}
		s, ok := w.text(path.Join(path.Dir(name), "in0_lcrit_alarm"))
		if known = known || ok; s == "1" {
			w.find(Fault, title, remedy, "under-voltage now")
			return
		}
	}
	if known {
		w.find(OK, title, "", "no under-voltage")
	}
}

// resets judges what ends a board that hangs while a relay is on. Without WATCHDOG_SYSFS there is no state.
func (w *walk) resets() {
	const remedy = "the line under \"When something hangs\" of the wiring page"
	switch state, ok := w.text("sys/class/watchdog/watchdog0/state"); {
	case !ok:
		if _, err := fs.Stat(w.System, "dev/watchdog0"); err != nil {
			w.find(Note, "watchdog", "", "this board has none, or its driver is not loaded")
			break
		}
		const ask = "`systemctl show -p RuntimeWatchdogUSec` tells: 0 is nobody"
		w.find(Note, "watchdog", ask, "there is one; this kernel does not tell whether it is fed")
	case state != "active":
		w.find(Note, "watchdog", remedy, "nobody feeds it: a board that hangs stays so")
	default:
		seconds, _ := w.text("sys/class/watchdog/watchdog0/timeout")
		w.find(OK, "watchdog", "", "active, %s s", seconds)
	}
	if s, ok := w.text("proc/sys/kernel/panic"); ok && s == "0" {
		w.find(Note, "kernel panic", remedy, "the kernel stands still after one")
	}
}
