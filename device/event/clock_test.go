package event

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

func TestTimeKnown(t *testing.T) {
	year := func(y int) time.Time { return time.Date(y, 6, 1, 12, 0, 0, 0, time.UTC) }
	rtc := func(text string) string {
		dir := t.TempDir()
		if text == "" {
			return dir
		}
		file := filepath.Join(dir, "rtc0", "since_epoch")
		if err := errors.Join(os.Mkdir(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	at := func(when time.Time) string { return fmt.Sprintln(when.Unix()) }
	for name, test := range map[string]struct {
		now  time.Time
		sync bool
		err  error
		rtc  string
		want bool
	}{
		"just booted":                   {now: year(1970)},
		"on the day of the build":       {now: year(2024), rtc: at(year(2024))},
		"synchronised":                  {now: year(2031), sync: true, want: true},
		"from a file":                   {now: year(2031)},
		"from a file, dead battery":     {now: year(2031), rtc: at(year(1970))},
		"from a file, battery is right": {now: year(2031), rtc: at(year(2031).Add(time.Hour))},
		"battery clock":                 {now: year(2031), rtc: at(year(2031).Add(-30 * time.Second)), want: true},
		"broken battery clock":          {now: year(2031), rtc: "x"},
		"may not ask":                   {now: year(2031), err: os.ErrPermission, want: true},
		"may not ask, just booted":      {now: year(1970), err: os.ErrPermission},
	} {
		if got := timeKnown(test.now, func() (bool, error) { return test.sync, test.err }, rtc(test.rtc)); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestEventsSayThatTheTimeIsUnknown: a bubble begins in the year 2000, which nobody believes. Years later it
// depends on whether this machine's clock is disciplined, or cannot be asked.
func TestEventsSayThatTheTimeIsUnknown(t *testing.T) {
	for _, later := range []time.Duration{0, 26 * 366 * 24 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			if later == 0 { // a clock that was right and is set back
				knowTime(t)
			}
			time.Sleep(later)
			want := ClockUnknown
			if ok, err := synchronised(); later > 0 && (ok || err != nil) {
				want = ""
			}
			l := NewLog(1)
			l.Emit(Event{Kind: DoorOpened})
			if ev := l.Recent()[0]; ev.Clock != want || !ev.At.Equal(time.Now()) {
				t.Errorf("%d: clock %q at %v, want %q", time.Now().Year(), ev.Clock, ev.At, want)
			}
		})
	}
}
