package access

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"portero/device/config"
	"portero/device/durable"
	"portero/device/event"
)

// desk is the codes of a config with a lock-out in dir, and what they emitted.
type desk struct {
	*Codes
	lock   *Lockout
	events []string
	log    bytes.Buffer
}

func newDesk(t *testing.T, dir string, c *config.Config) *desk {
	t.Helper()
	d := &desk{}
	emit := func(e event.Event) {
		d.events = append(d.events, strings.TrimSpace(fmt.Sprintf("%s %s%s%s", e.Kind, e.Call, e.Who, e.Reason)))
	}
	d.lock = NewLockout(dir, c.Access, emit, slog.New(slog.NewTextHandler(&d.log, nil)))
	var err error
	if d.Codes, err = NewCodes(c, d.lock, emit); err != nil {
		t.Fatal(err)
	}
	return d
}

func twoCodes() *config.Config {
	c := config.Default()
	c.Codes = []config.Code{
		{Who: "family", Code: "730158", Doors: []string{"front", "garage"}},
		{Who: "post", Code: "5913", Doors: []string{"front"}},
		{Who: "long", Code: config.Secret(strings.Repeat("8642", 8)), Doors: []string{"front"}},
	}
	return c
}

// enter types keys one second apart; "_" is a pause of 6 s. It returns the outcomes that ended a code.
func enter(e *Entry, keys string) string {
	var out []string
	at := time.Now()
	for _, r := range keys {
		if r == '_' {
			at = at.Add(6 * time.Second)
			continue
		}
		at = at.Add(time.Second)
		switch res := e.Digit(ByEvents, r, at); res.Outcome {
		case Pending:
		case Accepted:
			out = append(out, res.Who+" "+strings.Join(res.Doors, "+"))
		default:
			out = append(out, string(res.Outcome))
		}
	}
	return strings.Join(out, ", ")
}

func TestEntryEndsWithHash(t *testing.T) {
	long := strings.Repeat("8642", 8)
	for _, test := range []struct{ keys, want string }{
		{"730158#", "family front+garage"},
		{"5913#", "post front"},
		{"5913#730158#", "post front, family front+garage"},
		{"73015#", "wrong"},
		{"7301588#", "wrong"},
		{"05913#", "wrong"}, // no sliding window
		{"5913", ""},
		{"#", ""},
		{"###5913#", "post front"},
		{"12*5913#", "post front"},
		{"12*#", ""},
		{"59*13#", "wrong"},
		{"5_913#", "wrong"}, // the 5 is forgotten, 913 is a code that ended
		{"12_5913#", "post front"},
		{"12__#", ""}, // forgotten, and so nothing
		{"5913_#", ""},
		{"5A913#", "wrong"},
		{"5 9x1é3#", "post front"}, // not keys of a phone
		{long + "#", "long front"},
		{long + "1#", "wrong"},
		{long + long + "#", "wrong"},
		{strings.Repeat("1", 100) + "_5913#", "post front"},
		{strings.Repeat("1", 100) + "#5913#", "wrong, post front"},
		{"\x00\x00#", ""},
	} {
		d := newDesk(t, t.TempDir(), twoCodes())
		if got := enter(d.NewEntry("c"), test.keys); got != test.want {
			t.Errorf("%q: %q, want %q", test.keys, got, test.want)
		}
		if n := strings.Count(test.want, "wrong"); n != strings.Count(strings.Join(d.events, " "), "code.wrong") {
			t.Errorf("%q: %v, want %d wrong", test.keys, d.events, n)
		}
	}
}

func TestEntryEndsWithLength(t *testing.T) {
	c := config.Default()
	c.Access.EndWith = "length"
	c.Codes = []config.Code{{Who: "a", Code: "5913", Doors: []string{"x"}}, {Who: "b", Code: "2468", Doors: []string{"y"}}}
	for _, test := range []struct{ keys, want string }{
		{"5913", "a x"},
		{"59132468", "a x, b y"},
		{"5913#", "a x"},
		{"159132468", "wrong, wrong"}, // 1591, 3246, 8
		{"59_5913", "a x"},
		{"59*5913", "a x"},
		{"59#", "wrong"},
	} {
		d := newDesk(t, t.TempDir(), c)
		if got := enter(d.NewEntry("c"), test.keys); got != test.want {
			t.Errorf("%q: %q, want %q", test.keys, got, test.want)
		}
	}
}

