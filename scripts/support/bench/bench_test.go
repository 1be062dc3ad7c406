package main

import (
	"net/netip"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"portero/audio"
)

const script = "../../bench"

func TestScriptHelp(t *testing.T) {
	out, err := exec.Command(script, "-h").CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "usage: scripts/bench ") {
		t.Fatalf("%v: %s", err, out)
	}
	if out, err := exec.Command(script, "-n", "loudness").CombinedOutput(); err == nil {
		t.Fatalf("an unknown part was taken: %s", out)
	}
}

var line = regexp.MustCompile(`(?m)^BENCH \S+ ours=-?[0-9.e+-]+ unit=\S+ peer=\w+:-?[0-9.e+-]+ ratio=(-?[0-9.]+|nan)$`)

// The one part of the script that runs in seconds is run as it is.
func TestScriptSize(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: it builds the program")
	}
	out, err := exec.Command(script, "-n", "-quick", "size").Output()
	if err != nil {
		t.Fatal(err, string(out))
	}
	found := line.FindAllString(string(out), -1)
	if len(found) != strings.Count(string(out), "\n") || len(found) == 0 {
		t.Errorf("not only BENCH lines:\n%s", out)
	}
}

// What is measured of another process is what it did.
func TestUsage(t *testing.T) {
	p, err := start(t.TempDir(), "busy", "sh", "-c", "i=0; while [ $i -lt 1000000 ]; do i=$((i+1)); done; sleep 60")
	if err != nil {
		t.Fatal(err)
	}
	defer p.kill()
	var u usage
	for deadline := time.Now().Add(30 * time.Second); u.cpu < 50*time.Millisecond; {
		if u, err = p.usage(); err != nil {
			t.Fatal(err)
		}
		if time.Now().After(deadline) {
			t.Fatalf("a busy loop used %v", u.cpu)
		}
	}
	if mb, err := p.rss(); err != nil || mb < 0.1 || mb > 100 {
		t.Errorf("a shell has %v MB, %v", mb, err)
	}
	if f, err := family(p.pid()); err != nil || f[0] != p.pid() {
		t.Errorf("family %v of %d, %v", f, p.pid(), err)
	}
}

func TestReply(t *testing.T) {
	request := "INVITE sip:a@b SIP/2.0\r\nVia: one\r\nVia: two\r\nFrom: <sip:c@d>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\nContact: <sip:c@e>\r\nContent-Length: 0\r\n\r\n"
	want := "SIP/2.0 200 OK\r\nVia: one\r\nVia: two\r\nFrom: <sip:c@d>;tag=1\r\nTo: <sip:a@b>;tag=t\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\nX: y\r\nContent-Length: 0\r\n\r\n"
	if got := reply(request, "200 OK", "t", "", "X: y"); got != want {
		t.Errorf("got %q", got)
	}
	to, err := mediaPort(description(audio.PCMU, 4000))
	if err != nil || to.Port() != 4000 {
		t.Errorf("%v, %v", to, err)
	}
	if _, err := mediaPort("m=audio 0 RTP/AVP 0"); err == nil {
		t.Error("a refused stream has no port")
	}
}

func TestArrival(t *testing.T) {
	port, err := freePorts(2)
	if err != nil {
		t.Fatal(err)
	}
	a, err := listen(port)
	if err != nil {
		t.Fatal(err)
	}
	defer a.conn.Close()
	before := time.Now()
	if err := a.send(netip.AddrPortFrom(loopback, uint16(port)), []byte("x")); err != nil {
		t.Fatal(err)
	}
	after := time.Now()
	d, err := a.receive(make([]byte, 10), after.Add(5*time.Second))
	if err != nil || string(d.data) != "x" {
		t.Fatal(d, err)
	}
	// The kernel's stamp is from the sending, not from when this goroutine woke up.
	if d.at.Before(before.Add(-time.Millisecond)) || d.at.After(after.Add(time.Millisecond)) {
		t.Errorf("arrived %v after sending, sent within %v", d.at.Sub(before), after.Sub(before))
	}
}

func TestClick(t *testing.T) {
	for _, c := range []codec{audio.PCMU, audio.G722} {
		s := make([]int16, 320)
		copy(s[100:], click(c.SampleRate))
		if i := onset(s); i < 100 || i > 102 {
			t.Errorf("onset at %d, not 100", i)
		}
	}
	if i := onset(make([]int16, 100)); i != -1 {
		t.Errorf("onset at %d of silence", i)
	}
}
