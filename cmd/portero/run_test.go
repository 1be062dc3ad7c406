package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const runConfig = `version = 1
[station]
data_dir = %q
[sip]
listen = "127.0.0.1:0"
[server]
enabled = "off"
[[bell]]
name = "front"
line = "GPIO17"
targets = ["sip:kitchen@127.0.0.1:9"]
ring_limit = "5s"
[[door]]
name = "front"
line = "GPIO27"
[[code]]
who = "family"
code = "4711"
doors = ["front"]
[audio]
card = "none"
[board]
sim = true
[log]
format = "json"
`

// running is `portero run` with its events.
type running struct {
	t      *testing.T
	cmd    *exec.Cmd
	config string
	notify string // systemd's socket; "": there is no systemd
	socket string // where it is asked how it stands; "": nowhere
	events chan map[string]any
}

// start runs the station and reads its events from the log.
func (r *running) start() {
	r.t.Helper()
	r.cmd = portero(r.t, "run", "-config", r.config, "-socket", r.socket)
	if r.notify != "" {
		r.cmd.Env = append(r.cmd.Env, "NOTIFY_SOCKET="+r.notify)
	}
	stderr, err := r.cmd.StderrPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	events := make(chan map[string]any, 1000)
	go func() {
		defer close(events)
		for s := bufio.NewScanner(stderr); s.Scan(); {
			var line map[string]any
			if json.Unmarshal(s.Bytes(), &line) == nil && line["msg"] == "event" {
				events <- line
			}
		}
	}()
	r.events = events
}

func (r *running) write(text string) {
	r.t.Helper()
	if err := os.WriteFile(r.config, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

func (r *running) signal(s syscall.Signal) {
	r.t.Helper()
	if err := r.cmd.Process.Signal(s); err != nil {
		r.t.Fatal(err)
	}
}

// want returns the next event of the kind.
func (r *running) want(kind string) map[string]any {
	r.t.Helper()
	late := time.After(time.Minute)
	var seen []string
	for {
		select {
		case ev, ok := <-r.events:
			if !ok {
				r.t.Fatalf("want %s, the station ended after %v", kind, seen)
			}
			if ev["kind"] == kind {
				return ev
			}
			seen = append(seen, fmt.Sprint(ev["kind"], " ", ev["reason"]))
		case <-late:
			r.t.Fatalf("want %s, got %v", kind, seen)
		}
	}
}

// TestSignals: SIGUSR2 presses, SIGHUP reloads: a faulty file changes nothing and is told; a good one is
// taken; the bell works before, between and after.
func TestSignals(t *testing.T) {
	t.Parallel()
	busy := peer(t, "486 Busy Here")
	r := startWith(t, func(text string) string { return strings.Replace(text, "127.0.0.1:9", busy, 1) })
	r.want("station.ready")
	press := func(bell string) {
		t.Helper()
		r.signal(syscall.SIGUSR2)
		if ev := r.want("call.started"); ev["bell"] != bell {
			t.Errorf("bell %v, want %s", ev["bell"], bell)
		}
		r.want("call.ended")
	}
	press("front")
	good, err := os.ReadFile(r.config)
	if err != nil {
		t.Fatal(err)
	}
	r.write(strings.Replace(string(good), `line = "GPIO27"`, `line = "GPIO17"`, 1))
	r.signal(syscall.SIGHUP)
	if ev := r.want("config.rejected"); !strings.Contains(fmt.Sprint(ev["reason"]), "door[0].line") {
		t.Errorf("rejected for %v", ev["reason"])
	}
	press("front")
	r.write(strings.Replace(string(good), `name = "front"
line = "GPIO17"`, `name = "garden"
line = "GPIO22"`, 1))
	r.signal(syscall.SIGHUP)
	r.want("config.reloaded")
	r.want("station.ready")
	press("garden")
	r.signal(syscall.SIGTERM)
	r.want("station.stopping")
	if err := r.cmd.Wait(); err != nil {
		t.Errorf("end: %v", err)
	}
}

// peer answers every request with one status.
func peer(t *testing.T, status string) (addr string) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		buf := make([]byte, 4096)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			if strings.HasPrefix(string(buf[:n]), "ACK ") {
				continue
			}
			res := "SIP/2.0 " + status + "\r\n"
			for line := range strings.SplitSeq(string(buf[:n]), "\r\n") {
				switch name, _, _ := strings.Cut(line, ":"); name {
				case "Via", "From", "Call-ID", "CSeq", "Contact":
					res += line + "\r\n"
				case "To":
					res += line + ";tag=x\r\n"
				}
			}
			conn.WriteTo([]byte(res+"Content-Length: 0\r\n\r\n"), from)
		}
	}()
	return conn.LocalAddr().String()
}

// startUnderSystemd starts a station that tells conn how it is, and waits until it is ready.
func startUnderSystemd(t *testing.T) (r *running, conn net.PacketConn) {
	dir := t.TempDir()
	r = &running{t: t, config: filepath.Join(dir, "portero.toml"), notify: filepath.Join(dir, "notify")}
	conn, err := net.ListenPacket("unixgram", r.notify)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetReadDeadline(time.Now().Add(2 * time.Minute)); err != nil {
		t.Fatal(err)
	}
	r.write(fmt.Sprintf(runConfig, dir))
	r.start()
	r.want("station.ready")
	return r, conn
}

// startWith starts a station with a changed configuration.
func startWith(t *testing.T, change func(string) string) *running {
	dir := t.TempDir()
	r := &running{t: t, config: filepath.Join(dir, "portero.toml")}
	r.write(change(fmt.Sprintf(runConfig, dir)))
	r.start()
	return r
}

func (r *running) end() {
	r.t.Helper()
	r.signal(syscall.SIGTERM)
	r.want("station.stopping")
	if err := r.cmd.Wait(); err != nil {
		r.t.Errorf("end: %v", err)
	}
}

// TestSystemdIsTold that the station is ready once it watches its inputs, and not before.
func TestSystemdIsTold(t *testing.T) {
	t.Parallel()
	r, conn := startUnderSystemd(t)
	for b := make([]byte, 1000); ; {
		n, _, err := conn.ReadFrom(b)
		if err != nil {
			t.Fatalf("not told that it is ready: %v", err)
		}
		if told := string(b[:n]); told == "READY=1" {
			break
		} else if told != "WATCHDOG=1" && !strings.HasPrefix(told, "STATUS=") {
			t.Fatalf("told %q", told)
		}
	}
	r.end()
}
