//go:build interop

package interop

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"portero/scripts/support/voices"
)

var build struct {
	sync.Once
	path string
	err  error
}

// binary is the station under test: $PORTERO_BIN, or cmd/portero built once.
func binary(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("PORTERO_BIN"); path != "" {
		return path
	}
	build.Do(func() {
		root := filepath.Join("..", "..", "..")
		if found, _ := filepath.Glob(filepath.Join(root, "cmd", "portero", "*.go")); len(found) == 0 {
			build.err = fmt.Errorf("cmd/portero does not exist yet")
			return
		}
		build.path = filepath.Join(os.TempDir(), fmt.Sprintf("portero-interop-%d", os.Getpid()))
		cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", build.path, "./cmd/portero")
		cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			build.err = fmt.Errorf("cmd/portero does not build: %w\n%s", err, out)
		}
	})
	if build.err != nil {
		cannotRun(t, build.err.Error())
	}
	return build.path
}

// Station is `portero run` with a simulated board, a card made of two files and its log as JSON lines.
type Station struct {
	*Process
	Port   int    // of [sip] listen
	Server int    // of [server] listen
	Out    string // what the loudspeaker played
	Config string // path of portero.toml

	read int // how much of the log is taken apart
	all  []line
	next map[string]int // per kind: where Await goes on
}

type line map[string]any

// Setup is what a test says about its station. Text is the rest of portero.toml: accounts, bells, doors, codes, incoming.
type Setup struct {
	Says  Voice  // the visitor
	Log   string // "" is "info"
	Audio string // more keys of [audio]
	Text  string
	Keep  string // a data_dir to go on with, "" is a new one
}

// homeAccount is an account of the station's at a registrar on this machine, with further keys.
func homeAccount(port int, password string, keys ...string) string {
	return fmt.Sprintf(`
[[account]]
name = "home"
server = "127.0.0.1:%d"
user = "door"
password = %q
%s
`, port, password, strings.Join(keys, "\n"))
}

// The front bell with its opener, as most of the tests need them. %s is the bell's targets.
const frontDoor = `
[[bell]]
name = "front"
line = "GPIO17"
targets = [%s]
ring_limit = "%s"
talk_limit = "%s"

[[door]]
name = "strike"
line = "GPIO22"
switch_on = "1500ms"
hang_up_after = "0s"

[[code]]
who = "family"
code = "4711"
doors = ["strike"]
`

// StartStation writes the config and starts the station; @SIP@ and @SERVER@ in it become the ports. It waits for station.ready.
func StartStation(t *testing.T, s Setup) *Station {
	t.Helper()
	st := newStation(t, s)
	st.Process = Start(t, "portero", filepath.Dir(st.Config), nil, binary(t), "run", "-config", st.Config)
	st.Await("station.ready", patience)
	return st
}

// newStation writes the config and starts nothing.
func newStation(t *testing.T, s Setup) *Station {
	t.Helper()
	binary(t)
	dir := t.TempDir()
	data := s.Keep
	if data == "" {
		data = filepath.Join(dir, "data")
		if err := os.Mkdir(data, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if s.Log == "" {
		s.Log = "info"
	}
	st := &Station{Port: freePort(t), Server: freePort(t), Out: filepath.Join(dir, "loudspeaker.wav"),
		Config: filepath.Join(dir, "portero.toml"), next: map[string]int{}}
	rtp := freePorts(t, 40)
	if s.Says.Path == "" {
		s.Says.Path = filepath.Join(dir, "silence.wav")
		if err := (Voice{}).silence().WriteWAV(s.Says.Path); err != nil {
			t.Fatal(err)
		}
	}
	text := fmt.Sprintf(`version = 1
[station]
name = "Front door"
data_dir = %q
[sip]
listen = "127.0.0.1:@SIP@"
rtp_ports = "%d-%d"
[board]
sim = true
[log]
level = %q
format = "json"
[audio]
card = "wav:%s,%s"
%s
`, data, rtp, rtp+39, s.Log, s.Says.Path, st.Out, s.Audio) + s.Text
	text = strings.NewReplacer("@SIP@", fmt.Sprint(st.Port), "@SERVER@", fmt.Sprint(st.Server)).Replace(text)
	if err := os.WriteFile(st.Config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("--- portero.toml ---\n%s", regexp.MustCompile(`(?m)^((?:password|code) = ).*`).ReplaceAllString(text, "$1..."))
		}
	})
	return st
}

// take takes the log's new lines apart.
func (st *Station) take() {
	st.mu.Lock()
	defer st.mu.Unlock()
	for rest := st.log.Bytes()[st.read:]; ; {
		end := strings.IndexByte(string(rest), '\n')
		if end < 0 {
			return
		}
		var l line
		if json.Unmarshal(rest[:end], &l) == nil {
			st.all = append(st.all, l)
		}
		rest = rest[end+1:]
		st.read += end + 1
	}
}