func TestNoCodes(t *testing.T) {
	for _, end := range []string{"#", "length"} {
		c := config.Default()
		c.Access.EndWith = end
		d := newDesk(t, t.TempDir(), c)
		if got := enter(d.NewEntry("c"), "#1#0000#"); got != "wrong, wrong" {
			t.Errorf("%q", got)
		}
	}
}

func TestNewCodesRefuses(t *testing.T) {
	for _, digits := range []string{"", "123", "12a4", strings.Repeat("1", 33)} {
		c := config.Default()
		c.Codes = []config.Code{{Who: "a", Code: config.Secret(digits), Doors: []string{"x"}}}
		if _, err := NewCodes(c, nil, nil); err == nil || digits != "" && strings.Contains(err.Error(), digits) {
			t.Errorf("%q: %v", digits, err)
		}
	}
	c := twoCodes()
	c.Access.EndWith = "length"
	if _, err := NewCodes(c, nil, nil); err == nil {
		t.Error("codes of different lengths are taken")
	}
}

func TestFiveWrongCodesLockOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, t.TempDir(), twoCodes())
		for i := range 4 {
			if got := enter(d.NewEntry(fmt.Sprint("call", i)), "0000#"); got != "wrong" { // across calls
				t.Errorf("%d: %q", i, got)
			}
		}
		e := d.NewEntry("call4")
		if got := enter(e, "0000#"); got != "wrong" {
			t.Errorf("%q", got)
		}
		if got := enter(e, "5913#"); got != "locked out" {
			t.Errorf("a right code in the lock-out: %q", got)
		}
		time.Sleep(4 * time.Minute)
		if got := enter(e, "5913#0000#0000#"); got != "locked out, locked out, locked out" {
			t.Errorf("after 4 min: %q", got)
		}
		time.Sleep(time.Minute + 10*time.Second) // wrong codes in the lock-out did not prolong it
		if got := enter(d.NewEntry("call5"), "0000#0000#0000#0000#5913#0000#"); got != "wrong, wrong, wrong, wrong, post front, wrong" {
			t.Errorf("after 5 min: %q", got)
		}
		if n := strings.Count(strings.Join(d.events, " "), "code.locked_out"); n != 1 || !slices.Contains(d.events, "code.locked_out call45 wrong codes") {
			t.Errorf("events: %v", d.events)
		}
		if all := strings.Join(d.events, " ") + d.log.String(); strings.Contains(all, "5913") || strings.Contains(all, "0000") {
			t.Errorf("digits are told: %s", all)
		}
	})
}

func TestRightCodeStartsTheCountAnew(t *testing.T) {
	d := newDesk(t, t.TempDir(), twoCodes())
	e := d.NewEntry("c")
	for range 10 {
		if got := enter(e, "0000#0000#0000#0000#5913#"); got != "wrong, wrong, wrong, wrong, post front" {
			t.Fatalf("%q", got)
		}
	}
}

// running runs the lock-out's writer; stop ends it as the station's end does.
func (d *desk) running(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- d.lock.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestLockOutOutlivesRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		var d *desk
		for i := range 5 { // a restart after each wrong code
			d = newDesk(t, dir, twoCodes())
			if len(d.events) != 0 {
				t.Errorf("start %d: %v", i, d.events)
			}
			stop := d.running(t)
			if got := enter(d.NewEntry("c"), "0000#"); got != "wrong" {
				t.Errorf("start %d: %q", i, got)
			}
			stop()
		}
		time.Sleep(4 * time.Minute)
		d = newDesk(t, dir, twoCodes())
		stop := d.running(t)
		if got := enter(d.NewEntry("c"), "5913#"); got != "locked out" || !slices.Equal(d.events, []string{"code.locked_out restart during a lock-out"}) {
			t.Errorf("after the restart: %q, %v", got, d.events)
		}
		time.Sleep(4 * time.Minute)
		if got := enter(d.NewEntry("c"), "5913#"); got != "locked out" {
			t.Errorf("a restart shortened the lock-out: %q", got)
		}
		time.Sleep(2 * time.Minute) // over, and nobody types
		stop()
		d = newDesk(t, dir, twoCodes())
		if got := enter(d.NewEntry("c"), "5913#"); got != "post front" || len(d.events) != 1 {
			t.Errorf("a restart after the end: %q, %v", got, d.events)
		}
	})
}

