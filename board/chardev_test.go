package board

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// pipeInput puts a pipe in the place of an input's descriptor: polled, read and hung up by the same kernel
// calls.
func pipeInput(t *testing.T, c *chardev, name string) (write int) {
	t.Helper()
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	c.poll = append(c.poll, unix.PollFd{Fd: int32(p[0]), Events: unix.POLLIN})
	c.lineOf = append(c.lineOf, len(c.held))
	c.held = append(c.held, heldLine{request: request{kind: "input", name: name, line: name}, fd: p[0]})
	return p[1]
}

func send(t *testing.T, fd int, events ...lineEvent) {
	t.Helper()
	b := unsafe.Slice((*byte)(unsafe.Pointer(&events[0])), len(events)*int(unsafe.Sizeof(events[0])))
	if n, err := unix.Write(fd, b); err != nil || n != len(b) {
		t.Fatalf("write: %d, %v", n, err)
	}
}

func noChips() ([]Chip, []error) { return nil, nil }

func testChardev(t *testing.T) *chardev {
	t.Helper()
	c, err := newChardev(Config{}, noChips)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func TestChardevEdgesInOrderOfTime(t *testing.T) {
	c := testChardev(t)
	one, two := pipeInput(t, c, "one"), pipeInput(t, c, "two")
	defer unix.Close(one)
	defer unix.Close(two)
	send(t, one, lineEvent{timestamp: 10, id: eventRisingEdge}, lineEvent{timestamp: 30, id: eventFallingEdge}, lineEvent{timestamp: 31, id: 9})
	send(t, two, lineEvent{timestamp: 20, id: eventRisingEdge})
	got, err := c.edges(c.now()+time.Minute, nil)
	want := []edge{{0, true, 10, nil}, {1, true, 20, nil}, {0, false, 30, nil}}
	if err != nil || len(got) != len(want) {
		t.Fatalf("edges %v, %v; want %v", got, err, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("edge %d: %v, want %v", i, got[i], want[i])
		}
	}
	if got, err := c.edges(c.now(), got[:0]); err != nil || len(got) != 0 {
		t.Errorf("with nothing waiting and no time: %v, %v", got, err)
	}
}

func TestChardevWakes(t *testing.T) {
	c := testChardev(t)
	one := pipeInput(t, c, "one")
	defer unix.Close(one)
	c.wake()
	c.wake()
	if got, err := c.edges(c.now()+time.Hour, nil); err != nil || len(got) != 0 {
		t.Fatalf("woken: %v, %v", got, err)
	}
	before := c.now()
	if got, err := c.edges(before+3*time.Millisecond, nil); err != nil || len(got) != 0 || c.now() < before+3*time.Millisecond {
		t.Errorf("until: %v, %v after %v: the wake must be used up", got, err, c.now()-before)
	}
}

func TestChardevVanishedLine(t *testing.T) {
	c := testChardev(t)
	one := pipeInput(t, c, "bell")
	unix.Close(one)
	got, err := c.edges(c.now()+time.Hour, nil)
	if err != nil || len(got) != 1 || !errors.Is(got[0].err, unix.ENODEV) {
		t.Fatalf("a hung-up line: %v, %v, want ENODEV", got, err)
	}
	c.drop(0)
	before := c.now()
	if got, err := c.edges(before+3*time.Millisecond, nil); err != nil || len(got) != 0 || c.now() < before+3*time.Millisecond {
		t.Errorf("dropped, and still polled: %v, %v", got, err)
	}
}

func TestChardevTornEvent(t *testing.T) {
	c := testChardev(t)
	one := pipeInput(t, c, "bell")
	defer unix.Close(one)
	if _, err := unix.Write(one, make([]byte, 47)); err != nil {
		t.Fatal(err)
	}
	if got, err := c.edges(c.now()+time.Hour, nil); err != nil || len(got) != 1 || got[0].err == nil {
		t.Errorf("47 bytes of an event gave %v, %v and no error", got, err)
	}
}

// A descriptor that is no GPIO line refuses the ioctls as a failing chip does: the errors must come up.
func TestChardevReportsFailingIoctl(t *testing.T) {
	c := testChardev(t)
	one := pipeInput(t, c, "door")
	defer unix.Close(one)
	if err := c.set(0, false); !errors.Is(err, unix.ENOTTY) {
		t.Errorf("set: %v", err)
	}
	if _, err := c.get(0); !errors.Is(err, unix.ENOTTY) {
		t.Errorf("get: %v", err)
	}
	b := &Board{lines: c, byLine: []*debouncer{{name: "door"}}, byName: map[string]request{"door": {name: "door", line: "GPIO5"}}}
	if err := b.Run(context.Background(), func(Event) {}); !errors.Is(err, unix.ENOTTY) {
		t.Errorf("Run on it: %v", err)
	}
}

func TestChardevOpensNothingElse(t *testing.T) {
	null := Chip{Name: "gpiochip0", Label: "null", Path: os.DevNull, Lines: make([]Line, 8)}
	for i := range null.Lines {
		null.Lines[i].Offset = i
	}
	missing := null
	missing.Name, missing.Path = "gpiochip1", t.TempDir()+"/gpiochip1"
	c, err := newChardev(Config{}, func() ([]Chip, []error) { return []Chip{null, missing}, nil })
	if err != nil {
		t.Fatal(err)
	}
	before := openFiles(t)
	if _, err := c.request(request{line: "gpiochip0:5", output: true}); !errors.Is(err, unix.ENOTTY) {
		t.Errorf("request on /dev/null: %v", err)
	}
	if _, err := c.request(request{line: "gpiochip1:5", output: true}); !errors.Is(err, unix.ENOENT) {
		t.Errorf("request on a missing chip: %v", err)
	}
	if after := openFiles(t); after != before {
		t.Errorf("%d descriptors before failing requests, %d after", before, after)
	}
	if err := releaseAll(Config{Relays: []Output{{Name: "a", Line: "nope"}, {Name: "b", Line: "gpiochip0:1"}}}, c); err == nil ||
		!errors.Is(err, unix.ENOTTY) {
		t.Errorf("releaseAll must go on after the first failure and report both: %v", err)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("no /proc to count descriptors in")
	}
	return len(fds)
}

func TestKeepStdin(t *testing.T) {
	var before, after unix.Stat_t
	if err := unix.Fstat(0, &before); err != nil {
		t.Skip("no standard input")
	}
	if err := keepStdin(func() error { return unix.Close(0) }); err != nil {
		t.Fatal(err)
	}
	if err := unix.Fstat(0, &after); err != nil || before.Dev != after.Dev || before.Ino != after.Ino {
		t.Errorf("standard input is gone: %v", err)
	}
}

// This machine may have chips or none; either way there is an answer and nothing moves.
func TestChipsAnswers(t *testing.T) {
	chips, err := Chips()
	if (len(chips) == 0) == (err == nil) {
		t.Errorf("%d chips, error %v", len(chips), err)
	}
	for _, c := range chips {
		if c.Name == "" || c.Path == "" || len(c.Lines) == 0 {
			t.Errorf("chip without name, path or lines: %+v", c)
		}
	}
}

func BenchmarkChardevEdge(b *testing.B) {
	c, err := newChardev(Config{}, noChips)
	if err != nil {
		b.Fatal(err)
	}
	defer c.close()
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		b.Fatal(err)
	}
	defer unix.Close(p[1])
	c.poll = append(c.poll, unix.PollFd{Fd: int32(p[0]), Events: unix.POLLIN})
	c.lineOf = append(c.lineOf, 0)
	c.held = append(c.held, heldLine{fd: p[0]})
	ev := lineEvent{timestamp: 1, id: eventRisingEdge}
	raw := unsafe.Slice((*byte)(unsafe.Pointer(&ev)), unsafe.Sizeof(ev))
	into := make([]edge, 0, eventBuffer)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := unix.Write(p[1], raw); err != nil {
			b.Fatal(err)
		}
		if into, err = c.edges(c.now()+time.Hour, into[:0]); err != nil || len(into) != 1 {
			b.Fatal(into, err)
		}
	}
}
