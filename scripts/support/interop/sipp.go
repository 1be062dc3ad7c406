//go:build interop

package interop

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// SIPp runs one scenario of sipp/ for one call and keeps a trace of the messages.
type SIPp struct {
	*Process
	Port   int
	trace  string
	waited map[string]int // by WaitTrace
}

// Traced is a message of SIPp's trace, in wire order.
type Traced struct {
	Message
	Received bool // by SIPp: the station sent it
}

// StartSIPp starts sipp/NAME.xml on a free port. With remote 0 it waits to be called (UAS), otherwise it calls
// 127.0.0.1:remote. More arguments, such as "-key", "status", "486 Busy Here", go to sipp as they are.
func StartSIPp(t *testing.T, name string, remote int, more ...string) *SIPp {
	t.Helper()
	need(t, "sipp")
	dir := t.TempDir()
	scenario, err := filepath.Abs(filepath.Join("sipp", name+".xml"))
	if err != nil {
		t.Fatal(err)
	}
	s := &SIPp{Port: freePort(t), trace: filepath.Join(dir, "messages.log")}
	media := freePorts(t, 4)
	argv := []string{"sipp", "-sf", scenario, "-i", "127.0.0.1", "-p", fmt.Sprint(s.Port), "-mi", "127.0.0.1", "-mp", fmt.Sprint(media),
		"-m", "1", "-nostdin", "-timeout", "40s", "-timeout_error", "-trace_msg", "-message_file", s.trace, "-trace_err", "-error_file",
		filepath.Join(dir, "errors.log"), "-default_behaviors", "none"}
	argv = append(argv, more...)
	if remote != 0 {
		argv = append(argv, fmt.Sprintf("127.0.0.1:%d", remote))
	}
	s.Process = Start(t, "sipp-"+name, dir, []string{"TERM=dumb"}, argv...)
	t.Cleanup(func() {
		if !t.Failed() {
			return
		}
		for _, file := range []string{"errors.log", "messages.log"} {
			if text, err := os.ReadFile(filepath.Join(dir, file)); err == nil {
				t.Logf("--- sipp %s: %s ---\n%s", name, file, text[max(0, len(text)-8000):])
			}
		}
	})
	if remote == 0 {
		waitBound(t, s.Process, s.Port)
	}
	return s
}

// waitBound waits until a child has bound its UDP port.
func waitBound(t *testing.T, p *Process, port int) {
	t.Helper()
	bound := regexp.MustCompile(fmt.Sprintf(`(?m):%04X [0-9A-F]+:`, port))
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		raw, err := os.ReadFile("/proc/net/udp")
		if err != nil {
			t.Fatal(err)
		}
		if bound.Match(raw) {
			return
		}
		select {
		case <-p.ended:
			t.Fatalf("interop: %s ended with code %d", p.name, p.code)
		case <-time.After(10 * time.Millisecond):
		}
	}
	t.Fatalf("interop: %s did not bind port %d", p.name, port)
}

// Done waits for the scenario's end, which must be a success, and returns the trace.
func (s *SIPp) Done(atMost time.Duration) []Traced {
	s.t.Helper()
	if code := s.Wait(atMost); code != 0 {
		s.t.Errorf("sipp's scenario failed with code %d", code)
	}
	return s.Trace()
}

// WaitTrace waits until one more message of the station, a method or a code, stands in the trace.
func (s *SIPp) WaitTrace(what string, atMost time.Duration) {
	s.t.Helper()
	if s.waited == nil {
		s.waited = map[string]int{}
	}
	s.waited[what]++
	for deadline := time.Now().Add(atMost); len(received(s.Trace(), what)) < s.waited[what]; {
		if time.Now().After(deadline) {
			s.t.Fatalf("interop: no %d. %s in SIPp's trace within %v", s.waited[what], what, atMost)
		}
		time.Sleep(20 * time.Millisecond) // SIPp tells of its trace by nothing but the file
	}
}

// Trace reads SIPp's -trace_msg file.
func (s *SIPp) Trace() []Traced {
	s.t.Helper()
	raw, err := os.ReadFile(s.trace)
	if err != nil {
		s.t.Fatal(err)
	}
	head := regexp.MustCompile(`(?m)^-{20,} .*\nUDP message (sent|received) (?:\(\d+ bytes\)|\[\d+\] bytes ?):\n\n`)
	at := head.FindAllSubmatchIndex(raw, -1)
	var out []Traced
	for i, h := range at {
		end := len(raw)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		text := strings.ReplaceAll(strings.ReplaceAll(string(raw[h[1]:end]), "\r\n", "\n"), "\n", "\r\n")
		out = append(out, Traced{parseMessage(strings.TrimLeft(text, "\r\n")), string(raw[h[2]:h[3]]) == "received"})
	}
	return out
}

// received returns the station's messages that match: a method such as "ACK", or a code such as "200".
func received(trace []Traced, what string) []Message {
	var out []Message
	for _, m := range trace {
		if m.Received && (m.Method() == what || m.Status() != 0 && fmt.Sprint(m.Status()) == what) {
			out = append(out, m.Message)
		}
	}
	return out
}

// mustHave fails the test unless the station sent exactly n such messages.
func mustHave(t *testing.T, trace []Traced, what string, n int) []Message {
	t.Helper()
	got := received(trace, what)
	if len(got) != n {
		var starts []string
		for _, m := range trace {
			starts = append(starts, fmt.Sprintf("%v:%s", map[bool]string{true: "<", false: ">"}[m.Received], m.Start))
		}
		t.Errorf("the station sent %d %s, want %d; the exchange (< from the station): %q", len(got), what, n, starts)
	}
	return got
}