func TestUnreadableStateLocks(t *testing.T) {
	for _, text := range []string{"", "x", "{", `{"wrong":-1}`, `{"wrong":0,"open":true}`, `{"wrong":0}{}`, strings.Repeat(" ", 5000) + "{}", "\x00\x00\x00\x00"} {
		synctest.Test(t, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, lockoutFile), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			d := newDesk(t, dir, twoCodes())
			if got := enter(d.NewEntry("c"), "5913#"); got != "locked out" || len(d.events) != 1 || d.log.Len() == 0 {
				t.Errorf("%.20q: %q, %v, %s", text, got, d.events, d.log.String())
			}
			time.Sleep(5 * time.Minute)
			if got := enter(d.NewEntry("c"), "5913#"); got != "post front" {
				t.Errorf("%.20q: later %q", text, got)
			}
		})
	}
}

func TestStateFile(t *testing.T) {
	dir := t.TempDir()
	d := newDesk(t, dir, twoCodes())
	stop := d.running(t)
	enter(d.NewEntry("c"), "0000#0000#0000#")
	stop()
	path := filepath.Join(dir, lockoutFile)
	data, err := os.ReadFile(path)
	if err != nil || string(data) != `{"wrong":3,"locked":false}`+"\n" {
		t.Errorf("%q, %v", data, err)
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", fi.Mode(), err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
}

func TestWriteIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "later")
		d := newDesk(t, dir, twoCodes())
		stop := d.running(t)
		defer stop()
		enter(d.NewEntry("c"), "0000#")
		synctest.Wait()
		if !strings.Contains(d.log.String(), "may be forgotten") {
			t.Errorf("log: %s", d.log.String())
		}
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		time.Sleep(durable.Retry + time.Second)
		synctest.Wait()
		var s lockState
		if err := d.lock.file.read(&s); err != nil || s.Wrong != 1 {
			t.Errorf("%+v, %v", s, err)
		}
	})
}

func TestDigitAllocatesNothing(t *testing.T) {
	d := newDesk(t, t.TempDir(), twoCodes())
	e := d.NewEntry("c")
	d.emit = func(event.Event) {}
	at := time.Now()
	if n := testing.AllocsPerRun(100, func() {
		for _, r := range "5913#" {
			e.Digit(ByEvents, r, at)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkCode(b *testing.B) {
	c := twoCodes()
	emit := func(event.Event) {}
	cs, err := NewCodes(c, NewLockout(b.TempDir(), c.Access, emit, slog.New(slog.DiscardHandler)), emit)
	if err != nil {
		b.Fatal(err)
	}
	e, at := cs.NewEntry("c"), time.Now()
	b.ReportAllocs()
	for b.Loop() {
		for _, r := range "5913#" {
			e.Digit(ByEvents, r, at)
		}
	}
}

// TestDigitsAreNotReplayed: what was typed while no code could open is no part of a code that can.
func TestDigitsAreNotReplayed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := twoCodes()
		d := newDesk(t, t.TempDir(), c)
		e := d.NewEntry("c")
		digits := func(keys string) (out Outcome) {
			for _, r := range keys {
				out = e.Digit(ByEvents, r, time.Now()).Outcome
			}
			return out
		}
		for range c.Access.WrongLimit {
			digits("0000#")
		}
		time.Sleep(c.Access.LockOut - time.Second)
		if got := digits("59"); got != Pending {
			t.Errorf("%q", got)
		}
		time.Sleep(2 * time.Second)
		if got := digits("13#"); got != Wrong {
			t.Errorf("half a code from the lock-out: %q", got)
		}
		if got := digits("5913#"); got != Accepted {
			t.Errorf("a whole one after it: %q", got)
		}
		digits("59")
		e.Forget()
		if got := digits("13#"); got != Wrong {
			t.Errorf("after Forget: %q", got)
		}
		digits("59") // no lock-out has come between
		if got := digits("13#"); got != Accepted {
			t.Errorf("a code typed in two halves: %q", got)
		}
	})
}
