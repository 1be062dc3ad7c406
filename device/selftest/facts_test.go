package selftest_test

import (
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
)

// TestBoardTellsOfItself reads the files of some boards.
func TestBoardTellsOfItself(t *testing.T) {
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	good := fstest.MapFS{
		"sys/firmware/devicetree/base/model":                         file("Raspberry Pi 4 Model B Rev 1.5\x00"),
		"proc/sys/kernel/osrelease":                                  file("6.12.47+rpt-rpi-v8\n"),
		"proc/sys/kernel/panic":                                      file("5\n"),
		"sys/module/pinctrl_bcm2835/parameters/persist_gpio_outputs": file("N\n"),
		"sys/class/watchdog/watchdog0/state":                         file("active\n"),
		"sys/class/watchdog/watchdog0/timeout":                       file("15\n"),
		"sys/devices/platform/soc/soc:firmware/get_throttled":        file("0\n"),
		"boot/firmware/config.txt":                                   file("# comment\ngpio=27=op,dl\n[all]\ndtparam=strict_gpiod\n"),
		"etc/os-release":                                             file("PRETTY_NAME=\"Debian GNU/Linux 13\"\nID=debian\n"),
	}
	bad := fstest.MapFS{
		"proc/sys/kernel/panic":                                  file("0\n"),
		"sys/module/pinctrl_rp1/parameters/persist_gpio_outputs": file("Y\n"),
		"sys/class/watchdog/watchdog0/state":                     file("inactive\n"),
		"sys/class/hwmon/hwmon1/name":                            file("rpi_volt\n"),
		"sys/class/hwmon/hwmon1/in0_lcrit_alarm":                 file("1\n"),
	}
	plain := fstest.MapFS{"dev/watchdog0": file("")}
	for _, c := range []struct {
		name   string
		system fstest.MapFS
		want   []string
	}{
		{"good", good, []string{"Raspberry Pi 4 Model B Rev 1.5\n", "6.12.47+rpt-rpi-v8", "Debian GNU/Linux 13\n",
			"gpio=27=op,dl dtparam=strict_gpiod\n", "ok      outputs", "ok      supply",
			"ok      watchdog: active, 15 s"}},
		{"bad", bad, []string{"note    outputs", "fault   supply of the board: under-voltage now",
			"note    watchdog: nobody feeds it", "note    kernel panic"}},
		{"plain", plain, []string{"note    watchdog: there is one"}},
		{"empty", fstest.MapFS{}, []string{"note    watchdog: this board has none"}},
	} {
		synctest.Test(t, func(t *testing.T) {
			x := newTest(t)
			x.rules = willing(x)
			x.parts.System = c.system
			r, err := x.run()
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range c.want {
				if !strings.Contains(r.String(), want) {
					t.Errorf("%s: the report lacks %q:\n%s", c.name, want, r)
				}
			}
		})
	}
}
