package fsmtest

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"portero/sip/fsm"
)

var lamp = fsm.New("lamp", []fsm.Row[string, string, *int]{
	{State: "off", Event: "press", Next: "on", Does: "light", Section: "1.2"},
	{State: "on", Event: "press", Next: "off"},
	{State: "on", Event: "smash", Next: "broken"},
})

// verdict is a test that notes its failures.
type verdict struct {
	testing.TB
	failures []string
}

func (v *verdict) Helper() {}
func (v *verdict) Errorf(format string, args ...any) {
	v.failures = append(v.failures, fmt.Sprintf(format, args...))
}

// TestCheck takes the file that fits, and names what is wrong with those that do not.
func TestCheck(t *testing.T) {
	const good = "# a lamp\n\noff  press -> on: light (1.2)\non  press -> off\non  smash -> broken\n\n" +
		"ignored\noff  smash: nobody sees it\nbroken  *: it is gone\n"
	for name, c := range map[string]struct{ old, new, want string }{
		"as it is":        {"", "", ""},
		"another section": {"(1.2)", "(1.3)", "row 1:"},
		"another action":  {"light", "glow", "row 1:"},
		"a row too many":  {"on  smash", "on  kick -> off\non  smash", "row 3:"},
		"a row missing":   {"on  press -> off\n", "", "row 2:"},
		"another order": {"on  press -> off\non  smash -> broken",
			"on  smash -> broken\non  press -> off", "row 2:"},
		"no reason":           {"off  smash: nobody sees it\n", "", "off smash: neither a row nor a reason"},
		"a reason for a row":  {"off  smash:", "off  smash press:", "off press: listed as ignored"},
		"a reason twice":      {"off  smash:", "off  smash smash:", "off smash is listed twice"},
		"a reason of nothing": {"off  smash:", "off  smash kick:", "off kick: listed as ignored"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "lamp.txt")
			if err := os.WriteFile(path, []byte(strings.Replace(good, c.old, c.new, 1)), 0o600); err != nil {
				t.Fatal(err)
			}
			v := &verdict{TB: t}
			Of(lamp).Check(v, path)
			found := slices.ContainsFunc(v.failures, func(f string) bool {
				return strings.Contains(f,
					c.want)
			})
			if c.want == "" && len(v.failures) != 0 || c.want != "" && !found {
				t.Errorf("failures %q, want %q", v.failures, c.want)
			}
		})
	}
}

// TestLog tells rows that were taken from events that had none.
func TestLog(t *testing.T) {
	l := NewLog()
	log, id := slog.New(l), slog.String("lamp", "1")
	state := "off"
	for _, ev := range []string{"press", "smash", "smash"} {
		from := state
		lamp.Log(log, id, from, ev, lamp.Step(&state, ev, nil))
	}
	log.Info("something else")
	for step, want := range map[Step]int{{"lamp", "off", "press", "on"}: 1,
		{"lamp", "on", "smash", "broken"}:     1,
		{"lamp", "broken", "smash", "broken"}: 0} {
		if got := l.Taken(step); got != want {
			t.Errorf("%+v was taken %d times, want %d", step, got, want)
		}
	}
	if got := l.Ignored("lamp broken smash"); got != 1 {
		t.Errorf("ignored %d times, want once", got)
	}
}
