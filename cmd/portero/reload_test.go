package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// bindings answers every REGISTER with 200 and tells of each whether it takes a binding away.
func bindings(t *testing.T) (addr string, leaves <-chan bool) { return peer(t, "200 OK") }

// peer answers every request with one status and tells of each whether it takes a binding away.
func peer(t *testing.T, status string) (addr string, leaves <-chan bool) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	told := make(chan bool, 100)
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
			told <- strings.Contains(string(buf[:n]), ";expires=0")
			conn.WriteTo([]byte(res+"Content-Length: 0\r\n\r\n"), from)
		}
	}()
	return conn.LocalAddr().String(), told
}

func udpPort(t *testing.T) int {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.LocalAddr().(*net.UDPAddr).Port
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

func expect(t *testing.T, leaves <-chan bool, want bool, when string) {
	t.Helper()
	select {
	case left := <-leaves:
		if left != want {
			t.Errorf("%s: the binding is taken away: %v", when, left)
		}
	case <-time.After(time.Minute):
		t.Fatalf("%s: no REGISTER", when)
	}
}

// TestReloadKeepsBindings: an account that stays as it is is never un-registered, one that goes is, and so are all at the end.
func TestReloadKeepsBindings(t *testing.T) {
	t.Parallel()
	stays, keeps := bindings(t)
	goes, leaves := bindings(t)
	account := func(name, server string) string {
		return fmt.Sprintf("\n[[account]]\nname = %q\nserver = %q\nuser = \"d\"\npassword = \"of the account\"\n", name, server)
	}
	r := startWith(t, func(text string) string {
		text = strings.Replace(text, "127.0.0.1:0", fmt.Sprintf("127.0.0.1:%d", udpPort(t)), 1)
		return text + account("stays", stays) + account("goes", goes)
	})
	expect(t, keeps, false, "start")
	expect(t, leaves, false, "start")
	r.want("registration.up")
	r.want("registration.up")
	text, err := os.ReadFile(r.config)
	if err != nil {
		t.Fatal(err)
	}
	r.write(strings.Replace(string(text), account("goes", goes), "", 1))
	r.signal(syscall.SIGHUP)
	expect(t, leaves, true, "reload")
	r.want("config.reloaded")
	expect(t, keeps, false, "reload")
	r.want("registration.up")
	r.end()
	expect(t, keeps, true, "end")
}

// TestLastGoodInPlaceOf a file that is gone, and of one that no station can be built from: the bell rings, and the copy stays good.
func TestLastGoodInPlaceOf(t *testing.T) {
	taken, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() })
	for name, c := range map[string]struct {
		spoil  func(t *testing.T, r *running)
		data   bool // the file cannot tell where the copy is
		reason string
	}{
		"gone": {func(t *testing.T, r *running) {
			if err := os.Remove(r.config); err != nil {
				t.Fatal(err)
			}
		}, true, "no such file"},
		"port in use": {func(t *testing.T, r *running) {
			text, err := os.ReadFile(r.config)
			if err != nil {
				t.Fatal(err)
			}
			r.write(strings.Replace(string(text), "127.0.0.1:0", taken.LocalAddr().String(), 1))
		}, false, "already in use"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := startStation(t)
			r.end()
			kept := filepath.Join(filepath.Dir(r.config), "last-good.toml")
			before, err := os.ReadFile(kept)
			if err != nil {
				t.Fatal(err)
			}
			c.spoil(t, r)
			if c.data {
				r.start("-data", filepath.Dir(r.config))
			} else {
				r.start()
			}
			if ev := r.want("config.rejected"); !strings.Contains(fmt.Sprint(ev["reason"]), c.reason) {
				t.Errorf("rejected for %v", ev["reason"])
			}
			r.want("station.ready")
			r.signal(syscall.SIGUSR2)
			r.want("call.started")
			r.end()
			if after, err := os.ReadFile(kept); err != nil || string(after) != string(before) {
				t.Errorf("the copy has changed: %v\n%s", err, after)
			}
		})
	}
}

// TestNoCopyOfWhatCannotStart: a file that no station can be built from does not become the last good one.
func TestNoCopyOfWhatCannotStart(t *testing.T) {
	t.Parallel()
	taken, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() })
	r := startWith(t, func(text string) string { return strings.Replace(text, "127.0.0.1:0", taken.LocalAddr().String(), 1) })
	for range r.events {
	}
	if err := r.cmd.Wait(); err == nil {
		t.Error("it has started")
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(r.config), "last-good.toml")); !os.IsNotExist(err) {
		t.Errorf("last good copy: %v", err)
	}
}

// TestSystemdIsTold that the station is ready once it watches its inputs, and not before.
func TestSystemdIsTold(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenPacket("unixgram", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	t.Setenv("NOTIFY_SOCKET", socket)
	r := startStation(t)
	if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 100)
	n, _, err := conn.ReadFrom(b)
	if err != nil || string(b[:n]) != "READY=1" {
		t.Errorf("%q, %v", b[:n], err)
	}
	r.end()
}

// TestReloadKeepsPhones: a phone at the built-in server rings after a reload without having registered anew.
func TestReloadKeepsPhones(t *testing.T) {
	t.Parallel()
	phonesStay(t, func(r *running) {
		text, err := os.ReadFile(r.config)
		if err != nil {
			t.Fatal(err)
		}
		r.write(strings.Replace(string(text), `ring_limit = "5s"`, `ring_limit = "6s"`, 1))
		r.signal(syscall.SIGHUP)
		r.want("config.reloaded")
	})
}

// A new process rings the phones of the one before at once.
func TestRestartKeepsPhones(t *testing.T) {
	t.Parallel()
	phonesStay(t, func(r *running) {
		r.end()
		r.start()
	})
}

// phonesStay registers a phone that answers at the built-in server, begins again, and presses the button.
func phonesStay(t *testing.T, again func(*running)) {
	t.Helper()
	server := udpPort(t)
	r := startWith(t, func(text string) string {
		text = strings.Replace(text, `enabled = "off"`, fmt.Sprintf("enabled = \"on\"\nlisten = \"127.0.0.1:%d\"\n[[server.user]]\nname = \"kitchen\"\npassword = \"kettle-on-8\"", server), 1)
		return strings.Replace(text, `"sip:kitchen@127.0.0.1:9"`, `"kitchen"`, 1)
	})
	r.want("registration.up")
	phone := filepath.Join(t.TempDir(), "phone.toml")
	if err := os.WriteFile(phone, fmt.Appendf(nil, `version = 1
[sip]
listen = "127.0.0.1:0"
[server]
enabled = "off"
[[account]]
name = "door"
server = "127.0.0.1:%d"
domain = "portero.local"
user = "kitchen"
password = "kettle-on-8"
[[bell]]
name = "none"
line = "GPIO17"
targets = ["sip:nobody@127.0.0.1"]
[audio]
card = "none"
[board]
sim = true
`, server), 0o600); err != nil {
		t.Fatal(err)
	}
	answer := portero(t, "call", "-config", phone, "-answer", "-for", "1s")
	out, err := answer.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := answer.Start(); err != nil {
		t.Fatal(err)
	}
	for s := bufio.NewScanner(out); s.Scan(); {
		if strings.HasPrefix(s.Text(), "registered") {
			break
		}
	}
	again(r)
	r.want("registration.up")
	r.signal(syscall.SIGUSR2)
	r.want("call.answered")
	r.signal(syscall.SIGTERM)
	r.want("station.stopping")
}