// Await waits for the next event of that kind with those "key=value" fields, and returns it.
func (st *Station) Await(kind string, atMost time.Duration, fields ...string) line {
	st.t.Helper()
	l, ok := st.Try(kind, atMost, fields...)
	if !ok {
		select {
		case <-st.ended:
			st.t.Fatalf("interop: the station ended with code %d without event %s %v; events: %v", st.code, kind, fields, st.kinds())
		default:
			st.t.Fatalf("interop: no event %s %v within %v; events: %v", kind, fields, atMost, st.kinds())
		}
	}
	return l
}

// Try is Await that may come back empty.
func (st *Station) Try(kind string, atMost time.Duration, fields ...string) (line, bool) {
	deadline, last := time.After(atMost), false
	for {
		st.mu.Lock()
		grown := st.grown
		st.mu.Unlock()
		st.take()
		for i := st.next[kind]; i < len(st.all); i++ {
			if st.all[i].is(kind, fields...) {
				st.next[kind] = i + 1
				return st.all[i], true
			}
		}
		if last {
			return nil, false
		}
		select {
		case <-grown:
		case <-st.ended:
			last = true
		case <-deadline:
			last = true
		}
	}
}

// SoFar is what the loudspeaker has played.
func (st *Station) SoFar() voices.Clip { return sofar(st.Out) }

// Count is how many events of that kind came so far.
func (st *Station) Count(kind string, fields ...string) int {
	st.take()
	n := 0
	for _, l := range st.all {
		if l.is(kind, fields...) {
			n++
		}
	}
	return n
}

// Quiet fails the test when one of the events, such as "call.answered" or "card.opened mic=true", comes within d.
func (st *Station) Quiet(d time.Duration, kinds ...string) {
	st.t.Helper()
	time.Sleep(d) // nothing tells that nothing comes
	for _, kind := range kinds {
		words := strings.Fields(kind)
		if n := st.Count(words[0], words[1:]...); n > 0 {
			st.t.Errorf("%d events %s, want none", n, kind)
		}
	}
}

func (st *Station) kinds() []string {
	var out []string
	for _, l := range st.all {
		if l["msg"] == "event" {
			out = append(out, fmt.Sprint(l["kind"]))
		}
	}
	return out
}

func (l line) is(kind string, fields ...string) bool {
	if l["msg"] != "event" || l["kind"] != kind {
		return false
	}
	for _, f := range fields {
		k, v, _ := strings.Cut(f, "=")
		if got, ok := l[k]; !ok || fmt.Sprint(got) != v {
			return false
		}
	}
	return true
}

// Num is a numeric field, 0 without it.
func (l line) Num(key string) float64 {
	n, _ := l[key].(float64)
	return n
}

// Press presses the first bell.
func (st *Station) Press() {
	st.t.Helper()
	st.Signal(syscall.SIGUSR2)
}

// End stops the station as an init system does, and wants a clean end.
func (st *Station) End() {
	st.t.Helper()
	st.Signal(syscall.SIGTERM)
	if code := st.Wait(patience); code != 0 {
		st.t.Errorf("the station ended with code %d on SIGTERM, want 0", code)
	}
}

// PeakMB is the largest resident set so far, MB.
func (st *Station) PeakMB() float64 {
	st.t.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", st.Pid()))
	if err != nil {
		st.t.Fatal(err)
	}
	m := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(raw)
	if m == nil {
		st.t.Fatal("interop: no VmHWM in /proc/PID/status")
	}
	kb, err := strconv.Atoi(string(m[1]))
	if err != nil {
		st.t.Fatal(err)
	}
	return float64(kb) / 1024
}

// late is by how much a timer may miss where the machine has other things to do. That it does not miss by itself is for the tests in
// bubbles, where time is exact.
const late = 1500 * time.Millisecond

// mustOpen waits for one opening of the strike and holds its length against switch_on = 1500 ms.
func (st *Station) mustOpen(how string) {
	st.t.Helper()
	opened := st.Await("door.opened", patience, "door=strike", "how="+how)
	closed := st.Await("door.closed", patience, "door=strike")
	if ms := closed.Num("on_ms"); ms < 1400 || ms > 1500+late.Seconds()*1000 {
		st.t.Errorf("the relay was on for %v ms (on_ms), want 1500 and at most %v more", ms, late)
	}
	wall := stamp(st.t, closed).Sub(stamp(st.t, opened))
	if wall < 1400*time.Millisecond || wall > 1500*time.Millisecond+late {
		st.t.Errorf("door.closed came %v after door.opened, want 1.5 s and at most %v more", wall, late)
	}
}

func stamp(t *testing.T, l line) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, fmt.Sprint(l["time"]))
	if err != nil {
		t.Fatalf("interop: time of %v: %v", l, err)
	}
	return at
}
