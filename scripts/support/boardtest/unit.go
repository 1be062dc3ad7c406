//go:build boardtest

package boardtest

import (
	"fmt"
	"strings"
	"time"

	"portero/scripts/support/boardtest/wire"
)

// The Debian package's unit, which the board's systemd keeps.
const unit = "portero.service"

// systemctl runs it on the board, whose card must be there, and wants it to end well.
func (r *rig) systemctl(arguments ...string) error {
	_, err := r.guest.run(append([]string{"systemctl"}, arguments...)...)
	return err
}

// run runs a program on the board that must end well, and returns its output.
func (g *Guest) run(argv ...string) (string, error) {
	var result wire.Result
	if err := g.call("Run", argv, &result, 3*outboard); err != nil {
		return "", err
	}
	if result.Code != 0 {
		return "", fmt.Errorf("boardtest: %s: code %d: %s", strings.Join(argv, " "), result.Code,
			result.Output)
	}
	return result.Output, nil
}

// runs has the unit run another program than its own; "" brings that back. It is not started anew.
func (r *rig) runs(program string) {
	r.now.Helper()
	lines := ""
	if program != "" {
		lines = "ExecStart=\nExecStart=" + program + " run -config " + stationFile + "\n"
	}
	r.must(r.dropIn("exec.conf", lines))
}

// dropIn adds lines to the unit's section [Service], in a tmpfs; "" takes them out again.
func (r *rig) dropIn(name, lines string) error {
	path := "/run/systemd/system/" + unit + ".d/" + name
	if lines != "" {
		lines = "[Service]\n" + lines
	}
	if err := r.guest.call("Write", wire.File{Path: path, Data: []byte(lines)}, nil, outboard); err != nil {
		return err
	}
	return r.systemctl("daemon-reload")
}

// limit returns a time span of the unit, such as WatchdogUSec, as systemd understood it.
func (r *rig) limit(property string) time.Duration {
	r.now.Helper()
	out, err := r.guest.run("systemctl", "show", "--value", "--property="+property, unit)
	r.must(err)
	d, err := time.ParseDuration(strings.NewReplacer(" ", "", "min", "m", "\n", "").Replace(out))
	if err != nil || d == 0 {
		r.now.Fatalf("%s of the unit is %q, want a time", property, out)
	}
	return d
}
